"""Artifacts that must not be served: each becomes FAILED with a reason that quotes the cause, touches nothing outside the cache, and
leaves the suite serving. And artifacts from an S3 service."""
import functools
import http.server
import os
import pathlib
import tarfile
import threading

import pytest

import models
import suite
from models import entry
from s3_server import S3Server
from suite import variant_of, wait_until
from test_02_resources import failure

HOSTILE = {
    # name: (maker of a URI, fragments of the reason)
    "missing": (lambda a: "file:///no/such/place/model.tar.gz", ["/no/such/place/model.tar.gz", "No such file"]),
    "folder": (lambda a: f"file://{a.folder}", ["folder"]),
    "device-file": (lambda a: "file:///dev/zero", ["/dev/zero"]),
    "empty": (lambda a: a.file(b""), ["empty"]),
    "noise": (lambda a: a.file(os.urandom(5000)), ["Unable to load model"]),
    "text": (lambda a: a.file(b"this is no model\n" * 100), ["Unable to load model"]),
    "json-no-model": (lambda a: a.json_that_is_no_model(), ["Unable to load model", "xgboost-model.json"]),
    "json-cut": (lambda a: a.tar(entry("m.json", b'{"learner": {"attributes": {')), ["Unable to load model"]),
    "ubj-cut": (lambda a: a.tar(entry("m.ubj", a.booster()[0][:-200])), ["m.ubj"]),
    "gzip-cut": (lambda a: a.file(open(models.SAMPLE / "model.tar.gz", "rb").read()[:5000], ".tar.gz"), ["archive"]),
    "empty-archive": (lambda a: a.tar(), ["no file"]),
    "only-hidden": (lambda a: a.tar(entry(".model", a.booster()[0])), ["model"]),
    "parent-path": (lambda a: a.tar(entry("../escaped", b"x")), ["../escaped"]),
    "deep-parent-path": (lambda a: a.tar(entry("a/b/../../../escaped", b"x")), ["escaped"]),
    "absolute-path": (lambda a: a.tar(entry(f"{a.folder}/escaped", b"x")), ["escaped"]),
    "symlink-out": (lambda a: a.tar(entry("xgboost-model", type=tarfile.SYMTYPE, linkname="/etc/passwd")), ["/etc/passwd"]),
    "symlink-up": (lambda a: a.tar(entry("m", type=tarfile.SYMTYPE, linkname="../../x")), ["../../x"]),
    "write-through-link": (lambda a: a.tar(entry("d", type=tarfile.SYMTYPE, linkname=str(a.folder)), entry("d/escaped", b"x")), ["d"]),
    "hardlink-out": (lambda a: a.tar(entry("m", type=tarfile.LNKTYPE, linkname="/etc/passwd")), ["passwd"]),
    "char-device": (lambda a: a.tar(entry("dev", type=tarfile.CHRTYPE, devmajor=1, devminor=5)), ["dev", "device"]),
    "block-device": (lambda a: a.tar(entry("dev", type=tarfile.BLKTYPE, devmajor=8)), ["device"]),
    "fifo": (lambda a: a.tar(entry("pipe", type=tarfile.FIFOTYPE)), ["fifo"]),
    "bomb": (lambda a: a.bomb(), ["times its size"]),
    "many-entries": (lambda a: a.many_entries(10001), ["entries"]),
    "zip-noise": (lambda a: a.file(b"PK\x03\x04" + os.urandom(2000), ".zip"), ["zip"]),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_artifact_fails_with_its_cause(up, artifacts, name, kind):
    make, fragments = HOSTILE[kind]
    up.create_model(name, make(artifacts))
    up.create_config(name, variant_of(name))
    up.create_endpoint(name)
    endpoint, status = up.settled(name)
    assert status == "FAILED", f"{status} {endpoint.failure_reason}"
    assert name in endpoint.failure_reason and len(endpoint.failure_reason.encode()) <= 1024
    if kind == "ubj-cut" and "ASAN_OPTIONS" in os.environ and "instance died" in endpoint.failure_reason:
        fragments = ["ABORTING"]  # libxgboost reads past the end of its buffer there; that is an instance's crash like any other
    for fragment in fragments:
        assert fragment in endpoint.failure_reason, endpoint.failure_reason
    assert not list(pathlib.Path(artifacts.folder).rglob("escaped")) and not pathlib.Path("/escaped").exists()
    assert failure(up.invoke, name, b"1").code == "NOT_FOUND"
    up.the_runners(0)


def test_wrong_digest_is_refused_naming_both(up, name):
    up.create_model(name, models.SAMPLE_URI, artifact_sha256="0" * 64)
    up.create_config(name, variant_of(name))
    up.create_endpoint(name)
    endpoint, status = up.settled(name)
    assert status == "FAILED"
    assert "0" * 64 in endpoint.failure_reason and models.sha256(models.SAMPLE / "model.tar.gz") in endpoint.failure_reason


def test_right_digest_serves(up, name):
    sample = models.Sample()
    up.serve(name, models.SAMPLE_URI, model_fields={"artifact_sha256": models.sha256(models.SAMPLE / "model.tar.gz")})
    assert up.invoke(name, sample.row(0)).body == sample.answer(0)


def test_unknown_runtime_fails_naming_what_there_is(up, name):
    up.create_model(name, models.SAMPLE_URI, runtime="cobol")
    up.create_config(name, variant_of(name))
    up.create_endpoint(name)
    wait_until(lambda: up.status(name) != "IN_SERVICE", "it does not serve")
    if up.status(name) != "FAILED":
        up.delete_endpoint(name)
        return
    assert "cobol" in up.endpoint(name).failure_reason


@pytest.mark.parametrize("key,value", [("MAX_CONTENT_LENGTH", "many"), ("SAGEMAKER_INFERENCE_OUTPUT", "no_such_key")])
def test_environment_the_runtime_refuses(up, name, key, value):
    up.create_model(name, models.SAMPLE_URI, environment={key: value})
    up.create_config(name, variant_of(name))
    up.create_endpoint(name)
    endpoint, status = up.settled(name)
    assert status == "FAILED" and value in endpoint.failure_reason, endpoint.failure_reason


def test_what_is_served_is_what_was_proven(up, artifacts, name):
    """The artifact changes after the endpoint was made: warm and cold calls go on with the proven one."""
    first, predict = artifacts.model(1)
    other, _ = artifacts.model(2)
    path = pathlib.Path(first.removeprefix("file://"))
    up.serve(name, first, keep_alive_ms=0)
    row = "1,2,3,4,5,6,7,8,9,10"
    path.write_bytes(pathlib.Path(other.removeprefix("file://")).read_bytes())
    wanted = f"{float(predict([row])[0])}\n".encode()
    for _ in range(2):
        assert up.invoke(name, row.encode()).body == wanted
        wait_until(lambda: not up.instances(name), "it is at zero")


# ---- S3 ----

ACCESS, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-test-1"


@pytest.fixture
def s3():
    content = (models.SAMPLE / "model.tar.gz").read_bytes()
    server = S3Server(ACCESS, SECRET, REGION, {"models/diabetes/model.tar.gz": content})
    yield server
    server.close()


@pytest.fixture
def s3_stack(stack, s3):
    stack.settings["worker"] |= {"s3.endpoint": s3.url, "s3.region": REGION, "s3.path_style": True, "allow_http": True,
                                 "s3.access_key_id": ACCESS, "s3.secret_access_key": SECRET}
    return stack


def test_s3_artifact_is_fetched_once_with_a_true_signature(s3_stack, s3, name):
    sample = models.Sample()
    s3_stack.start()
    s3_stack.serve(name, "s3://models/diabetes/model.tar.gz", keep_alive_ms=0)
    assert s3.requests == [("/models/diabetes/model.tar.gz", 200)]
    assert s3_stack.invoke(name, sample.row(0)).body == sample.answer(0)
    assert len(s3.requests) == 1, "a cold start fetched the artifact again"
    assert SECRET not in s3_stack.programs["worker"].log.read_text()


def test_many_who_ask_at_once_are_one_fetch(s3_stack, s3, name):
    """Also those of different models with different names: it is the artifact that counts."""
    s3_stack.start()
    names = [f"{name}-{i}" for i in range(6)]
    s3.gate.clear()
    for each in names:
        s3_stack.create_model(each, "s3://models/diabetes/model.tar.gz")
        s3_stack.create_config(each, variant_of(each))
    for each in names:
        s3_stack.create_endpoint(each)
    wait_until(lambda: s3.requests, "it is on its way")
    s3.gate.set()
    assert [s3_stack.settled(each)[1] for each in names] == ["IN_SERVICE"] * len(names)
    assert len(s3.requests) == 1, s3.requests


def test_s3_with_the_bucket_in_the_host(s3_stack, s3, name):
    """Virtual-host style, which is the default: the bucket is signed as part of the host."""
    s3_stack.settings["worker"] |= {"s3.endpoint": s3.url.replace("127.0.0.1", "localhost")}
    del s3_stack.settings["worker"]["s3.path_style"]
    s3_stack.start()
    s3_stack.serve(name, "s3://models/diabetes/model.tar.gz")
    assert s3.requests == [("/diabetes/model.tar.gz", 200)]


def test_s3_key_with_odd_characters(s3_stack, s3, name):
    s3.objects["models/a+b=c,ü/m.tar.gz"] = s3.objects["models/diabetes/model.tar.gz"]
    s3_stack.start()
    s3_stack.serve(name, "s3://models/a+b=c,ü/m.tar.gz")
    assert s3.requests[-1][1] == 200


def test_s3_comes_through_after_faults(s3_stack, s3, name):
    s3.faults[:] = [503, 500]
    s3_stack.start()
    s3_stack.serve(name, "s3://models/diabetes/model.tar.gz")
    assert [status for _, status in s3.requests] == [503, 500, 200]


def test_sources_that_dribble_hold_up_nobody_else(s3_stack, s3, name):
    s3_stack.start()
    for i in range(4):
        s3.dribbling.add(f"models/slow-{i}")
        s3_stack.create_model(f"slow-{i}", f"s3://models/slow-{i}")
        s3_stack.create_config(f"slow-{i}", variant_of(f"slow-{i}"))
        s3_stack.create_endpoint(f"slow-{i}")
    wait_until(lambda: len(s3.requests) >= 2, "the slow ones are on their way")
    s3_stack.serve(name, "s3://models/diabetes/model.tar.gz")
    assert s3_stack.status("slow-0") == "CREATING"
    assert s3_stack.stop()["worker"] == 0, "who stops does not wait for them"


@pytest.mark.parametrize("secret,uri,fragment", [("another-secret", "s3://models/diabetes/model.tar.gz", "403"), (SECRET, "s3://models/none", "404")],
                         ids=["refused", "missing"])
def test_s3_refusal_is_quoted(s3_stack, s3, name, secret, uri, fragment):
    s3_stack.settings["worker"]["s3.secret_access_key"] = secret
    s3_stack.start()
    s3_stack.create_model(name, uri)
    s3_stack.create_config(name, variant_of(name))
    s3_stack.create_endpoint(name)
    endpoint, status = s3_stack.settled(name)
    assert status == "FAILED" and fragment in endpoint.failure_reason and uri in endpoint.failure_reason, endpoint.failure_reason
    assert secret not in endpoint.failure_reason


@pytest.mark.parametrize("allowed", [False, True], ids=["refused", "allowed"])
def test_http_without_tls_is_the_hosts_to_allow(stack, tmp_path, name, allowed):
    files = functools.partial(http.server.SimpleHTTPRequestHandler, directory=models.SAMPLE)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.settings["worker"]["allow_http"] = allowed
    stack.start()
    stack.create_model(name, f"http://127.0.0.1:{server.server_address[1]}/model.tar.gz?token=hush")
    stack.create_config(name, variant_of(name))
    stack.create_endpoint(name)
    endpoint, status = stack.settled(name)
    server.shutdown()
    server.server_close()
    assert status == ("IN_SERVICE" if allowed else "FAILED"), endpoint.failure_reason
    assert allowed or "allow_http" in endpoint.failure_reason
    assert "hush" not in endpoint.failure_reason + stack.programs["worker"].log.read_text() + stack.programs["control"].log.read_text()


def test_artifact_outside_the_allowed_folders(stack, tmp_path, name):
    stack.settings["worker"]["file_roots"] = [str(tmp_path / "models")]
    (tmp_path / "models").mkdir()
    stack.start()
    stack.create_model(name, models.SAMPLE_URI)
    stack.create_config(name, variant_of(name))
    stack.create_endpoint(name)
    endpoint, status = stack.settled(name)
    assert status == "FAILED" and "model.tar.gz" in endpoint.failure_reason


@pytest.mark.skipif(os.geteuid() != 0, reason="a worker that is not root reads what its user may read")
@pytest.mark.parametrize("named", [False, True], ids=["anywhere", "in a folder that is named"])
def test_private_file_is_taken_from_folders_that_are_named(stack, tmp_path, name, named):
    """Who may create models is not thereby one who may read everything that root may."""
    path = tmp_path / "private.tar.gz"
    path.write_bytes((models.SAMPLE / "model.tar.gz").read_bytes())
    path.chmod(0o640)
    if named:
        stack.settings["worker"]["file_roots"] = ["/", str(tmp_path)]
    stack.start()
    stack.create_model(name, f"file://{path}")
    stack.create_config(name, variant_of(name))
    stack.create_endpoint(name)
    endpoint, status = stack.settled(name)
    assert status == ("IN_SERVICE" if named else "FAILED"), endpoint.failure_reason
    assert named or "file_roots" in endpoint.failure_reason


def test_models_are_compiled_a_few_at_a_time(stack, artifacts, name):
    """A compiler may take as much memory as the largest instance: many at once would be the end of the host."""
    stack.start()
    names = [f"{name}-{i}" for i in range(10)]
    for i, each in enumerate(names):
        stack.create_model(each, artifacts.model(20 + i)[0])
        stack.create_config(each, variant_of(each))
    for each in names:
        stack.create_endpoint(each)
    seen = [0]

    def all_serve():
        seen.append(list(suite.descendants(stack.pid("worker")).values()).count("pl-compile"))
        return all(stack.status(each) == "IN_SERVICE" for each in names)

    wait_until(all_serve, "all serve", every=0.001)
    assert max(seen) <= min(4, os.cpu_count()), seen


def test_artifact_over_the_hosts_limit(stack, name):
    stack.settings["worker"]["artifact_limit"] = "10KiB"
    stack.start()
    stack.create_model(name, models.SAMPLE_URI)
    stack.create_config(name, variant_of(name))
    stack.create_endpoint(name)
    endpoint, status = stack.settled(name)
    assert status == "FAILED" and "10240" in endpoint.failure_reason, endpoint.failure_reason
