"""The newest AWS clients for JavaScript, called from Python: one node process, any number of calls.

    install(folder)                                                the clients of package-lock.json, once
    javascript = JavaScript(folder, environment)
    javascript.call("client-s3", "HeadBucket", {"Bucket": "b"})    what the client made of the answer, or raises Refused
"""
import base64
import datetime
import fcntl
import json
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parents[1] / "integration" / "aws_js"
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def install(folder):
    with open(folder.with_name(folder.name + ".lock"), "w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)  # tests run in several processes
        _install(folder)
    return folder


def _install(folder):
    lock = (HERE / "package-lock.json").read_text()
    done = folder / "installed-lock.json"
    if done.exists() and done.read_text() == lock:
        return
    npm = shutil.which("npm")
    assert npm, "these tests need Node.js 18 or newer with npm"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in ("package.json", "package-lock.json"):
        shutil.copy(HERE / file, folder)
    out = subprocess.run([npm, "ci", "--omit=optional", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, timeout=600)
    assert out.returncode == 0, out.stderr
    done.write_text(lock)


class Refused(Exception):
    """An exception of the client: .name, .fault, .message, .status, .request, .members (those of its model), .modelled (its class)."""

    def __init__(self, told):
        super().__init__(f"{told['name']}: {told['message']}")
        self.__dict__.update(told)


class JavaScript:
    def __init__(self, folder, environment):
        shutil.copy(HERE / "caller.mjs", folder)
        self.process = subprocess.Popen(["node", "caller.mjs"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, client, operation, arguments):
        self.process.stdin.write(json.dumps({"client": client, "operation": operation, "input": _given(arguments)}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"node ended with {self.process.wait()}"
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(_told(answer["error"]))
        assert len(answer["request"]) == 36 and 200 <= answer["status"] < 300, answer
        return _told(answer["output"])

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(10)
        self.process.stdout.close()
        assert code == 0, f"node ended with {code}"


def _given(value):
    if isinstance(value, dict):
        return {key: _given(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_given(inner) for inner in value]
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"$date": round((value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)).timestamp() * 1000)}
    return value


def _told(value):
    if isinstance(value, list):
        return [_told(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if "$date" in value:
        return EPOCH + datetime.timedelta(milliseconds=value["$date"])
    if "$bytes" in value:
        return base64.b64decode(value["$bytes"])
    return {key: _told(inner) for key, inner in value.items()}
