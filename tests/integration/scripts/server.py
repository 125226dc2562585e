#!/usr/bin/python3
"""A server of the container contract with a few ways to behave, chosen by the body of a request."""
import http.server
import os
import signal
import socket
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text, **headers):
        body = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200 if self.path == "/ping" else 404, "")

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print("asked", asked, flush=True)
        if asked == "crash":
            os._exit(7)
        if asked == "hang":
            time.sleep(1000)
        if asked.startswith("status "):
            _, status, *size = asked.split()
            return self.answer(int(status), "ä" * int(size[0]) if size else "as you wish")
        if asked.startswith("connect "):
            return self.answer(200, connect("127.0.0.1", int(asked[8:])))
        if asked.startswith("through "):
            return self.answer(200, through(int(asked[8:])))
        if asked == "headers":
            names = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id")
            return self.answer(200, "|".join(self.headers.get(name, "") for name in names), Content_Type="text/x-own",
                               X_Amzn_SageMaker_Custom_Attributes="seen=1")
        self.answer(200, "%s from %s" % (asked, os.environ.get("WHO", "nobody")))

    def log_message(self, *arguments):
        pass


def connect(host, port):
    try:
        socket.create_connection((host, port), 1).close()
        return "connected"
    except OSError as error:
        return str(error)


def through(port):
    """By the proxy that its environment names."""
    host, _, own = os.environ["http_proxy"].removeprefix("http://").partition(":")
    with socket.create_connection((host, int(own)), 10) as link:
        link.sendall(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\n\r\n" % port)
        return link.recv(1000).decode()


def leave(number, frame):
    print("told to stop", flush=True)
    time.sleep(float(os.environ.get("LINGER", "0")))
    print("left by myself", flush=True)
    os._exit(0)


signal.signal(signal.SIGTERM, leave)
assert sys.argv[1:] == ["serve"]
if os.environ.get("FAIL_WITH"):
    sys.exit(int(os.environ["FAIL_WITH"]))
if os.environ.get("NEVER_READY"):
    time.sleep(1000)
if os.environ.get("BY_SOCKET"):
    class Server(http.server.HTTPServer):
        address_family = socket.AF_UNIX

        def server_bind(self):
            self.socket.bind(self.server_address)

        def get_request(self):
            return self.socket.accept()[0], ("local", 0)
    server = Server(os.environ["PILOTLIGHT_SOCKET"], Handler)
else:
    server = http.server.HTTPServer(("0.0.0.0", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler)
server.serve_forever()
