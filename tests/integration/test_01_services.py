"""What every service has: options, health, reflection, unknown methods, the admin port, an end on SIGTERM."""
import json
import subprocess
import urllib.error
import urllib.request

import grpc
import pytest

import protos
import suite

SERVICES = ["control", "router", "worker"]
OWN = {
    "control": "pilotlight.v1.ModelService",
    "router": "pilotlight.v1.InferenceService",
    "worker": "pilotlight.internal.v1.WorkerService",
}


def run(service, *arguments, **options):
    return subprocess.run([suite.BIN / f"pilotlight-{service}", *map(str, arguments)], capture_output=True, text=True,
                          timeout=suite.PATIENCE, **options)


# ---- options ----

@pytest.mark.parametrize("service", SERVICES)
def test_version_and_help(service):
    assert run(service, "--version").stdout.startswith(f"pilotlight-{service} ")
    assert "--print-config" in run(service, "--help").stdout
    assert run(service, "--nonsense").returncode == 2


@pytest.mark.parametrize("service", SERVICES)
def test_printed_config_parses_to_the_same(service, tmp_path):
    first = run(service, "--print-config")
    assert first.returncode == 0, first.stderr
    file = tmp_path / "config.yaml"
    file.write_text(first.stdout)
    again = run(service, "--config", file, "--print-config")
    assert again.stdout == first.stdout
    assert run(service, "--config", file, "--check-config").returncode == 0


@pytest.mark.parametrize("service", SERVICES)
def test_unknown_key_is_told_with_its_place_and_a_guess(service, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("log:\n  levle: info\n")
    wrong = run(service, "--config", file, "--check-config")
    assert wrong.returncode == 2
    assert "2:3" in wrong.stderr and "levle" in wrong.stderr and "log.level" in wrong.stderr, wrong.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_wrong_value_names_key_and_allowed(service, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("log:\n  level: loud\n")
    wrong = run(service, "--config", file, "--check-config")
    assert wrong.returncode == 2
    assert "log.level" in wrong.stderr and "loud" in wrong.stderr and "debug" in wrong.stderr, wrong.stderr


# ---- health, reflection ----

@pytest.mark.parametrize("service", SERVICES)
def test_health(up, service):
    health = up.health(service)
    assert health.Check(service="").status == 1
    assert health.Check(service=OWN[service]).status == 1
    with pytest.raises(grpc.RpcError) as failed:
        health.Check(service="no.such.Service")
    assert failed.value.code() == grpc.StatusCode.NOT_FOUND
    watch = health.Watch(service="")
    assert next(iter(watch)).status == 1
    watch.cancel()


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_lists_and_describes(up, service, version):
    pb = protos.load()
    package = f"grpc.reflection.{version}"
    request = pb(f"{package}.ServerReflectionRequest")
    reflection = up.channel(service).stream_stream(f"/{package}.ServerReflection/ServerReflectionInfo",
                                                   request_serializer=request.SerializeToString,
                                                   response_deserializer=pb(f"{package}.ServerReflectionResponse").FromString)
    asked = [request(list_services="*"), request(file_containing_symbol=OWN[service]), request(file_by_filename="no/such.proto"),
             request(file_containing_symbol="no.such.Symbol")]
    listed, described, no_file, no_symbol = reflection(iter(asked), timeout=suite.PATIENCE)
    names = {s.name for s in listed.list_services_response.service}
    assert {OWN[service], "grpc.health.v1.Health", f"{package}.ServerReflection"} <= names
    assert any(OWN[service].rpartition(".")[2].encode() in file for file in described.file_descriptor_response.file_descriptor_proto)
    assert no_file.error_response.error_code == 5 and no_symbol.error_response.error_code == 5


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("path", ["/no.such.Service/Method", "/pilotlight.v1.InferenceService/NoSuchMethod"])
def test_unknown_method_is_unimplemented(up, service, path):
    with pytest.raises(grpc.RpcError) as failed:
        up.channel(service).unary_unary(path)(b"", timeout=suite.PATIENCE)
    assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert path in failed.value.details()


# ---- admin port ----

def get(url):
    with urllib.request.urlopen(url, timeout=suite.PATIENCE) as answer:
        return answer.status, answer.read().decode()


@pytest.mark.parametrize("service", SERVICES)
def test_admin_port(up, service):
    base = f"http://{up.admin(service)}"
    assert get(f"{base}/healthz")[0] == 200
    assert get(f"{base}/readyz")[0] == 200
    status, text = get(f"{base}/metrics")
    assert status == 200
    samples = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert samples and all(len(line.rsplit(" ", 1)) == 2 and float(line.rsplit(" ", 1)[1]) is not None for line in samples)
    assert any(line.startswith("pilotlight_") for line in samples)
    with pytest.raises(urllib.error.HTTPError) as missing:
        get(f"{base}/nothing")
    assert missing.value.code == 404


# ---- ends ----

def test_sigterm_ends_each_service_with_0(stack):
    stack.start()
    assert stack.stop() == {"router": 0, "worker": 0, "control": 0}


def test_taken_port_is_told(stack):
    stack.start("control")
    stack.settings["control"].update({"database": str(stack.folder / "other.db"), "admin_listen": ""})
    second = run("control", "--config", stack.config("control"))
    assert second.returncode == 1
    assert str(stack.base + suite.PORTS["control"]) in second.stderr + second.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_taken_admin_port_is_told(stack, service):
    stack.start("control")
    stack.settings[service]["admin_listen"] = stack.admin("control")
    stack.settings["control"]["listen"] = ["127.0.0.1:0"]
    stack.settings["control"]["database"] = str(stack.folder / "other.db")
    second = run(service, "--config", stack.config(service))
    assert second.returncode == 1, second
    assert "admin_listen" in second.stderr and stack.admin("control") in second.stderr


def test_json_log_lines_parse(stack):
    stack.settings["control"]["log.format"] = "json"
    stack.start("control")
    assert stack.programs["control"].stop() == 0
    lines = stack.programs["control"].log.read_text().splitlines()
    assert lines and all("event" in json.loads(line) for line in lines)
