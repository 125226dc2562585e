"""Starts and stops the product's programs for tests and benchmarks, each in a folder of its own and on free ports.

Up runs the whole suite by `pilotlight up`, as a user does, and starts again what dies. Stack runs control, worker and router one by one,
so that a test decides which of them lives.
"""
import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading
import time

# Between calls nobody waits on the sockets of a Python channel but gRPC's backup poller, every 5 s unless told otherwise.
# The programs must not inherit it: they always poll, and would wake twenty times a second for nothing.
BACKUP_POLL = "GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS"
os.environ.setdefault(BACKUP_POLL, "50")

import grpc  # noqa: E402

from protos import ROOT, Service  # noqa: E402

BIN = pathlib.Path(os.environ.get("PILOTLIGHT_BIN", ROOT / "build" / "bin")).resolve()
# Sanitizers make everything slower; only a hang reaches these.
PATIENCE = float(os.environ.get("PILOTLIGHT_PATIENCE", "30"))
PORTS = {"gateway": 0, "router": 1, "control": 2, "worker": 3}

CHANNEL = [("grpc.max_receive_message_length", 16 << 20), ("grpc.max_send_message_length", 64 << 20),
           ("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1),
           ("grpc.initial_reconnect_backoff_ms", 50), ("grpc.min_reconnect_backoff_ms", 1000), ("grpc.max_reconnect_backoff_ms", 500)]


class Late(AssertionError):
    """Something that had to happen did not, in a time that only a hang takes."""


def environment(extra=None):
    """What the product's programs see: ours without what is meant for the clients in this process."""
    return {**{key: value for key, value in os.environ.items() if key != BACKUP_POLL}, **(extra or {})}


def wait_until(condition, what, patience=None, every=0.02):
    """Returns what 'condition' returns as soon as it is true; calls that fail count as not yet."""
    end = time.monotonic() + (patience or PATIENCE)
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (grpc.RpcError, OSError) as error:
            last = error
        if time.monotonic() > end:
            raise Late(f"{what}: not after {patience or PATIENCE:g} s; last: {last!r}")
        time.sleep(every)


CLAIMS = []
CLAIMS_MOST = 64


def claim(base):
    """Until this process ends, or has claimed many others: two test processes that look at the same time find the same ports free."""
    s = socket.socket(socket.AF_UNIX)
    try:
        s.bind(f"\0pilotlight-test-ports-{base}")
    except OSError:
        s.close()
        return False
    CLAIMS.append(s)
    if len(CLAIMS) > CLAIMS_MOST:
        CLAIMS.pop(0).close()
    return True


def free_base_port():
    """A base port N with N+1..N+13 free, below the ports that the kernel hands out."""
    for _ in range(200):
        base = random.randrange(10000, 30000, 20)
        with contextlib.ExitStack() as held:
            try:
                for port in range(base, base + 14):
                    s = held.enter_context(socket.socket())
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", port))
            except OSError:
                continue
            if claim(base):
                return base
    raise RuntimeError("no fourteen free ports in a row were found")


# ---- processes ----

def parents():
    """{pid: (parent's pid, name, state)} of all processes."""
    out = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
        except OSError:
            continue
        name, _, rest = stat.partition("(")[2].rpartition(")")
        state, parent = rest.split()[:2]
        out[int(entry)] = (int(parent), name, state)
    return out


def descendants(pid):
    """{pid: name} of all living descendants of 'pid'."""
    all_of_them, out, front = parents(), {}, {pid}
    while front:
        front = {child for child, (parent, _, state) in all_of_them.items() if parent in front and state != "Z" and child not in out}
        out.update({child: all_of_them[child][1] for child in front})
    return out


def instances_of(worker):
    """Processes of instances: those that have a model, not zygotes and not the blank ones in stock."""
    return sorted(pid for pid, name in descendants(worker).items() if name in ("pl-trees", "pl-python"))


def rss_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Program:
    """One process with its output in a file."""

    def __init__(self, arguments, log, env=None):
        self.log = pathlib.Path(log)
        self.output = open(self.log, "ab")
        self.before = self.output.tell()  # of the log: what earlier runs wrote
        self.process = subprocess.Popen([str(a) for a in arguments], stdout=self.output, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, env=environment(env))
        self.pid = self.process.pid

    def tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def said(self, text):
        return text.encode() in self.log.read_bytes()[self.before:]

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self, how=signal.SIGTERM):
        """Asks it to end and returns its exit code."""
        if self.alive():
            self.process.send_signal(how)
        try:
            return self.process.wait(PATIENCE * 3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Late(f"it did not end when asked to; its log ends:\n{self.tail()}")
        finally:
            self.output.close()


class Api:
    """Connections to a running suite, and the few things that every test does with it."""

    def __init__(self, base):
        self.base = base
        self.lock = threading.Lock()
        self.channels = {}

    def address(self, service):
        return f"127.0.0.1:{self.base + PORTS[service]}"

    def admin(self, service):
        return f"127.0.0.1:{self.base + PORTS[service] + 10}"

    def channel(self, service):
        with self.lock:
            if service not in self.channels:
                self.channels[service] = grpc.insecure_channel(self.address(service), CHANNEL)
            return self.channels[service]

    def close(self):
        for channel in self.channels.values():
            channel.close()
        self.channels = {}

    models = property(lambda self: Service(self.channel("control"), "pilotlight.v1.ModelService"))
    configs = property(lambda self: Service(self.channel("control"), "pilotlight.v1.EndpointConfigService"))
    endpoints = property(lambda self: Service(self.channel("control"), "pilotlight.v1.EndpointService"))
    tags = property(lambda self: Service(self.channel("control"), "pilotlight.v1.TagService"))
    inference = property(lambda self: Service(self.channel("router"), "pilotlight.v1.InferenceService"))
    open_inference = property(lambda self: Service(self.channel("router"), "inference.GRPCInferenceService"))
    instances_service = property(lambda self: Service(self.channel("router"), "pilotlight.v1.InstanceService"))

    def health(self, service):
        return Service(self.channel(service), "grpc.health.v1.Health")

    # -- what exists --

    def create_model(self, name, uri, **fields):
        return self.models.CreateModel(model={"name": name, "artifact_uri": uri, **fields}).model

    def create_config(self, name, *variants, **fields):
        return self.configs.CreateEndpointConfig(endpoint_config={"name": name, "variants": list(variants), **fields}).endpoint_config

    def create_endpoint(self, name, config=None):
        return self.endpoints.CreateEndpoint(name=name, endpoint_config_name=config or name).endpoint

    def endpoint(self, name):
        return self.endpoints.GetEndpoint(name=name).endpoint

    def status(self, name):
        endpoint = self.endpoint(name)
        return endpoint.DESCRIPTOR.fields_by_name["status"].enum_type.values_by_number[endpoint.status].name[len("ENDPOINT_STATUS_"):]

    def settled(self, name, patience=None):
        """Waits until the endpoint is IN_SERVICE or FAILED and returns it with the status's name."""
        status = wait_until(lambda: (s := self.status(name)) in ("IN_SERVICE", "FAILED") and s, f"endpoint {name} settles", patience)
        return self.endpoint(name), status

    def serve(self, name, uri, *, concurrency=4, keep_alive_ms=60000, provisioned=0, model_fields=None, **variant):
        """A model, a config and an endpoint of one name, in service."""
        self.create_model(name, uri, **(model_fields or {}))
        self.create_config(name, variant_of(name, concurrency=concurrency, keep_alive_ms=keep_alive_ms, provisioned=provisioned, **variant))
        self.create_endpoint(name)
        endpoint, status = self.settled(name)
        assert status == "IN_SERVICE", f"endpoint {name} is {status}: {endpoint.failure_reason}"
        if provisioned:
            wait_until(lambda: len(self.idle(name)) == provisioned, f"{provisioned} provisioned instances of {name}")
        return endpoint

    def delete_endpoint(self, name):
        self.endpoints.DeleteEndpoint(name=name)
        wait_until(lambda: self.gone(name), f"endpoint {name} is gone", PATIENCE * 4)

    def gone(self, name):
        try:
            self.endpoint(name)
        except grpc.RpcError as error:
            return error.code() == grpc.StatusCode.NOT_FOUND
        return False

    # -- what happens --

    def invoke(self, endpoint, body=b"", **fields):
        return self.inference.Invoke(endpoint_name=endpoint, body=body, **fields)

    def instances(self, endpoint=""):
        return list(self.instances_service.ListInstances(endpoint_name=endpoint).instances)

    def the_runners(self, count):
        """The processes of instances, as soon as there are just so many."""
        wait_until(lambda: len(self.runners()) == count, f"{count} instance processes live")
        return self.runners()

    def idle(self, endpoint):
        return [i for i in self.instances(endpoint) if i.state == 2]

    def stats(self, endpoint):
        return list(self.instances_service.ListVariantStats(endpoint_name=endpoint).variants)


def variant_of(model, *, name="main", concurrency=4, keep_alive_ms=60000, provisioned=0, memory=1024, **fields):
    out = {"name": name, "model_name": model, "memory_size_mb": memory, "max_concurrency": concurrency,
           "provisioned_concurrency": provisioned, **fields}
    if keep_alive_ms is not None:
        out["keep_alive"] = {"idle_ms": keep_alive_ms}
    return out


class Up(Api):
    """`pilotlight up` with its own state folder."""

    def __init__(self, folder, *options, env=None, prefix=()):
        super().__init__(free_base_port())
        self.folder = pathlib.Path(folder)
        self.options = options
        self.env = env
        self.prefix = prefix  # of the command: as whom it runs
        self.program = None

    def start(self):
        self.program = Program([*self.prefix, BIN / "pilotlight", "up", "--state", self.folder / "state", "--port", self.base,
                                "--start-timeout", f"{int(PATIENCE * 2)}s", *self.options], self.folder / "up.log", self.env)
        wait_until(lambda: self.program.said("\nready") or not self.program.alive(), "pilotlight up says ready", PATIENCE * 3)
        assert self.program.alive(), f"pilotlight up ended:\n{self.program.tail()}\n{self.logs()}"
        return self

    def logs(self):
        return "\n".join(f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-30:])
                         for path in sorted((self.folder / "state" / "log").glob("*.log")))

    def services(self):
        """{name: pid} of the services that live."""
        direct = {child: name for child, (parent, name, state) in parents().items() if parent == self.program.pid and state != "Z"}
        return {name.removeprefix("pilotlight-"): pid for pid, name in direct.items()}

    def pid(self, service):
        # The kernel cuts a name after 15 bytes: "pilotlight-contr".
        return next((pid for name, pid in self.services().items() if service.startswith(name)), None)

    def runners(self):
        pid = self.pid("worker")
        return instances_of(pid) if pid else []

    def stop(self):
        self.close()
        return self.program.stop()


class Stack(Api):
    """Control, worker and router, each started and ended by the test."""

    ORDER = ("control", "worker", "router")

    def __init__(self, folder, settings=None, env=None):
        super().__init__(free_base_port())
        self.folder = pathlib.Path(folder)
        self.env = env
        self.programs = {}
        self.settings = {name: {**self._defaults(name), **(settings or {}).get(name, {})} for name in self.ORDER}

    def _defaults(self, name):
        common = {"listen": [self.address(name)], "admin_listen": self.admin(name), "log.level": "debug"}
        control = self.address("control")
        return {**common, **{
            "control": {"database": str(self.folder / "control.db")},
            "worker": {"control": control, "host_id": "host-1", "advertise": self.address("worker"),
                       "cache_dir": str(self.folder / "cache"), "direct_socket": str(self.folder / "direct.sock")},
            "router": {"control": control, "router_id": "router-1", "snapshot": str(self.folder / "router.snapshot")},
        }[name]}

    def config(self, name):
        path = self.folder / f"{name}.yaml"
        path.write_text(to_yaml(self.settings[name]))
        return path

    def start(self, *names, wait=True):
        for name in names or self.ORDER:
            self.programs[name] = Program([BIN / f"pilotlight-{name}", "--config", self.config(name)], self.folder / f"{name}.log", self.env)
        if wait:
            for name in names or self.ORDER:
                self.wait_serving(name)
        return self

    def wait_serving(self, name):
        def serving():
            assert self.programs[name].alive(), f"{name} ended:\n{self.programs[name].tail()}"
            return self.health(name).Check(service="", timeout=2).status == 1
        wait_until(serving, f"{name} serves")

    def pid(self, name):
        return self.programs[name].pid

    def runners(self):
        return instances_of(self.pid("worker"))

    def kill(self, name):
        self.programs[name].kill()

    def stop(self):
        self.close()
        codes = {}
        for name in reversed(self.ORDER):
            if name in self.programs:
                codes[name] = self.programs[name].stop()
        return codes


def to_yaml(settings):
    """Settings with dotted keys as YAML; every value is written as JSON, which YAML includes."""
    tree = {}
    for key, value in settings.items():
        *path, last = key.split(".")
        at = tree
        for part in path:
            at = at.setdefault(part, {})
        at[last] = value
    return json.dumps(tree, indent=2) + "\n"


def command(*arguments, server=None, stdin=None, timeout=None, env=None):
    """Runs `pilotlight`; returns the completed process with text output."""
    seen = environment({**({"PILOTLIGHT_SERVER": f"127.0.0.1:{server}"} if server else {}), **(env or {})})
    return subprocess.run([str(BIN / "pilotlight"), *map(str, arguments)], input=stdin, capture_output=True, text=True,
                          timeout=timeout or PATIENCE * 4, env=seen)
