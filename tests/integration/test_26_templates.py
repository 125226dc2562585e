"""Templates (PILOTLIGHT_SNAPSHOT=1): instances that are copies of a process with the model loaded, each as alone as any other.

A script can tell that it runs in a template: there it is not process 1.
"""
import concurrent.futures
import os
import pathlib
import re
import signal
import textwrap
import urllib.request

import grpc
import pytest

import custom
import suite
from suite import wait_until

# Asked for an expression, it says what that is worth. "slow" first, so that others are asked for another instance meanwhile.
SCRIPT = """
import os, random, sys, time
import numpy
import pilotlight

STATE = {"loaded_in": None, "after_fork": 0}

def model_fn(model_dir):
    STATE["loaded_in"] = os.getpid()
    STATE["nonce"] = os.urandom(8).hex()
    return numpy.arange(4 << 20, dtype="float64")

def after_fork():
    STATE["after_fork"] += 1

def input_fn(body, content_type):
    return body.decode() if isinstance(body, bytes) else body

def predict_fn(data, model):
    if data.startswith("slow "):
        time.sleep(1)
        data = data[5:]
    return repr(eval(data, globals(), {"model": model}))

def output_fn(prediction, accept):
    return prediction, "text/plain"
"""


@pytest.fixture(scope="module")
def counter(up):
    def read(name):
        with urllib.request.urlopen(f"http://{up.admin('worker')}/metrics", timeout=suite.PATIENCE) as page:
            return float(re.search(rf"^pilotlight_{name} (\S+)$", page.read().decode(), re.M)[1])
    return read


class Served:
    """One endpoint with a template."""

    def __init__(self, up, name):
        self.up, self.name = up, name

    def ask(self, expression, **fields):
        return eval(self.up.invoke(self.name, expression.encode(), content_type="text/plain", **fields).body, {"nan": None})

    def at_once(self, expression, count=3):
        """The same by as many instances."""
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            return list(pool.map(self.ask, ["slow " + expression] * count))

    def logs(self):
        return suite.command("logs", self.name, server=self.up.base).stdout

    def said(self, text):
        return wait_until(lambda: text in self.logs(), f"'{text}' in the logs of {self.name}")

    def host_log(self):
        return (self.up.folder / "state" / "log" / "worker.log").read_text(errors="replace")

    def templates(self):
        """Processes: they are in no pid namespace of their own, unlike instances."""
        own = os.readlink("/proc/self/ns/pid")
        told = re.findall(rf'template_ready endpoint="{self.name}" .*pid=(\d+)', self.host_log())
        return [int(pid) for pid in told if alive(int(pid)) and os.readlink(f"/proc/{pid}/ns/pid") == own]

    def template(self):
        return wait_until(self.templates, f"a template of {self.name}")[0]

    def processes(self):
        """Its instances' on this machine."""
        told = re.findall(rf'instance_started endpoint="{self.name}" .*pid=(\d+).*role="serves"', self.host_log())
        return [int(pid) for pid in told if alive(int(pid))]

    def end_instances(self):
        gone = self.processes()
        for pid in gone:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.up.instances(self.name), "they are forgotten")


def alive(pid):
    try:
        return "State:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture
def few(tmp_path, artifacts):
    """A suite of its own, with room for one template."""
    stack = suite.Stack(tmp_path, {"worker": {"templates.limit": 1}})
    stack.start()

    def deploy(name, text=""):
        code = SCRIPT + textwrap.dedent(text)
        stack.serve(name, custom.archive(artifacts, code), model_fields={"runtime": "python", "environment": {"PILOTLIGHT_SNAPSHOT": "1"}}, keep_alive_ms=600000)
        return Served(stack, name)
    yield deploy
    stack.stop()


@pytest.fixture
def serve(up, artifacts, name):
    made = []

    def deploy(text="", name=name, environment=None, **variant):
        code = SCRIPT + textwrap.dedent(text)
        fields = {"runtime": "python", "environment": {"PILOTLIGHT_SNAPSHOT": "1", **(environment or {})}}
        up.serve(name, custom.archive(artifacts, code), model_fields=fields, keep_alive_ms=600000, **variant)
        made.append(name)
        return Served(up, name)
    yield deploy
    for name in made:
        if not up.gone(name):
            up.delete_endpoint(name)


def test_starts_are_copies(serve, counter):
    before = counter("worker_template_starts_total")
    it = serve()
    it.said("template ready")
    pid = it.template()
    assert it.ask("STATE['loaded_in']") == pid  # loaded there and nowhere else
    assert it.ask("(os.getpid(), STATE['after_fork'], float(model[5]))") == (1, 1, 5.0)
    assert counter("worker_template_starts_total") == before + 1


def test_each_draws_its_own_numbers(serve):
    """Of Python's generator, NumPy's and one of the script's own, which after_fork() is for."""
    it = serve("""
    OWN = random.Random(1)
    def after_fork():
        OWN.seed(os.urandom(8))
    """)
    it.template()
    drawn = it.at_once("(random.random(), float(numpy.random.random()), OWN.random(), STATE['nonce'])")
    assert len({nonce for _, _, _, nonce in drawn}) == 1  # they do come from one load
    for which in range(3):
        assert len({one[which] for one in drawn}) == len(drawn), drawn


def namespaces(pid):
    return {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("pid", "mnt", "net", "ipc", "uts", "user")}


def field(pid, name):
    return re.search(rf"^{name}:\s+(\S+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]


def groups(pid):
    return {line.split(":")[1]: line.split(":")[2] for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()}


def test_a_copy_is_as_alone_as_any_instance(up, artifacts, serve):
    it = serve()
    template = it.template()
    it.at_once("1", 2)
    copies = wait_until(lambda: len(it.processes()) >= 2 and it.processes(), "two copies")
    up.serve("loads-itself", custom.archive(artifacts, SCRIPT), model_fields={"runtime": "python"})
    other = Served(up, "loads-itself")
    other.ask("1")
    plain = other.processes()[0]
    own = namespaces("self")
    for pid in copies:
        assert field(pid, "CapEff") == field(pid, "CapPrm") == field(pid, "CapInh") == field(pid, "CapAmb") == "0" * 16
        assert field(pid, "Seccomp") == "2" and field(pid, "NoNewPrivs") == "1"
        for kind, which in namespaces(pid).items():
            assert which != own[kind], kind
            assert which != namespaces(template)[kind] or kind == "user", kind  # in which neither has a right
        limits, expected = (pathlib.Path(f"/proc/{p}/limits").read_text() for p in (pid, plain))
        for line, like in zip(limits.splitlines(), expected.splitlines()):
            assert line == like or line.startswith("Max processes"), line  # those are counted by its control group
    for one, another in [(copies[0], copies[1]), (copies[0], template)]:
        ours, theirs = groups(one), groups(another)
        for controller in ("memory", "pids", ""):
            if "pilotlight" in ours.get(controller, ""):
                assert ours[controller] != theirs[controller]
        assert {k: v for k, v in namespaces(one).items() if k != "user"}.items().isdisjoint(namespaces(another).items())
    up.delete_endpoint("loads-itself")


def test_scratch_is_private_and_nothing_is_shared(serve):
    it = serve("""
    def model_fn(model_dir):
        open("/tmp/of-the-template", "w").write("x")
        STATE["held"] = open("/tmp/of-the-template")
        return numpy.zeros(1)
    """)
    it.template()
    mark = "(os.listdir('/tmp'), open('/tmp/' + os.urandom(4).hex(), 'w').close())[0]"
    assert it.at_once(mark, 2) == [[], []]
    open_now = "[fd for fd in range(64) if not (lambda: ctypes.CDLL(None).fcntl(fd, 1) < 0)()]"
    held = it.ask("(exec('import ctypes', globals()), " + open_now + ")[1]")
    assert set(held) <= {0, 1, 2, 3, 4}, held
    with pytest.raises(grpc.RpcError) as closed:
        it.ask("STATE['held'].read()")
    assert "OSError" in closed.value.details()


ESCAPES = {
    "ptrace": "libc.ptrace(0, 0, 0, 0)",
    "unshare": "libc.unshare(0x10000000)",
    "mount": "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "setuid": "libc.setuid(0)",
    "setns": "libc.setns(3, 0)",
    "bpf": "libc.syscall(321, 0, 0, 0)",
    "open_tree": "libc.syscall(428, -100, b'/', 1)",
    "pidfd_open": "libc.syscall(434, 1, 0)",
    "move_mount": "libc.syscall(429, 3, b'', -100, b'/tmp', 4)",
    "capset": "libc.syscall(126, 0, 0)",
}


@pytest.fixture(scope="module")
def prey(up, artifacts):
    up.serve("prey", custom.archive(artifacts, "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n" + SCRIPT),
             model_fields={"runtime": "python", "environment": {"PILOTLIGHT_SNAPSHOT": "1"}}, keep_alive_ms=600000)
    it = Served(up, "prey")
    it.template()
    return it


@pytest.mark.parametrize("which", ESCAPES)
def test_a_copy_that_means_to_escape_ends(prey, which):
    template = prey.template()
    with pytest.raises(grpc.RpcError) as ended:
        prey.ask(ESCAPES[which])
    assert "killed by signal 31" in ended.value.details()
    assert prey.ask("STATE['loaded_in']") == template  # which is unhurt, and makes the next


@pytest.mark.parametrize("attempt", [
    "libc.syscall(56, 0x6C029000, 0, 0, 0, 0)",  # clone() as the template may
    "libc.syscall(56, 17, 0, 0, 0, 0)", "libc.fork()", "libc.kill(2, 0)", "libc.socket(2, 1, 0)", "libc.sched_setaffinity(2, 8, bytes(8))"])
def test_what_a_copy_may_not_do_is_refused(prey, attempt):
    assert prey.ask(f"({attempt}, ctypes.get_errno())") in [(-1, 1), (-1, 3)]


def test_a_copy_has_its_own_memory_limit(prey):
    template = prey.template()
    with pytest.raises(grpc.RpcError) as ended:
        prey.ask("numpy.ones(160 << 20).sum()")
    assert "memory limit 1024 MB" in ended.value.details()
    assert prey.ask("STATE['loaded_in']") == template


def test_a_template_that_dies_is_made_again(serve, counter):
    it = serve()
    first = it.template()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not it.templates(), "it is gone")
    assert it.ask("STATE['loaded_in']") == 1  # by itself, meanwhile
    copies = counter("worker_template_starts_total")

    def another():
        it.end_instances()
        it.ask("1")
        return [pid for pid in it.templates() if pid != first]
    second = wait_until(another, "another template")[0]
    it.end_instances()
    assert it.ask("STATE['loaded_in']") == second
    assert counter("worker_template_starts_total") > copies


def test_a_template_that_dies_with_copies_alive(serve):
    it = serve()
    os.kill(it.ask("STATE['loaded_in']"), signal.SIGKILL)
    wait_until(lambda: not it.templates(), "it is gone")
    assert it.ask("float(model[7])") == 7.0


@pytest.mark.parametrize("load, reason", [
    ("import threading\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()", "left 2 threads running"),
    ("import mmap\nSTATE['m'] = mmap.mmap(-1, 4096)\nSTATE['m'][0] = 1", "memory that its instances would share")])
def test_what_cannot_be_copied_is_not(serve, load, reason):
    """And its instances come up all the same."""
    it = serve("def model_fn(model_dir):\n" + textwrap.indent(load, "    ") + "\n    return 1")
    it.said("no template for this model")
    assert reason in it.logs()
    assert it.ask("os.getpid()") == 1
    it.end_instances()
    assert it.ask("os.getpid()") == 1 and it.templates() == []


def test_what_cannot_be_copied_takes_nobodys_place(few):
    few("threads", """
        def model_fn(model_dir):
            import threading
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        """).said("no template for this model")
    few("copies").said("template ready")


def test_a_template_that_attacks(up, serve):
    """In a template it makes processes as only a template may, some that end and some that stay, and ends. Nothing of it is left."""
    it = serve("""
    import ctypes
    def model_fn(model_dir):
        if os.getpid() != 1:
            for i in range(2):
                if ctypes.CDLL(None).syscall(56, 0x6C029000, 0, ctypes.byref(ctypes.c_int()), 0, 0) == 0:
                    if i % 2:
                        os._exit(0)
                    time.sleep(1000)
            os._exit(3)
        return 1
    """)
    worker = up.pid("worker")
    wait_until(lambda: f'template_died endpoint="{it.name}"' in it.host_log(), "its end is noticed")
    assert it.ask("os.getpid()") == 1

    def strangers():
        """Processes under the worker, the dead ones too, that have a template's name and are none."""
        known = set(map(int, re.findall(r"instance_started .*pid=(\d+)", it.host_log())))
        return [pid for pid, (parent, name, state) in suite.parents().items() if parent == worker and name == "pl-template" and pid not in known]
    wait_until(lambda: not strangers(), "all that it has made is gone")
    assert up.pid("worker") == worker


@pytest.mark.parametrize("attempt", ["libc.kill(victim, 9)", "libc.sched_setaffinity(victim, 8, bytes([1]) + bytes(7))", "libc.syscall(270 + 32, victim, 7, None, bytes(16))"])
def test_a_template_cannot_touch_others(up, artifacts, serve, attempt):
    """It shares the host's process ids, so it can name other processes; it must not be able to do anything with them."""
    up_name = "victim-" + str(abs(hash(attempt)) % 1000)
    up.serve(up_name, custom.archive(artifacts, SCRIPT), model_fields={"runtime": "python"}, keep_alive_ms=600000)
    other = Served(up, up_name)
    other.ask("1")
    victim = other.processes()[0]
    it = serve(f"""
    import ctypes
    def model_fn(model_dir):
        libc, victim = ctypes.CDLL(None, use_errno=True), {victim}
        if os.getpid() != 1:
            STATE["told"] = ({attempt}, ctypes.get_errno())
        return 1
    """)
    it.template()
    assert it.ask("STATE['told']") == (-1, 1)
    assert alive(victim) and other.ask("os.getpid()") == 1
    up.delete_endpoint(up_name)


def test_one_for_each_endpoint(up, artifacts, serve, name):
    """Of one model and one archive, each with its own environment."""
    first, second = serve(name=name + "-a", environment={"WHO": "first"}), serve(name=name + "-b", environment={"WHO": "second"})
    assert first.template() != second.template()
    assert first.ask("(STATE['loaded_in'], os.environ['WHO'])") == (first.template(), "first")
    assert second.ask("(STATE['loaded_in'], os.environ['WHO'])") == (second.template(), "second")


def test_an_update_ends_it(up, artifacts, serve, name):
    it = serve()
    old = it.template()
    assert it.ask("STATE['loaded_in']") == old
    up.create_model(name + "-2", custom.archive(artifacts, SCRIPT + "\nVERSION = 2\n"), runtime="python", environment={"PILOTLIGHT_SNAPSHOT": "1"})
    up.create_config(name + "-2", suite.variant_of(name + "-2", keep_alive_ms=600000))
    up.endpoints.UpdateEndpoint(name=name, endpoint_config_name=name + "-2")
    assert up.settled(name)[1] == "IN_SERVICE"
    wait_until(lambda: not alive(old), "the old template has ended")
    wait_until(lambda: it.templates(), "there is one of the new model")
    it.end_instances()
    assert it.ask("(VERSION, STATE['loaded_in'])") == (2, it.template())


def test_it_ends_with_its_endpoint(up, serve, name):
    it = serve()
    pid = it.template()
    up.delete_endpoint(name)
    wait_until(lambda: not alive(pid), "its template is gone")


def test_it_counts_as_memory(up, serve, counter):
    it = serve("def model_fn(model_dir):\n    return numpy.ones(32 << 20)")
    it.template()
    wait_until(lambda: counter("worker_memory_used_bytes") > 256 << 20, "the 256 MiB of its model are counted")
    shared = it.at_once("float(model[9])", 3)
    assert shared == [1.0] * 3
    private = [int(re.search(r"Private_Dirty:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text())[1]) for pid in it.processes()]
    assert len(private) == 3 and max(private) < 64 << 10, private  # KiB: the model is not among it


def test_without_the_variable_there_is_none(serve, counter):
    it = serve(environment={"PILOTLIGHT_SNAPSHOT": "0"})
    copies = counter("worker_template_starts_total")
    assert it.ask("(os.getpid(), STATE['loaded_in'], STATE['after_fork'])") == (1, 1, 0)
    assert counter("worker_template_starts_total") == copies and it.templates() == []
