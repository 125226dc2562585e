"""Whose secrets are where: no process holds code or data of a model that is not its own, and what instances are made from holds nobody's.

Four endpoints with secrets that cannot be there by accident: in their code, their environment, their model and their callers' requests.
After cold and warm calls of all the memory of every process of the worker host is read, with its environment, maps and open files.
"""
import os
import pathlib
import re
import secrets
import signal

import numpy
import pytest
import xgboost

import custom
import suite
from suite import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory of other processes")

# It keeps what it was asked, as a cache would.
SCRIPT = """
import os
CODE = "{code}"
ASKED = []
def model_fn(model_dir):
    return open(os.path.join(model_dir, "weights.bin")).read() + os.environ["KEY"]
def input_fn(body, content_type):
    ASKED.append(body)
    return body
def predict_fn(data, model):
    return os.getpid()
def output_fn(prediction, accept):
    return "answered", "text/plain"
"""
PROGRAM = """#!/usr/bin/python3
import http.server, os
CODE = "{code}"
MODEL = open(os.path.join(os.environ["SM_MODEL_DIR"], "weights.bin")).read()
ASKED = []
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.answer(b"")
    def do_POST(self):
        ASKED.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(b"answered")
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


MARK = secrets.token_hex(12)  # what all secrets begin with
SECRET = re.compile(MARK + "-[a-z]+-of-[a-z]+;")


class Tenant:
    """An endpoint, and what nobody else's process may know."""

    def __init__(self, name, kinds=("code", "environment", "model", "request")):
        self.name = name
        self.secrets = {kind: f"{MARK}-{kind}-of-{name};" for kind in kinds}
        self.digests = []

    def deploy(self, up, uri, runtime, **environment):
        if "environment" in self.secrets:
            environment["KEY"] = self.secrets["environment"]
        up.serve(self.name, uri, model_fields={"runtime": runtime, "environment": environment}, keep_alive_ms=600000)
        variant = up.endpoint(self.name).variants[0]
        self.digests = [variant.artifact_sha256]
        return self

    def weights(self):
        return {"weights.bin": self.secrets["model"].encode()}


def script(up, artifacts, name, **environment):
    tenant = Tenant(name)
    uri = custom.archive(artifacts, SCRIPT.format(code=tenant.secrets["code"]), tenant.weights())
    return tenant.deploy(up, uri, "python", **environment)


def program(up, artifacts, name):
    tenant = Tenant(name)
    uri = custom.archive(artifacts, PROGRAM.format(code=tenant.secrets["code"]), tenant.weights(), program="serve", executable=True)
    return tenant.deploy(up, uri, "http")


def trees(up, artifacts, name):
    """The library's own path, so that the model is in the instance's memory: its features have names."""
    tenant = Tenant(name, ("model", "request"))
    random = numpy.random.default_rng(1)
    names = [tenant.secrets["model"], "b", "c"]
    matrix = xgboost.DMatrix(random.normal(size=(50, 3)), random.normal(size=50), feature_names=names)
    booster = xgboost.train({"booster": "gblinear"}, matrix, num_boost_round=2)
    uri = artifacts.tar(custom.entry("xgboost-model", bytes(booster.save_raw("json"))))
    return tenant.deploy(up, uri, "xgboost")


# ---- what a process holds ----

def regions(pid):
    """Of its memory: all that it can read but what is a file of the system's."""
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, access, _, _, _, *path = line.split(maxsplit=5)
        path = path[0] if path else ""
        if access[0] == "r" and path not in ("[vvar]", "[vsyscall]") and not (path.startswith("/usr/") and access[1] == "-"):
            start, end = (int(at, 16) for at in span.split("-"))
            yield start, end


def memory(pid):
    """In pieces that overlap. A page that nobody has touched reads as zeros."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as f:
        for start, end in regions(pid):
            for at in range(start, end, 16 << 20):
                try:
                    f.seek(at)
                    yield f.read(min((16 << 20) + 256, end - at))
                except (OSError, ValueError):
                    pass


def open_files(pid):
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            yield os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            pass


def known_to(pid):
    """The secrets in its memory and in what the kernel tells of it."""
    mark, found = MARK.encode(), set()
    for piece in memory(pid):
        at = piece.find(mark)
        while at >= 0:
            found.update(SECRET.findall(piece[at : at + 256].decode("latin-1")))
            at = piece.find(mark, at + 1)
    told = [pathlib.Path(f"/proc/{pid}/{name}").read_text(errors="replace") for name in ("environ", "cmdline")]
    return found.union(*(SECRET.findall(text) for text in told))


def files_of(pid):
    """Which files are mapped and open."""
    return pathlib.Path(f"/proc/{pid}/maps").read_text() + "\n".join(open_files(pid))


class Host:
    """The processes of one worker, by what the worker's log says they are."""

    def __init__(self, up):
        self.up = up
        self.worker = up.pid("worker")

    def living(self):
        return suite.descendants(self.worker)

    def logged(self, pattern):
        log = (self.up.folder / "state" / "log" / "worker.log").read_text(errors="replace")
        living = self.living()
        return [(match[:-1], int(match[-1])) for match in re.findall(pattern, log) if int(match[-1]) in living]

    def zygotes(self):
        return {runtime[0]: pid for runtime, pid in self.logged(r'zygote_started runtime="([^"]+)" pid=(\d+)')}

    def templates(self):
        return {name[0]: pid for name, pid in self.logged(r'template_ready endpoint="([^"]+)" .*pid=(\d+)')}

    def instances(self, name):
        return {pid for _, pid in self.logged(rf'instance_started endpoint="({name})" .*pid=(\d+).*role="serves"')}


def ask(up, tenant):
    if tenant.name == "trees":
        return up.invoke(tenant.name, b"1,2,3", content_type="text/csv", custom_attributes=tenant.secrets["request"]).body
    answer = up.invoke(tenant.name, tenant.secrets["request"].encode(), content_type="text/plain").body
    assert answer == b"answered"
    return answer


@pytest.fixture(scope="module")
def tenants(up, artifacts):
    all_of_them = [script(up, artifacts, "copied", PILOTLIGHT_SNAPSHOT="1"), script(up, artifacts, "loaded"), trees(up, artifacts, "trees"),
                   program(up, artifacts, "program")]
    host = Host(up)
    wait_until(lambda: "copied" in host.templates(), "a template of the first")
    for tenant in all_of_them:
        for _ in range(2):
            ask(up, tenant)
    # Cold once more, by processes that were made after everybody's first calls.
    for tenant in all_of_them:
        for pid in host.instances(tenant.name):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not up.instances(tenant.name), "its instances are forgotten")
        for _ in range(2):
            ask(up, tenant)
    return all_of_them


@pytest.fixture(scope="module")
def holdings(up, tenants):
    """{pid: the secrets it holds, and the artifacts it has open} of every process of the worker host."""
    held = {}
    for pid in Host(up).living():
        files = files_of(pid)
        held[pid] = known_to(pid) | {digest for tenant in tenants for digest in tenant.digests if digest in files}
    return held


def owners(tenants, held):
    return {tenant.name for tenant in tenants if held & {*tenant.secrets.values(), *tenant.digests}}


@pytest.mark.parametrize("runtime", ["python", "xgboost", "http"])
def test_what_instances_are_made_from_holds_nobodys(up, holdings, runtime):
    assert holdings[Host(up).zygotes()[runtime]] == set()


def test_nobody_holds_anothers(tenants, holdings):
    for pid, held in holdings.items():
        assert len(owners(tenants, held)) <= 1, (pid, held)


def test_a_template_has_its_models_and_no_request(up, tenants, holdings):
    """It is of one model only, and so are the copies of it that wait to be taken; all other blank ones have nothing."""
    assert list(Host(up).templates()) == ["copied"]
    held = holdings[Host(up).templates()["copied"]]
    assert {s for s in held if s.startswith(MARK)} == {secret for kind, secret in tenants[0].secrets.items() if kind != "request"}
    blanks = [holdings[pid] for pid, name in Host(up).living().items() if name == "pl-blank" and pid in holdings]
    assert set() in blanks and all(blank <= held for blank in blanks)


@pytest.mark.parametrize("which", range(4), ids=["copied", "loaded", "trees", "program"])
def test_an_instance_holds_its_own(up, tenants, holdings, which):
    """What the others' absence means something by."""
    tenant = tenants[which]
    pids = [pid for pid, held in holdings.items() if owners(tenants, held) == {tenant.name}]
    assert Host(up).instances(tenant.name) <= set(pids)
    assert set(tenant.secrets.values()) <= set().union(*(holdings[pid] for pid in pids))
