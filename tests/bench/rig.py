"""What all figures of tests/bench share: models, the client, and how a figure is written."""
import json
import pathlib
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "lib"))
import protos  # noqa: E402

INVOKE = "/pilotlight.v1.InferenceService/Invoke"
ECHO = "/bench.Echo/Call"
BUILD = protos.ROOT / "build" / "bench"
SMALL, LARGE = "trees-100x6", "trees-500x6"


def say(text):
    print(text, file=sys.stderr, flush=True)


def make_models(names):
    """Models, their rows and predictions in build/bench/models; made once."""
    folder = BUILD / "models"
    missing = [name for name in names if not (folder / name / "predictions.csv").exists() or not (folder / f"{name}.tar.gz").exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["/usr/bin/python3", TESTS / "models" / "make_models.py", folder, *missing], check=True, stdout=sys.stderr)
    return folder


class Server:
    """Something that load.c can call: a target, a method, a payload and what its answers must contain."""

    def __init__(self, target, path, payload, expected, folder, name):
        self.target, self.path = target, path
        self.payload, self.expected = folder / f"{name}.payload", folder / f"{name}.expected"
        self.payload.write_bytes(payload)
        self.expected.write_bytes(expected)

    def load(self, concurrency, seconds, warmup):
        return self.run("--concurrency", concurrency, "--seconds", seconds, "--warmup", warmup)

    def run(self, *options):
        out = subprocess.run([BUILD / "load", "--target", self.target, "--path", self.path, "--payload-file", self.payload,
                              "--expect-file", self.expected, *map(str, options)], check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(out.stdout)


def invoke_payload(endpoint, model_folder):
    """One row as a call of 'endpoint', and the answer's first field as it must appear in the reply's bytes."""
    pb = protos.load()
    row = (model_folder / "rows.csv").read_text().splitlines()[0]
    prediction = (model_folder / "predictions.csv").read_text().splitlines()[0]
    request = pb("pilotlight.v1.InvokeRequest")(endpoint_name=endpoint, content_type="text/csv", body=row.encode())
    expected = pb("pilotlight.v1.InvokeResponse")(body=f"{prediction}\n".encode())
    return request.SerializeToString(), expected.SerializeToString()


def figure(name, value, unit, reference, reference_value, ratio=None):
    return {"name": name, "value": round(value, 3), "unit": unit, "reference": reference,
            "reference_value": round(reference_value, 3),
            "ratio": round(value / reference_value if ratio is None else ratio, 5)}
