"""A small S3-like HTTP server for tests: GET of objects, each request's Signature Version 4 verified from its parts."""
import hashlib
import hmac
import http.server
import re
import threading
import urllib.parse


def sign(secret, *parts):
    key = ("AWS4" + secret).encode()
    for part in parts:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key

GATE_S = 60  # nobody is kept for ever


class S3Server:
    """objects: {"bucket/key": bytes}. 'requests' keeps (path, status) of what was asked; 'faults' are statuses given first. The objects
    named in 'dribbling' never come to their end, but never stop coming either. Nothing is answered while 'gate' is not set."""

    def __init__(self, access_key, secret, region, objects):
        self.access_key, self.secret, self.region, self.objects = access_key, secret, region, objects
        self.requests, self.faults, self.dribbling = [], [], set()
        self.closing, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()

    def answer(self, handler):
        status, body = self.judge(handler)
        self.requests.append((handler.path, status))
        self.gate.wait(GATE_S)
        if handler.path.lstrip("/") in self.dribbling:
            return self.dribble(handler)
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def dribble(self, handler):
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 29))
        handler.end_headers()
        try:
            while not self.closing.wait(0.2):
                handler.wfile.write(bytes(2048))
        except OSError:
            pass  # the client has had enough

    def judge(self, handler):
        if self.faults:
            return self.faults.pop(0), b"<Error><Code>SlowDown</Code></Error>"
        why = self.wrong_signature(handler)
        if why:
            return 403, f"<Error><Code>SignatureDoesNotMatch</Code><Message>{why}</Message></Error>".encode()
        key = urllib.parse.unquote(handler.path.partition("?")[0]).lstrip("/")
        bucket, dot, _ = handler.headers["Host"].rpartition(".localhost")
        if dot:  # virtual-host style: the bucket is not in the path
            key = f"{bucket}/{key}"
        if key not in self.objects:
            return 404, b"<Error><Code>NoSuchKey</Code></Error>"
        return 200, self.objects[key]

    def wrong_signature(self, handler):
        """None when the Authorization header is what the secret makes of this request, else what is wrong."""
        parts = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?SignedHeaders=([^,]+), ?"
                             r"Signature=([0-9a-f]{64})", handler.headers.get("Authorization", ""))
        if not parts:
            return "no signature of version 4"
        access, date, region, names, signature = parts.groups()
        if (access, region) != (self.access_key, self.region):
            return f"credential of {access} in {region}"
        stamp, payload = handler.headers.get("X-Amz-Date", ""), handler.headers.get("X-Amz-Content-Sha256", "")
        if not stamp.startswith(date) or "host" not in names.split(";"):
            return "date or host is not signed"
        path, _, query = handler.path.partition("?")
        canonical = "\n".join(["GET", path, "&".join(sorted(query.split("&"))) if query else "",
                               *[f"{n}:{' '.join(handler.headers.get(n, '').split())}" for n in names.split(";")], "", names,
                               payload or hashlib.sha256(b"").hexdigest()])
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, f"{date}/{region}/s3/aws4_request", hashlib.sha256(canonical.encode()).hexdigest()])
        wanted = hmac.new(sign(self.secret, date, region, "s3", "aws4_request"), text.encode(), hashlib.sha256).hexdigest()
        return None if hmac.compare_digest(wanted, signature) else "another signature"
