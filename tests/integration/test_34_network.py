"""The way out of the sandbox, for those endpoints whose operator allows it (network.allow), and for nobody else.

Everything is real but the outside, which is a server of the test on 127.0.0.1: an address that has to be named itself.
"""
import concurrent.futures
import http.server
import os
import pathlib
import re
import shutil
import signal
import socket
import tempfile
import threading
import urllib.request

import grpc
import pytest

import custom
import models
import suite
from suite import wait_until

# Asked for an expression, it says what that is worth.
SCRIPT = """
import http.client, json, os, socket, urllib.error, urllib.request

def model_fn(model_dir):
    return 1

def input_fn(body, content_type):
    return body.decode() if isinstance(body, bytes) else body

def get(url, data=None, headers={}):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)

def tunnel(host, port, path="/tunnel", bytes_=None):
    link = http.client.HTTPConnection("127.0.0.1", 3128, timeout=20)
    try:
        link.set_tunnel(host, port)
        link.request("POST" if bytes_ else "GET", path, bytes_)
        answer = link.getresponse()
        return answer.status, answer.read().decode()
    except OSError as error:
        return 0, str(error)
    finally:
        link.close()

def raw(text):
    with socket.create_connection(("127.0.0.1", 3128), 20) as link:
        link.sendall(text.encode("latin-1"))
        out = b""
        while piece := link.recv(65536):
            out += piece
        return out.decode()

def predict_fn(data, model):
    return repr(eval(data, globals(), {}))

def output_fn(prediction, accept):
    return prediction, "text/plain"
"""


class Outside(http.server.BaseHTTPRequestHandler):
    """Says what it was asked, as the proxy passed it on."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if self.path == "/large":
            text = b"x" * (4 << 20)
        else:
            seen = {k: self.headers.get(k) for k in ("Host", "Connection", "Proxy-Authorization", "X-Mine")}
            text = repr((self.command, self.path, len(body), seen)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def outside():
    """Its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Outside)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def up(tmp_path_factory, outside):
    allowed = [f"free*=127.0.0.1:{outside}", f"free*=localhost:{outside + 1}", "free*=no-such-name.invalid:80", "wide=*:*"]
    running = suite.Up(tmp_path_factory.mktemp("up"), "--set", "router.keep_alive=60s", "--set", f"worker.network.allow={','.join(allowed)}",
                       "--set", "worker.network.connections=4", "--set", "worker.network.memory_size_mb=600", "--set", "worker.network.idle=8s").start()
    yield running
    code = running.stop()
    assert code == 0, f"pilotlight up ended with {code}:\n{running.program.tail()}\n{running.logs()}"


@pytest.fixture(scope="module")
def serve(up, artifacts):
    """Deploys the script once under each name; returns what asks it."""
    made = set()

    def deploy(name, environment=None):
        if name not in made:
            up.serve(name, custom.archive(artifacts, SCRIPT), model_fields={"runtime": "python", "environment": environment or {}})
            made.add(name)
        return lambda expression: eval(up.invoke(name, expression.encode(), content_type="text/plain").body)
    return deploy


@pytest.fixture(scope="module")
def free(serve):
    """What a model says of its environment stays; here, that 127.0.0.1 is no place of its own."""
    return serve("free", {"no_proxy": "nothing.invalid", "NO_PROXY": "nothing.invalid"})


def counted(up, series):
    with urllib.request.urlopen(f"http://{up.admin('worker')}/metrics", timeout=suite.PATIENCE) as page:
        return float(re.search(rf"^pilotlight_worker_network_{re.escape(series)} (\S+)$", page.read().decode(), re.M)[1])


def logs(up, name):
    return suite.command("logs", name, server=up.base).stdout


def egress(up):
    """The process that leads out."""
    return [pid for pid, (parent, name, state) in suite.parents().items() if parent == up.pid("worker") and name == "pl-egress" and state != "Z"]


def test_libraries_that_know_proxies_just_work(free, outside):
    status, text = free(f"get('http://127.0.0.1:{outside}/a?b=c', headers={{'X-Mine': 'yes', 'Proxy-Authorization': 'secret'}})")
    method, path, body, seen = eval(text)
    assert (status, method, path, body) == (200, "GET", "/a?b=c", 0)
    assert seen == {"Host": f"127.0.0.1:{outside}", "Connection": "close", "Proxy-Authorization": None, "X-Mine": "yes"}
    assert eval(free(f"get('http://127.0.0.1:{outside}/in', b'x' * 300000)")[1])[:3] == ("POST", "/in", 300000)


def test_tunnels(free, outside):
    """CONNECT, which is what a client makes of https://."""
    status, text = free(f"tunnel('127.0.0.1', {outside})")
    assert status == 200 and eval(text)[:2] == ("GET", "/tunnel")
    assert eval(free(f"tunnel('127.0.0.1', {outside}, bytes_=b'y' * 500000)")[1])[2] == 500000
    assert free(f"(lambda answer: (answer[0], len(answer[1])))(tunnel('127.0.0.1', {outside}, '/large'))") == (200, 4 << 20)


def test_certificates_are_there(free):
    """Those that the host believes, for https:// inside of a tunnel."""
    ask = "__import__('ssl').create_default_context().cert_store_stats()"
    assert free(ask) == eval(ask)


REFUSED = {
    "another port": ("get('http://127.0.0.1:{other}/')", "'free' may not reach 127.0.0.1:{other}: no entry of network.allow says so"),
    "another name": ("tunnel('example.com', 443)", "'free' may not reach example.com:443: no entry of network.allow says so"),
    "a name for this host": ("tunnel('localhost', {next})", "127.0.0.1 is loopback, and no entry of network.allow has this very address"),
    "the same, written otherwise": ("tunnel('2130706433', {outside})", "no entry of network.allow says so"),
    "metadata": ("get('http://169.254.169.254/latest/meta-data/')", "no entry of network.allow says so"),
}


@pytest.mark.parametrize("which", REFUSED)
def test_what_is_not_allowed(up, free, outside, which):
    asked, why = (text.format(other=outside + 2, next=outside + 1, outside=outside) for text in REFUSED[which])
    before = counted(up, 'connections_total{result="refused"}')
    status, text = free(asked)
    assert why in text and (status == 403 or "403" in text)  # as urllib and http.client tell it
    wait_until(lambda: counted(up, 'connections_total{result="refused"}') == before + 1, "it is counted")
    assert "pilotlight: network: " in logs(up, "free") and why in logs(up, "free")


@pytest.mark.parametrize("host, what", [("127.0.0.1", "loopback"), ("127.1", "loopback"), ("0.0.0.0", "the host itself"), ("169.254.169.254", "link-local"), ("[::1]", "loopback"),
                                        ("[::ffff:127.0.0.1]", "loopback"), ("[64:ff9b::a9fe:a9fe]", "link-local"), ("224.0.0.1", "multicast")])
def test_a_star_is_not_the_host(serve, outside, host, what):
    """Nor its link, nor a cloud's metadata: those have to be named."""
    status, text = serve("wide")(f"tunnel('{host}', {outside})")
    assert "403" in text and what in text


def own_addresses():
    """Of this machine, besides loopback."""
    table = pathlib.Path("/proc/net/fib_trie").read_text()
    return sorted(address for address in set(re.findall(r"\|-- (\S+)\s+/32 host LOCAL", table)) if not address.startswith("127."))


@pytest.mark.skipif(not own_addresses(), reason="this machine has no address but loopback")
def test_nor_by_another_address_of_it(serve, outside):
    assert "an address of this host" in serve("wide")(f"tunnel('{own_addresses()[0]}', {outside})")[1]


def test_what_cannot_be_reached(free):
    status, text = free("get('http://no-such-name.invalid/')")
    assert status == 502 and "cannot find no-such-name.invalid" in text


@pytest.mark.parametrize("text, status", [
    ("GET / HTTP/1.1\\r\\n\\r\\n", 400), ("GET https://example.com/ HTTP/1.1\\r\\n\\r\\n", 501), ("CONNECT example.com HTTP/1.1\\r\\n\\r\\n", 400), ("nonsense\\r\\n\\r\\n", 400),
    ("GET http://a:b@127.0.0.1/ HTTP/1.1\\r\\n\\r\\n", 400), ("GET http://x/ HTTP/1.1\\nHost: x\\n\\n", 400), ("GET http://x/ HTTP/1.1\\r\\n" + "A: b\\r\\n" * 2000, 431)])
def test_what_is_no_request(free, text, status):
    assert free(f"raw('{text}')").startswith(f"HTTP/1.1 {status} ")


def test_connections_are_limited(free, outside):
    """network.connections of one instance; who waits in vain hears why."""
    said = free("""(lambda links: ([link.sendall(b'') for link in links[:4]], links[4].settimeout(20), links[4].recv(1000).decode(), [link.close() for link in links])[2])(
        [socket.create_connection(('127.0.0.1', 3128)) for _ in range(5)])""")
    assert said.startswith("HTTP/1.1 503 ") and "4 connections already, which is network.connections" in said
    assert free(f"get('http://127.0.0.1:{outside}/after')")[0] == 200


@pytest.mark.slow
def test_a_silent_connection_ends(up, free, outside):
    """network.idle"""
    silent = (f"(lambda link: (link.sendall(b'CONNECT 127.0.0.1:{outside} HTTP/1.1\\r\\n\\r\\n'), link.recv(1000).decode().split()[1], link.settimeout(20), link.recv(1)))"
              "(socket.create_connection(('127.0.0.1', 3128)))")
    assert free(silent)[1::2] == ("200", b"")


def test_an_end_frees_what_it_had(up, free, outside):
    free(f"[globals().setdefault('held', []).append(socket.create_connection(('127.0.0.1', 3128))) for _ in range(2)] and [h.sendall(b'CONNECT 127.0.0.1:{outside} HTTP/1.1\\r\\n\\r\\n') for h in held] and [h.recv(1000) for h in held]")
    wait_until(lambda: counted(up, "connections") == 2, "both are open")
    def open_files():
        return len(os.listdir(f"/proc/{egress(up)[0]}/fd"))
    before = open_files()
    with pytest.raises(grpc.RpcError):
        free("os._exit(0)")
    wait_until(lambda: counted(up, "connections") == 0, "both have ended")
    wait_until(lambda: open_files() <= before - 4, "two pairs are closed; another instance may listen by now")
    assert free(f"get('http://127.0.0.1:{outside}/next')")[0] == 200


# ---- everybody else ----

def test_nobody_else_has_a_way(serve):
    """Not even a socket; nor a word of it in the environment."""
    other = serve("unfree")
    assert other("get('http://127.0.0.1:3128/')") == (0, "<urlopen error [Errno 1] Operation not permitted>")
    assert "not permitted" in other("tunnel('127.0.0.1', 80)")[1]
    assert other("[name for name in os.environ if 'proxy' in name.lower()]") == []


def test_an_http_program_without_permission(up, artifacts, outside):
    """It has sockets, of a network with nothing on it: not the proxy of its neighbour either."""
    up.serve("closed", custom.archive(artifacts, custom.script("server.py"), program="serve", executable=True), model_fields={"runtime": "http"})
    for port in (3128, outside):
        assert b"refused" in up.invoke("closed", b"connect %d" % port).body


def test_an_http_program_with_permission(up, artifacts, outside):
    up.serve("free-program", custom.archive(artifacts, custom.script("server.py"), program="serve", executable=True), model_fields={"runtime": "http"})
    assert up.invoke("free-program", b"connect 3128").body == b"connected"
    assert b"refused" in up.invoke("free-program", b"connect %d" % outside).body  # only through the proxy
    assert up.invoke("free-program", b"through %d" % outside).body.startswith(b"HTTP/1.1 200")


def test_an_instance_is_as_locked_in_as_before(up, free):
    """No interface but loopback, no raw sockets, no netlink; and the process that leads out has no rights either."""
    free("1")
    for pid in up.runners():
        assert re.findall(r"^ *(\S+):", pathlib.Path(f"/proc/{pid}/net/dev").read_text(), re.M) == ["lo"]
    for family, kind in [(17, 3), (16, 3), (2, 3)]:
        with pytest.raises(grpc.RpcError) as refused:
            free(f"socket.socket({family}, {kind}, 255)")
        assert "not permitted" in refused.value.details()
    status = pathlib.Path(f"/proc/{egress(up)[0]}/status").read_text()
    assert re.search(r"^CapEff:\s+0+$", status, re.M) and re.search(r"^Seccomp:\s+2$", status, re.M) and re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    own = pathlib.Path("/proc/self/status").read_text()
    assert re.search(r"^Uid:\s+(\d+)", status, re.M)[1] != re.search(r"^Uid:\s+(\d+)", own, re.M)[1]


@pytest.mark.skipif(os.getuid() != 0, reason="needs control groups")
def test_what_it_costs_is_bounded(up, free, outside):
    """Memory and CPU of the process that works for all of them are limited by control groups of its own, as an instance's are."""
    groups = dict(line.split(":")[1:] for line in pathlib.Path(f"/proc/{egress(up)[0]}/cgroup").read_text().splitlines())
    others = dict(line.split(":")[1:] for line in pathlib.Path(f"/proc/{up.pid('worker')}/cgroup").read_text().splitlines())
    for controller, name, limit in [("memory", "memory.limit_in_bytes", 600 << 20), ("pids", "pids.max", 32)]:
        if "pilotlight" not in groups.get(controller, ""):
            pytest.skip("this host has no control groups of version 1")
        assert groups[controller] != others[controller]
        assert int(pathlib.Path(f"/sys/fs/cgroup/{controller}{groups[controller]}/{name}").read_text()) == limit
    cpu = next(pathlib.Path(f"/sys/fs/cgroup/cpu{path}") for controllers, path in groups.items() if "cpu" in controllers.split(","))
    quota, period = (int((cpu / f"cpu.cfs_{what}_us").read_text()) for what in ("quota", "period"))
    assert abs(quota / period - 600 / 1769) < 0.01
    before = int((cpu / "cpuacct.usage").read_text()) if (cpu / "cpuacct.usage").exists() else None
    assert free(f"len(get('http://127.0.0.1:{outside}/large')[1])") == 4 << 20
    assert before is None or int((cpu / "cpuacct.usage").read_text()) > before


@pytest.mark.parametrize("call", ["ptrace(0, 0, 0, 0)", "unshare(0x40000000)", "setns(3, 0)", "mount(b'none', b'/tmp', b'tmpfs', 0, None)"])
def test_nor_may_it_do_more(free, call):
    with pytest.raises(grpc.RpcError) as ended:
        free(f"__import__('ctypes').CDLL(None).{call}")
    assert "killed by signal 31" in ended.value.details()


def test_a_template_is_refused(up, serve):
    """Copies would share the connections that are open."""
    ask = serve("free-template", {"PILOTLIGHT_SNAPSHOT": "1"})
    assert ask("os.getpid()") == 1
    wait_until(lambda: "no template for this model" in logs(up, "free-template") and "network.allow" in logs(up, "free-template"), "it is said where people look")


def test_the_process_dies(up, free, outside):
    """The next one gets the sockets of all instances that live, and the same limits."""
    free("1")
    old = egress(up)[0]
    groups = pathlib.Path(f"/proc/{old}/cgroup").read_text()
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: egress(up) and egress(up) != [old], "there is another")
    assert pathlib.Path(f"/proc/{egress(up)[0]}/cgroup").read_text().count("pilotlight") == groups.count("pilotlight")
    instances = [one.id for one in up.instances("free")]
    assert free(f"get('http://127.0.0.1:{outside}/again')")[0] == 200 and [one.id for one in up.instances("free")] == instances


def test_many_at_a_time(free, outside):
    """Each as if it were alone."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: free(f"get('http://127.0.0.1:{outside}/{i}', b'z' * 100000)"), range(12)))
    assert [eval(text)[1:3] for _, text in answers] == [(f"/{i}", 100000) for i in range(12)]


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give up its rights")
def test_a_worker_without_rights(outside):
    """User namespaces do for it what root's rights do: the listening socket is made inside, and handed out."""
    nobody = 65534
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)
        state = pathlib.Path(folder, "up")
        state.mkdir()
        os.chown(state, nobody, nobody)
        artifact = pathlib.Path(folder, "model.tar.gz")
        running = suite.Up(state, "--set", f"worker.network.allow=free=127.0.0.1:{outside}",
                           prefix=("setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups", "--inh-caps=-all")).start()
        try:
            shutil.copy(custom.archive(models.Artifacts(pathlib.Path(folder)), SCRIPT).removeprefix("file://"), artifact)
            os.chmod(artifact, 0o644)
            running.serve("free", f"file://{artifact}", model_fields={"runtime": "python", "environment": {"no_proxy": "-", "NO_PROXY": "-"}})
            asked = f"[get('http://127.0.0.1:{outside}/x')[0], get('http://127.0.0.1:{outside + 2}/x')[0]]"
            assert running.invoke("free", asked.encode(), content_type="text/plain").body == b"[200, 403]"
        finally:
            assert running.stop() == 0, running.logs()
