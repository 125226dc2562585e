"""What the SageMaker Python SDK does for an SKLearnModel, call by call, with boto3: the model and the source archive go to a bucket, the
environment says what to run."""
import contextlib
import http.server
import json
import ssl
import subprocess
import threading

import botocore.exceptions
import numpy
import pytest

import custom
import suite
from aws import ROLE, Aws
from suite import wait_until

SKLEARN_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
XGBOOST_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"


class Shelf(http.server.BaseHTTPRequestHandler):
    """An archive, and ways to it that lead there and elsewhere."""
    archive = b""
    plain = ""  # the address of one who does not encrypt

    def do_GET(self):
        self.server.asked.append(self.path)
        to = {"/moved/sourcedir.tar.gz": "/sourcedir.tar.gz", "/circle/sourcedir.tar.gz": "/circle/sourcedir.tar.gz",
              "/downgraded/sourcedir.tar.gz": self.plain + "/sourcedir.tar.gz"}.get(self.path)
        known = self.path.partition("?")[0] in ("/sourcedir.tar.gz", "/large/sourcedir.tar.gz")
        self.send_response(302 if to else 200 if known else 404)
        if to:
            self.send_header("Location", to)
        self.send_header("Content-Length", str(3 << 30 if "/large/" in self.path else len(self.archive) if known else 0))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(self.archive if known else b"")

    def log_message(self, *arguments):
        pass


def shelf(certificate=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shelf)
    server.asked = []
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.url = "http%s://localhost:%d" % ("s" if certificate else "", server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """One of a private authority, one of the same for another name, one of an authority that nobody knows."""
    folder = tmp_path_factory.mktemp("certificates")

    def make(name, subject, *options):
        path = folder / f"{name}.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        f"/CN={subject}", "-keyout", path, "-out", folder / "made", *options], check=True, capture_output=True)
        path.write_bytes(path.read_bytes() + (folder / "made").read_bytes())
        return path
    ca = make("ca", "a private authority")
    signed = ("-CA", ca, "-CAkey", ca, "-addext", "basicConstraints=critical,CA:FALSE")
    return {"ca": ca, "good": make("good", "localhost", *signed, "-addext", "subjectAltName=DNS:localhost"),
            "misnamed": make("misnamed", "elsewhere", *signed, "-addext", "subjectAltName=DNS:elsewhere.example"),
            "stranger": make("stranger", "localhost", "-addext", "subjectAltName=DNS:localhost")}


@pytest.fixture(scope="module")
def shelves(certificates):
    servers = {"plain": shelf(), **{name: shelf(certificates[name]) for name in ("good", "misnamed", "stranger")}}
    Shelf.plain = servers["plain"].url
    yield servers
    for server in servers.values():
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def up(tmp_path_factory, certificates):
    running = suite.Up(tmp_path_factory.mktemp("up"), "--set", "router.keep_alive=60s", "--set",
                       f"worker.fetch_ca_file={certificates['ca']}").start()
    yield running
    code = running.stop()
    assert code == 0, f"pilotlight up ended with {code}:\n{running.program.tail()}\n{running.logs()}"


@pytest.fixture(scope="module")
def aws(up):
    return Aws(up)


@pytest.fixture(scope="module")
def cancer():
    return custom.BreastCancer()


@pytest.fixture(scope="module")
def bucket(aws):
    account = aws.client("sts").get_caller_identity()["Account"]
    bucket = f"sagemaker-{aws.region}-{account}"
    try:
        aws.s3.head_bucket(Bucket=bucket)
    except botocore.exceptions.ClientError:
        aws.s3.create_bucket(Bucket=bucket)
    return bucket


def upload(aws, bucket, key, uri):
    """The file behind a file:// URI; returns where it is now."""
    with open(uri.removeprefix("file://"), "rb") as f:
        aws.s3.put_object(Bucket=bucket, Key=key, Body=f)
    return f"s3://{bucket}/{key}"


def deploy(aws, name, image, model, code, program):
    """CreateModel, CreateEndpointConfig, CreateEndpoint, and the waiting, as sagemaker.model.Model.deploy() sends them."""
    aws.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={
        "Image": image, "ModelDataUrl": model, "Environment": {
            "SAGEMAKER_PROGRAM": program, "SAGEMAKER_SUBMIT_DIRECTORY": code, "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            "SAGEMAKER_REGION": aws.region, "SAGEMAKER_MODEL_SERVER_WORKERS": "1"}})
    aws.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[{
        "ModelName": name, "VariantName": "AllTraffic", "InitialVariantWeight": 1,
        "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}])
    aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def settled():
        told = aws.sagemaker.describe_endpoint(EndpointName=name)
        return told["EndpointStatus"] != "Creating" and told
    return wait_until(settled, f"endpoint {name} settles", every=0.2)


@pytest.fixture(scope="module")
def endpoint(aws, bucket, cancer, artifacts):
    model = upload(aws, bucket, "cancer/model.tar.gz", custom.archive(artifacts, files=cancer.files))
    code = upload(aws, bucket, "cancer/sourcedir.tar.gz", artifacts.tar(custom.entry("inference.py", custom.sample_script())))
    told = deploy(aws, "cancer", SKLEARN_IMAGE, model, code, "inference.py")
    assert told["EndpointStatus"] == "InService", told.get("FailureReason")
    return "cancer"


def test_csv_caller(aws, cancer, endpoint):
    told = aws.runtime.invoke_endpoint(EndpointName=endpoint, Body=cancer.csv(0, 1), ContentType="text/csv", Accept="text/csv")
    assert told["ContentType"] == "text/csv"
    assert told["Body"].read().decode() == "".join("%s,%.6f\n" % pair for pair in cancer.expected(0, 1))


def test_json_caller(aws, cancer, endpoint):
    told = aws.runtime.invoke_endpoint(EndpointName=endpoint, Body=json.dumps(cancer.rows[:2].tolist()), ContentType="application/json")
    predictions = json.loads(told["Body"].read())["predictions"]
    assert [p["label"] for p in predictions] == [label for label, _ in cancer.expected(0, 1)]


def test_npy_caller(aws, cancer, endpoint):
    import io

    body = io.BytesIO()
    numpy.save(body, cancer.rows[:2])
    told = aws.runtime.invoke_endpoint(EndpointName=endpoint, Body=body.getvalue(), ContentType="application/x-npy")
    assert len(json.loads(told["Body"].read())["predictions"]) == 2


@pytest.mark.parametrize("body, content_type, status, text", [
    (b"x", "image/png", 415, "Content type image/png is not supported by this framework"),
    (b"a,b", "text/csv", 400, "row 1, column 1 of the body is not a number: 'a'"),
    (b"[1", "application/json", 400, "the body is not JSON"),
    (b"no", "application/x-npy", 400, "the body is not an array in NumPy's format"),
    (b"", "text/csv", 400, "the body is empty"),
], ids=["type", "csv", "json", "npy", "empty"])  # fmt: skip
def test_what_the_default_input_fn_cannot_read(aws, endpoint, body, content_type, status, text):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        aws.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType=content_type)
    error = caught.value.response
    assert error["Error"]["Code"] == "ModelError" and error["OriginalStatusCode"] == status, error
    assert text in error["OriginalMessage"] and "Traceback" not in error["OriginalMessage"]
    assert f"Received client error ({status}) from primary with message " in error["Error"]["Message"]


def test_traceback_reaches_the_caller(aws, endpoint):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        aws.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"1,2,3", ContentType="text/csv")
    error = caught.value.response
    assert error["Error"]["Code"] == "ModelError" and error["OriginalStatusCode"] == 500
    assert "ValueError" in error["OriginalMessage"] and "predict_fn" in error["OriginalMessage"]
    assert error["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/cancer")


def test_the_script_that_readme_shows(aws, tmp_path):
    """As it is, with a model that has been trained as README.md says."""
    subprocess.run(["/usr/bin/python3", custom.SAMPLE / "make_model.py", tmp_path], check=True)
    keys = {"PILOTLIGHT_URL": aws.url, "AWS_ACCESS_KEY_ID": aws.key, "AWS_SECRET_ACCESS_KEY": aws.secret}
    done = subprocess.run(["/usr/bin/python3", custom.SAMPLE / "sklearn_model.py", tmp_path], env=suite.environment(keys),
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"predictions": [{"label": "malignant", "probability": 0.99}]}


def test_xgboost_in_script_mode(aws, bucket, artifacts, name):
    _, booster = artifacts.booster(seed=3, columns=4)
    model = upload(aws, bucket, f"{name}/model.tar.gz", artifacts.tar(custom.entry("xgboost-model.json", bytes(booster.save_raw("json")))))
    code = upload(aws, bucket, f"{name}/sourcedir.tar.gz", artifacts.tar(custom.entry("explain.py", custom.script("shap_contributions.py"))))
    told = deploy(aws, name, XGBOOST_IMAGE, model, code, "explain.py")
    assert told["EndpointStatus"] == "InService", told.get("FailureReason")
    body = aws.runtime.invoke_endpoint(EndpointName=name, Body=b"1,2,3,4", ContentType="text/csv")["Body"].read()
    assert len(json.loads(body)[0]["contributions"]) == 4


def test_source_archive_that_is_not_there(aws, bucket, cancer, artifacts, name):
    model = upload(aws, bucket, f"{name}/model.tar.gz", custom.archive(artifacts, files=cancer.files))
    told = deploy(aws, name, SKLEARN_IMAGE, model, f"s3://{bucket}/{name}/sourcedir.tar.gz", "inference.py")
    assert told["EndpointStatus"] == "Failed" and f"{name}/sourcedir.tar.gz" in told["FailureReason"]


def test_program_that_is_not_in_it(aws, bucket, cancer, artifacts, name):
    model = upload(aws, bucket, f"{name}/model.tar.gz", custom.archive(artifacts, files=cancer.files))
    code = upload(aws, bucket, f"{name}/sourcedir.tar.gz", artifacts.tar(custom.entry("other.py", b"")))
    told = deploy(aws, name, SKLEARN_IMAGE, model, code, "inference.py")
    assert told["EndpointStatus"] == "Failed"
    assert "SAGEMAKER_PROGRAM 'inference.py' is not there: the folder of the code has other.py" in told["FailureReason"]


# ---- the source archive by https ----

SOURCE = b"""
import words
def model_fn(model_dir):
    return words.GREETING
def transform_fn(model, body, content_type, accept):
    return model, "text/plain"
"""


@pytest.fixture
def by_https(aws, bucket, artifacts, name):
    """Deploys a model with the source that lies at an address."""
    def settled(url):
        archive = artifacts.tar(custom.entry("inference.py", SOURCE), custom.entry("words.py", b"GREETING = 'from afar'"))
        Shelf.archive = open(archive.removeprefix("file://"), "rb").read()
        model = upload(aws, bucket, f"{name}/model.tar.gz", artifacts.tar(custom.entry("weights", b"1")))
        return deploy(aws, name, SKLEARN_IMAGE, model, url, "inference.py")
    return settled


@pytest.mark.parametrize("path", ["/sourcedir.tar.gz?signature=hush", "/moved/sourcedir.tar.gz"], ids=["straight", "moved"])
def test_source_archive_by_https(aws, up, by_https, shelves, name, path):
    """Of a server whose certificate a private authority has signed: fetch_ca_file."""
    told = by_https(shelves["good"].url + path)
    assert told["EndpointStatus"] == "InService", told.get("FailureReason")
    assert aws.runtime.invoke_endpoint(EndpointName=name, Body=b"x", ContentType="text/csv")["Body"].read() == b"from afar"
    assert shelves["good"].asked[-1].startswith("/sourcedir.tar.gz")
    assert "hush" not in (up.folder / "state" / "log" / "worker.log").read_text()


@pytest.mark.parametrize("which, path, reason", [
    ("stranger", "", "SSL certificate problem"),
    ("misnamed", "", "no alternative certificate subject name matches target host name 'localhost'"),
    ("good", "/downgraded", "Protocol \"http\" not supported or disabled"),
    ("good", "/circle", "Maximum (5) redirects followed"),
    ("good", "/large", "larger than this host's artifact_limit of 2147483648 bytes"),
    ("good", "/none", "the server answered 404"),
], ids=["stranger", "another-name", "downgraded", "circle", "large", "missing"])  # fmt: skip
def test_source_archive_that_does_not_come(by_https, shelves, which, path, reason):
    url = shelves[which].url + path + "/sourcedir.tar.gz"
    told = by_https(url)
    assert told["EndpointStatus"] == "Failed"
    assert url in told["FailureReason"] and reason in told["FailureReason"], told["FailureReason"]
    assert not shelves["plain"].asked


def test_a_file_of_authorities_that_is_none(stack, tmp_path):
    """Heard of when the worker starts, not when a model is fetched."""
    for text, reason in ((None, "No such file"), ("-----BEGIN NOTHING-----", "has no certificate in PEM form")):
        path = tmp_path / "authorities.pem"
        if text:
            path.write_text(text)
        stack.settings["worker"]["fetch_ca_file"] = str(path)
        stack.start("worker", wait=False)
        worker = stack.programs.pop("worker")
        suite.wait_until(lambda: not worker.alive(), "it has given up")
        assert "fetch_ca_file: " in worker.tail() and reason in worker.tail()
