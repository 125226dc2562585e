"""The gateway as an HTTP server: who may come in, what is refused before it costs anything, and who cannot stop it."""
import concurrent.futures
import contextlib
import datetime
import http.client
import json
import resource
import socket
import threading
import time
import urllib.request

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

import aws as clients
import suite
from aws import Aws, credentials
from suite import wait_until


def minutes_from_now(minutes):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)


@pytest.fixture(scope="module")
def aws(up):
    return Aws(up)


# ---- signatures ----

def test_a_signed_call_is_served(aws):
    status, body, headers = aws.target("ListModels", {})
    assert (status, body) == (200, {"Models": []})
    assert headers["content-type"] == "application/x-amz-json-1.1" and len(headers["x-amzn-requestid"]) == 36


JSON_REFUSALS = {
    "missing": ({"service": None}, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    "unknown key": ({"key": "PLNOBODY"}, "UnrecognizedClientException", "security token included in the request is invalid"),
    "wrong secret": ({"secret": "not-the-secret"}, "InvalidSignatureException", "signature we calculated does not match"),
    "another body": ({"sent": b'{"MaxResults": 5}'}, "InvalidSignatureException", "signature we calculated does not match"),
    "old": ({"minutes": -16}, "InvalidSignatureException", "Signature expired: "),
    "early": ({"minutes": 16}, "InvalidSignatureException", "Signature not yet current: "),
    "another service": ({"service": "monitoring"}, "InvalidSignatureException", "scoped to correct service: 'sagemaker'"),
}


@pytest.mark.parametrize("case", JSON_REFUSALS)
def test_signatures_that_are_refused(aws, case):
    signing, code, text = JSON_REFUSALS[case]
    if "minutes" in signing:
        signing = {"when": minutes_from_now(signing["minutes"])}
    status, body, _ = aws.target("ListModels", {}, **signing)
    assert status == 403 and body["__type"] == code and text in body["message"]


def test_within_the_clock_skew_is_fine(aws):
    for minutes in (-14, 14):
        assert aws.target("ListModels", {}, when=minutes_from_now(minutes))[0] == 200


def test_a_signature_is_good_for_one_request(aws):
    """Sent again it is the same request, as with AWS; on another body, path or operation it is none."""
    body, headers = b'{"MaxResults": 5}', {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.ListModels"}
    signed = aws.signed("POST", "/", body, headers)
    assert [aws.request("POST", "/", body, signed, service=None)[0] for _ in range(2)] == [200, 200]
    for method, path, other, change in (("POST", "/", b'{"MaxResults": 6}', {}), ("POST", "/endpoints/x/invocations", body, {}), ("POST", "/?a=b", body, {}),
                                        ("POST", "/", body, {"X-Amz-Target": "SageMaker.ListEndpoints"}), ("POST", "/", body, {"Host": "elsewhere"}), ("PUT", "/b", body, {})):
        status, _, out = aws.request(method, path, other, {**signed, **change}, service=None)
        assert status == 403 and (b"InvalidSignatureException" in out or b"SignatureDoesNotMatch" in out or b"calculated does not match" in out), (method, path, other, change, out)


@pytest.mark.parametrize("authorization, why", [
    ("Bearer x", "requires the algorithm 'AWS4-HMAC-SHA256'"),
    ("AWS4-HMAC-SHA256 SignedHeaders=host, Signature=" + "0" * 64, "requires 'Credential' parameter"),
    ("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=" + "0" * 64, "Credential must be"),
    ("AWS4-HMAC-SHA256 Credential=a/20260101/r/s/aws4_request, SignedHeaders=content-type, Signature=" + "0" * 64, "'host' must be one"),
    ("AWS4-HMAC-SHA256 Credential=a/20260101/r/s/aws4_request, SignedHeaders=host, Signature=xyz", "Signature must be 64"),
    ("AWS4-HMAC-SHA256 Credential=a/20260101/r/s/aws4_request, SignedHeaders=host, Signature=" + "0" * 64, "'X-Amz-Date' or a 'Date'"),
])
def test_authorizations_that_cannot_be_read(aws, authorization, why):
    status, _, body = aws.request("POST", "/", b"{}", {"Authorization": authorization, "X-Amz-Target": "SageMaker.ListModels"}, service=None)
    out = json.loads(body)
    assert status == 403 and out["__type"] == "IncompleteSignatureException" and why in out["message"]


def test_a_header_of_ours_that_was_not_signed_is_refused(aws):
    headers = aws.signed("POST", "/", b"{}", {"Content-Type": "application/x-amz-json-1.1"})
    headers["X-Amz-Target"] = "SageMaker.ListModels"
    status, _, body = aws.request("POST", "/", b"{}", headers, service=None)
    assert status == 403 and "X-Amz-Target is there but was not signed" in json.loads(body)["message"]


def test_errors_have_the_form_of_their_protocol(aws):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, headers, body = aws.request("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", form, service="sts", secret="x" * 8)
    assert status == 403 and headers["content-type"] == "text/xml" and b"<Code>SignatureDoesNotMatch</Code>" in body
    status, headers, body = aws.request("POST", "/endpoints/x/invocations", b"1", secret="x" * 8)
    assert status == 403 and headers["x-amzn-errortype"] == "InvalidSignatureException" and "Message" in json.loads(body)
    status, headers, body = aws.request("GET", "/some-bucket", service=None)
    assert status == 403 and headers["content-type"] == "application/xml" and b"<Code>AccessDenied</Code>" in body
    status, _, body = aws.request("GET", "/some-bucket", service="s3", key="PLNOBODY")
    assert status == 403 and b"<Code>InvalidAccessKeyId</Code>" in body
    status, _, body = aws.request("GET", "/some-bucket", service="s3", when=minutes_from_now(-20))
    assert status == 403 and b"<Code>RequestTimeTooSkewed</Code>" in body


def test_keys_come_and_go_without_a_restart(up, aws):
    key, secret = clients.credentials(up, "create", "--note", "for a test")
    assert aws.target("ListModels", {}, key=key, secret=secret)[0] == 200
    assert suite.command("credentials", "disable", key, "--state", up.folder / "state").returncode == 0
    wait_until(lambda: aws.target("ListModels", {}, key=key, secret=secret)[1].get("__type") == "UnrecognizedClientException", "the key is disabled")
    assert suite.command("credentials", "enable", key, "--state", up.folder / "state").returncode == 0
    wait_until(lambda: aws.target("ListModels", {}, key=key, secret=secret)[0] == 200, "the key is enabled")
    listed = json.loads(suite.command("credentials", "list", "--state", up.folder / "state", "-o", "json").stdout)
    assert {"accessKeyId": key, "use": "all", "disabled": False, "note": "for a test"} in listed
    assert not any("secretAccessKey" in k for k in listed)
    assert (up.folder / "state" / "credentials.json").stat().st_mode & 0o777 == 0o600


def test_a_key_for_artifacts_reads_objects_and_nothing_else(up, aws):
    key, secret = clients.credentials(up, "create", "--use", "artifacts")
    status, body, _ = aws.target("ListModels", {}, key=key, secret=secret)
    assert status == 403 and body["__type"] == "AccessDeniedException" and "may only read artifacts" in body["message"]
    aws.s3.create_bucket(Bucket="for-workers")
    aws.s3.put_object(Bucket="for-workers", Key="k", Body=b"v")
    assert aws.request("GET", "/for-workers/k", headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, service="s3", key=key, secret=secret)[2] == b"v"
    status, _, body = aws.request("PUT", "/for-workers/k", b"w", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, service="s3", key=key, secret=secret)
    assert status == 403 and b"<Code>AccessDenied</Code>" in body


def test_preset_keys_and_unsigned_calls(tmp_path):
    env = {"PILOTLIGHT_ACCESS_KEY_ID": "MYOWNKEY", "PILOTLIGHT_SECRET_ACCESS_KEY": "my-own-secret"}
    up = suite.Up(tmp_path, "--set", "gateway.allow_unauthenticated=true", env=env).start()
    try:
        aws = Aws(up, key=("MYOWNKEY", "my-own-secret"))
        assert aws.target("ListModels", {})[0] == 200
        assert aws.target("ListModels", {}, service=None)[0] == 200
        assert aws.target("ListModels", {}, secret="wrong-secret")[0] == 403  # what is signed must be signed well
    finally:
        assert up.stop() == 0


# ---- before control and router are there ----

class Gateway(suite.Api):
    """A gateway alone, whose control and router come later or never."""

    def __init__(self, folder, **settings):
        super().__init__(suite.free_base_port())
        self.folder = folder
        config = folder / "gateway.yaml"
        config.write_text(suite.to_yaml({"listen": [f"127.0.0.1:{self.base}"], "admin_listen": self.admin("gateway"), "control": self.address("control"),
                                         "router": self.address("router"), "credentials_file": str(folder / "state" / "credentials.json"),
                                         "s3.directory": str(folder / "buckets"), **settings}))
        (folder / "state").mkdir()
        self.key = credentials(self, "create")
        self.program = suite.Program([suite.BIN / "pilotlight-gateway", "--config", config], folder / "gateway.log")
        wait_until(lambda: self.program.said("listening"), "the gateway listens")


def test_the_first_calls_wait_for_control(tmp_path):
    gateway = Gateway(tmp_path, upstream_connect_timeout="60s")
    aws = Aws(gateway, key=gateway.key)
    try:
        with concurrent.futures.ThreadPoolExecutor(9) as pool:
            early = [pool.submit(aws.target, "ListModels", {}) for _ in range(8)]
            wait_until(lambda: metric(gateway, "pilotlight_gateway_calls_total") == 8, "all wait")
            assert not any(f.done() for f in early)
            stack = suite.Stack(tmp_path)
            stack.base = gateway.base
            stack.settings["control"].update({"listen": [gateway.address("control")], "admin_listen": gateway.admin("control")})
            stack.start("control")
            assert [f.result()[0] for f in early] == [200] * 8
            # Once more when it has gone: the next one comes back to the same place.
            stack.kill("control")
            stack.start("control", wait=False)
            assert aws.target("ListModels", {})[0] in (200, 503)
            wait_until(lambda: aws.target("ListModels", {})[0] == 200, "it is found again")
            assert stack.stop() == {"control": 0}
    finally:
        assert gateway.program.stop() == 0


def test_who_cannot_be_reached_is_said(tmp_path):
    gateway = Gateway(tmp_path, upstream_connect_timeout="1s")
    aws = Aws(gateway, key=gateway.key)
    try:
        started = time.monotonic()
        status, body, _ = aws.target("ListModels", {})
        assert time.monotonic() - started >= 1
        assert (status, body["__type"]) == (503, "ServiceUnavailable")
        assert body["message"] == "control cannot be reached (waited 1000 ms for it, upstream_connect_timeout); try again later"
        status, headers, body = aws.request("POST", "/endpoints/any/invocations", b"1")
        assert (status, headers["x-amzn-errortype"]) == (503, "ServiceUnavailable")
        assert json.loads(body)["Message"] == "the router cannot be reached (waited 1000 ms for it, upstream_connect_timeout); try again later"
    finally:
        assert gateway.program.stop() == 0


def test_a_gateway_ends_though_calls_wait(tmp_path):
    gateway = Gateway(tmp_path, upstream_connect_timeout="60s", drain_timeout="1s")
    aws = Aws(gateway, key=gateway.key)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(aws.target, "ListModels", {})
        wait_until(lambda: metric(gateway, "pilotlight_gateway_calls_total") == 1, "it waits")
        assert gateway.program.stop() == 0
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert waiting.result()[0] == 503


def metric(api, name):
    with urllib.request.urlopen(f"http://{api.admin('gateway')}/metrics", timeout=10) as page:
        return float(next(line.rpartition(" ")[2] for line in page.read().decode().splitlines() if line.startswith(name)))


# ---- calls that are none ----

def test_unknown_operations(aws):
    status, body, _ = aws.target("CreateTrainingJob", {})
    assert (status, body["__type"]) == (400, "UnknownOperationException") and "SageMaker.CreateTrainingJob" in body["message"]
    for target in ("Nobody.Knows", "SageMaker", "SageMaker.", ".", "SageMaker.ListModels.x"):
        status, _, body = aws.request("POST", "/", b"{}", {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"})
        assert status == 400 and json.loads(body)["__type"] == "UnknownOperationException"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for text in (b"Action=Nothing&Version=2011-06-15", b"Action=GetCallerIdentity&Version=1999-01-01", b"", b"Version=2011-06-15"):
        status, _, body = aws.request("POST", "/", text, form, service="sts")
        assert status == 400 and b"<Code>InvalidAction</Code>" in body
    status, headers, body = aws.request("POST", "/endpoints/x/something", b"")
    assert status == 400 and headers["x-amzn-errortype"] == "UnknownOperationException"


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'{"a":1,"a":2}', b'{"a":"\xff"}', b'{"a":"\\ud800"}', b"{} x", b'{"ModelName": 5}',
                                  b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", b"[" * 100000, b'{"ModelName": "a\\u0000b"}'])
def test_bodies_that_are_not_json(aws, body):
    status, out, _ = aws.target("DescribeModel", body)
    assert (status, out["__type"]) == (400, "SerializationException") and out["message"]


@pytest.mark.parametrize("form", [b"Action=A&Action=B", b"a.member.2=x&Action=A", b"a=%ff", b"a.b.c.d.e.f.g.h.i.j.k.l.m.n=1", b"a=1&a.b=2", b".=1", b"x.entry.1.key=a",
                                  b"&".join(b"p%d=1" % i for i in range(10001))])
def test_bodies_that_are_not_forms(aws, form):
    status, _, body = aws.request("POST", "/", form, {"Content-Type": "application/x-www-form-urlencoded"}, service="sts")
    assert status == 400 and b"<Code>MalformedQueryString</Code>" in body


# ---- sizes ----

def start_of(aws, method, path, length, service="sagemaker", extra="", **signed):
    headers = aws.signed(method, path, b"", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", **signed}, service=service)
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items() if k.lower() != "host")
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{aws.up.base}\r\n{lines}Content-Length: {length}\r\n{extra}\r\n".encode()


@pytest.mark.parametrize("path, service, what", [("/endpoints/x/invocations", "sagemaker", b"oversize body. It has 10000000000 bytes, the limit is 6291456 bytes"),
                                                 ("/", "sagemaker", b"larger than 1048576 bytes"), ("/for-size/key", "s3", b"EntityTooLarge")])
def test_oversize_bodies_are_refused_before_they_come(aws, path, service, what):
    if service == "s3":
        with contextlib.suppress(aws.s3.exceptions.BucketAlreadyOwnedByYou):
            aws.s3.create_bucket(Bucket="for-size")
    method, target = "PUT" if service == "s3" else "POST", {"X-Amz-Target": "SageMaker.ListModels"} if path == "/" else {}
    for expect in ("", "Expect: 100-continue\r\n"):
        out = aws.raw(start_of(aws, method, path, 10**10, service, expect, **target))  # ends only because the server closes
        assert out.startswith(b"HTTP/1.1 4") and what in out and b"100 Continue" not in out


def test_a_chunked_body_is_counted(aws):
    headers = aws.signed("POST", "/endpoints/x/invocations", b"", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    out = aws.raw(f"POST /endpoints/x/invocations HTTP/1.1\r\nHost: 127.0.0.1:{aws.up.base}\r\n{lines}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
                  + b"800000\r\n" + bytes(0x800000) + b"\r\n0\r\n\r\n")
    assert out.startswith(b"HTTP/1.1 400") and b"oversize body. The limit is 6291456 bytes" in out


def test_expect_100_continue_is_answered(aws):
    aws.s3.create_bucket(Bucket="expects")
    with socket.create_connection(aws.address, timeout=suite.PATIENCE) as s:
        s.sendall(start_of(aws, "PUT", "/expects/k", 5, "s3", "Expect: 100-continue\r\n"))
        assert s.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"hello")
        assert s.recv(4096).startswith(b"HTTP/1.1 200")


HOST = "Host: x\r\n"
SMUGGLED = {
    "length twice": f"{HOST}Content-Length: 5\r\nContent-Length: 5\r\n",
    "two lengths": f"{HOST}Content-Length: 5\r\nContent-Length: 6\r\n",
    "length list": f"{HOST}Content-Length: 5, 5\r\n",
    "length and chunked": f"{HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "signed length": f"{HOST}Content-Length: +5\r\n",
    "negative length": f"{HOST}Content-Length: -5\r\n",
    "hex length": f"{HOST}Content-Length: 0x5\r\n",
    "no length": f"{HOST}Content-Length:\r\n",
    "long length": f"{HOST}Content-Length: 99999999999999999999999999\r\n",
    "other coding": f"{HOST}Transfer-Encoding: gzip\r\n",
    "two codings": f"{HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "coding list": f"{HOST}Transfer-Encoding: gzip, chunked\r\n",
    "coding with a tab": f"{HOST}Transfer-Encoding: chunked\x0b\r\n",
    "space before the colon": f"{HOST}Content-Length : 5\r\n",
    "name with a space": f"{HOST}Content Length: 5\r\n",
    "no colon": f"{HOST}Content-Length 5\r\n",
    "two hosts": f"{HOST}{HOST}",
    "no host": "",
    "control character": f"{HOST}X: a\x01b\r\n",
}


def test_a_frame_that_all_read_alike_is_read(aws):
    """What the cases below are measured by: well framed, the same request gets as far as its missing signature."""
    out = aws.raw(f"POST / HTTP/1.1\r\n{HOST}Content-Length: 5\r\n\r\nabcdeGET /second HTTP/1.1\r\n{HOST}\r\n".encode())
    assert out.startswith(b"HTTP/1.1 403 ") and b"AccessDenied" in out, out


@pytest.mark.parametrize("case", SMUGGLED)
def test_frames_that_others_may_read_differently_are_refused(aws, case):
    out = aws.raw(f"POST / HTTP/1.1\r\n{SMUGGLED[case]}\r\nabcdeGET /second HTTP/1.1\r\n{HOST}\r\n".encode())
    assert out[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 501", b"HTTP/1.1 413"), out
    # What follows is not a request. (libmicrohttpd 0.9.75 writes the head of this one answer of its own twice.)
    assert out.count(b"HTTP/1.1 ") == 1 or (out.count(b"HTTP/1.1 4") == 2 and b"value for <b>Content-Length</b>" in out), out


@pytest.mark.parametrize("chunks", [b"5;x\nabcde\r\n0\r\n\r\n", b"zz\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n0\r\n\r\n", b"fffffffffffffffff\r\n", b"\r\n", b"0x5\r\nabcde\r\n0\r\n\r\n"])
def test_bad_chunks_end_the_connection(aws, chunks):
    head = aws.signed("POST", "/endpoints/x/invocations", b"", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    lines = "".join(f"{k}: {v}\r\n" for k, v in head.items())
    out = aws.raw(f"POST /endpoints/x/invocations HTTP/1.1\r\nHost: 127.0.0.1:{aws.up.base}\r\n{lines}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode() + chunks)
    assert out[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 413")


def test_floods_of_headers(aws):
    many = "".join(f"X-{i}: y\r\n" for i in range(200))
    assert aws.raw(f"GET / HTTP/1.1\r\n{HOST}{many}\r\n".encode()).startswith(b"HTTP/1.1 431")
    assert aws.raw(f"GET / HTTP/1.1\r\n{HOST}X: {'y' * 200000}\r\n\r\n".encode()).startswith(b"HTTP/1.1 431")
    assert aws.raw(f"GET /{'y' * 200000} HTTP/1.1\r\n{HOST}\r\n".encode()).startswith(b"HTTP/1.1 414")


@pytest.mark.parametrize("line", [b"GET", b"GET / HTTP/9.9", b"\x16\x03\x01\x02\x00\x01", b"GET / x HTTP/1.1", b"\x00" * 20])
def test_what_is_no_http(aws, line):
    out = aws.raw(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert out == b"" or out[:9] == b"HTTP/1.1 " and out[9:10] in b"45"
    assert aws.target("ListModels", {})[0] == 200


# ---- connections ----

def test_keep_alive_and_pipelining(aws):
    head = aws.signed("POST", "/", b"{}", {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.ListModels"})
    lines = "".join(f"{k}: {v}\r\n" for k, v in head.items())
    one = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{aws.up.base}\r\n{lines}Content-Length: 2\r\n".encode()
    out = aws.raw((one + b"\r\n{}") * 5 + one + b"Connection: close\r\n\r\n{}")
    assert out.count(b"HTTP/1.1 200 OK") == 6


def test_silence_between_requests_is_no_stall(tmp_path):
    up = suite.Up(tmp_path, "--set", "gateway.http.idle_timeout=5m", "--set", "gateway.http.stall_timeout=1s").start()
    aws = Aws(up)
    head = aws.signed("POST", "/", b"{}", {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.ListModels"})
    lines = "".join(f"{k}: {v}\r\n" for k, v in head.items())
    call = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{up.base}\r\n{lines}Content-Length: 2\r\n\r\n{{}}".encode()
    try:
        with socket.create_connection(aws.address, timeout=suite.PATIENCE) as answered, socket.create_connection(aws.address, timeout=suite.PATIENCE) as new:
            answered.sendall(call)
            assert answered.recv(4096).startswith(b"HTTP/1.1 200")
            time.sleep(3)  # what must not happen in this time
            for s in (answered, new):
                s.sendall(call)
                assert s.recv(4096).startswith(b"HTTP/1.1 200")
    finally:
        assert up.stop() == 0


def test_many_idle_connections_and_slow_clients_stop_nobody(tmp_path):
    up = suite.Up(tmp_path, "--set", "gateway.http.idle_timeout=4s", "--set", "gateway.http.stall_timeout=2s").start()
    aws = Aws(up)
    aws.s3.create_bucket(Bucket="big")
    aws.s3.put_object(Bucket="big", Key="k", Body=bytes(32 << 20))
    try:
        with contextlib.ExitStack() as held:
            idle = [held.enter_context(socket.create_connection(aws.address)) for _ in range(2000)]
            slow = [held.enter_context(socket.create_connection(aws.address)) for _ in range(20)]
            for s in slow:
                s.sendall(b"POST / HTTP/1.1\r\nHost:")
            silent = held.enter_context(socket.create_connection(aws.address, timeout=suite.PATIENCE))
            silent.sendall(start_of(aws, "PUT", "/big/other", 1000, "s3") + b"only the start")
            deaf = held.enter_context(socket.create_connection(aws.address, timeout=suite.PATIENCE))
            deaf.sendall(start_of(aws, "GET", "/big/k", 0, "s3"))
            assert aws.target("ListModels", {})[0] == 200
            assert all_of(silent)[:9] in (b"", b"HTTP/1.1 ")  # a body that stops coming: closed, here before our patience ends

            def dribble(s):
                s.sendall(b" ")  # never still, never done: what counts is the time to the end of the headers
                s.setblocking(False)
                try:
                    return s.recv(1) == b""
                except BlockingIOError:
                    return False
                except OSError:
                    return True

            wait_until(lambda: all([ended(dribble, s) for s in slow]), "slow clients are cut")
            for s in idle:
                s.settimeout(suite.PATIENCE)
                assert s.recv(1) == b""
            # An answer that nobody read was given up long ago: only what had left the gateway by then is there.
            assert 0 < len(all_of(deaf)) < 32 << 20
            assert aws.target("ListModels", {})[0] == 200
    finally:
        assert up.stop() == 0


def all_of(s):
    """Everything that comes until the other side closes."""
    out = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := s.recv(1 << 20):
            out += piece
    return out


def ended(look, s):
    try:
        return look(s)
    except OSError:
        return True


@pytest.mark.slow
def test_ten_thousand_idle_connections(tmp_path):
    """Each was answered once and is kept; a body that comes by a byte a second is given up beside them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    up = suite.Up(tmp_path).start()
    aws = Aws(up)
    body = b"{}"
    head = aws.signed("POST", "/", body, {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.ListModels"})
    lines = "".join(f"{k}: {v}\r\n" for k, v in head.items())
    call = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{aws.up.base}\r\n{lines}Content-Length: 2\r\n\r\n".encode() + body
    try:
        with contextlib.ExitStack() as held:
            slow = held.enter_context(socket.create_connection(aws.address, timeout=0.001))
            slow.sendall(start_of(aws, "POST", "/endpoints/x/invocations", 100000))
            kept = []
            for _ in range(10000):
                s = held.enter_context(socket.create_connection(aws.address, timeout=suite.PATIENCE))
                s.sendall(call)
                kept.append(s)
                assert s.recv(4096).startswith(b"HTTP/1.1 200")
            begun = time.monotonic()
            for s in kept[::500]:  # still open, still answered
                s.sendall(call)
                assert s.recv(4096).startswith(b"HTTP/1.1 200")
                assert aws.target("ListModels", {})[0] == 200
            assert time.monotonic() - begun < suite.PATIENCE

            def given_up():
                try:
                    slow.sendall(b"x")
                    return slow.recv(4096)[:12] in (b"", b"HTTP/1.1 408", b"HTTP/1.1 400")
                except TimeoutError:
                    return False
                except OSError:
                    return True

            wait_until(given_up, "the slow body is given up", every=1)
    finally:
        assert up.stop() == 0
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_limits_are_settings(tmp_path):
    """Over the connection limit the longest idle goes, and one address cannot take all places: what it opens beyond its own limit is closed at once."""
    settings = {"http.connections": 16, "http.connections_per_address": 12, "http.header_bytes": "8KiB", "http.headers": 20, "limits.request_bytes": "64KiB", "limits.payload_bytes": "4MiB",
                "clock_skew": "1m"}
    up = suite.Up(tmp_path, "--set", "control.limits.models=1", *(word for key, value in settings.items() for word in ("--set", f"gateway.{key}={value}"))).start()
    aws = Aws(up)
    try:
        aws.create_model("the-only-one", "s3://b/k")
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            aws.create_model("one-too-many", "s3://b/k")
        error = caught.value.response["Error"]
        assert error["Code"] == "ResourceLimitExceeded" and "there are 1 models already, which is the limit (setting limits.models)" in error["Message"]
        for size, expected, text in ((8192, b"HTTP/1.1 403", b"Missing Authentication Token"), (8193, b"HTTP/1.1 431", b"have 8193 bytes: at most 8192 are taken (http.header_bytes)")):
            head = f"GET /?a=b HTTP/1.1\r\n{HOST}Connection: close\r\nX: \r\n".encode()
            out = aws.raw(head[:-2] + b"y" * (size - len(head)) + b"\r\n\r\n")
            assert out.startswith(expected) and text in out, out
        for count, expected in ((17, b"HTTP/1.1 403"), (21, b"HTTP/1.1 431")):
            assert aws.raw(f"GET / HTTP/1.1\r\n{HOST}{''.join(f'X-{i}: y{chr(13)}{chr(10)}' for i in range(count))}Connection: close\r\n\r\n".encode()).startswith(expected)
        assert aws.target("ListModels", b"{}" + b" " * 65534)[0] == 200
        status, body, _ = aws.target("ListModels", b"{}" + b" " * 65535)
        assert status == 413 and "65536 bytes (limits.request_bytes)" in body["message"]
        for size, text in ((4 << 20, "Endpoint none of account 000000000000 not found."), ((4 << 20) + 1, "has oversize body. It has 4194305 bytes, the limit is 4194304 bytes.")):
            status, _, body = aws.request("POST", "/endpoints/none/invocations", bytes(size))
            assert status == 400 and text in json.loads(body)["Message"]
        assert aws.target("ListModels", {}, when=minutes_from_now(-0.5))[0] == 200
        status, body, _ = aws.target("ListModels", {}, when=minutes_from_now(-2))
        assert status == 403 and "Signature expired" in body["message"] and "1 min." in body["message"]
        with contextlib.ExitStack() as held:
            def open_from(address, count):
                return [held.enter_context(socket.create_connection(aws.address, timeout=suite.PATIENCE, source_address=(address, 0))) for _ in range(count)]

            idle = open_from("127.0.0.3", 12) + open_from("127.0.0.4", 12)
            assert aws.target("ListModels", {})[0] == 200
            assert all_of(idle[0]) == b""
            greedy = open_from("127.0.0.5", 13)
            assert all_of(greedy[12]) == b""
            assert aws.target("ListModels", {})[0] == 200
    finally:
        assert up.stop() == 0


def test_a_client_that_leaves_does_not_hold_its_place(up, aws, artifacts, name):
    """Its call upstream is cancelled: the endpoint's only place is free again."""
    clients_left = threading.Event()
    aws.deploy(name, artifacts.model()[0], concurrency=1)
    body = b"\n".join(b",".join(b"0.5" for _ in range(10)) for _ in range(60000))
    head = aws.signed("POST", f"/endpoints/{name}/invocations", body, {"Content-Type": "text/csv"})
    lines = "".join(f"{k}: {v}\r\n" for k, v in head.items())
    with socket.create_connection(aws.address) as s:
        s.sendall(f"POST /endpoints/{name}/invocations HTTP/1.1\r\nHost: 127.0.0.1:{aws.up.base}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    clients_left.set()

    def free():
        try:
            return aws.invoke(name, b"0,0,0,0,0,0,0,0,0,0")["ResponseMetadata"]["HTTPStatusCode"] == 200
        except aws.runtime.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "ThrottlingException"
            return False
    wait_until(free, "the place is free")


# ---- TLS ----

def test_tls(tmp_path):
    import ssl
    import subprocess
    import urllib.request
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    up = suite.Up(tmp_path, "--set", f"gateway.tls.cert_file={cert}", "--set", f"gateway.tls.key_file={key}").start()
    try:
        aws = Aws(up)
        aws.url = aws.url.replace("http:", "https:")
        headers = aws.signed("POST", "/", b"{}", {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.ListModels"})
        request = urllib.request.Request(aws.url, b"{}", headers)
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=str(cert))) as response:
            assert json.load(response) == {"Models": []}
        options = {"endpoint_url": aws.url, "region_name": aws.region, "aws_access_key_id": aws.key, "aws_secret_access_key": aws.secret}
        assert boto3.client("sagemaker", **options, verify=str(cert)).list_models()["Models"] == []
        s3 = boto3.client("s3", **options, verify=str(cert))  # which leaves bodies unsigned when there is TLS
        s3.create_bucket(Bucket="by-tls")
        s3.put_object(Bucket="by-tls", Key="k", Body=bytes(3 << 20))
        assert s3.get_object(Bucket="by-tls", Key="k")["Body"].read() == bytes(3 << 20)
        with pytest.raises(botocore.exceptions.SSLError):
            boto3.client("sagemaker", **options, config=Config(retries={"max_attempts": 0})).list_models()
        aws.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # not TLS: refused, and nothing else happens
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=str(cert))) as response:
            assert response.status == 200
    finally:
        assert up.stop() == 0
