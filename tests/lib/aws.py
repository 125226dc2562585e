"""AWS clients of a running suite: boto3 and the AWS CLI with its keys, and requests signed by hand that no client would send."""
import contextlib
import http.client
import json
import os
import socket

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

import aws_cli
import service_model
import suite

ROLE = "arn:aws:iam::000000000000:role/pilotlight"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
REGION = "us-east-1"


class Aws:
    """The front door of 'up' as its clients see it."""

    def __init__(self, up, region=REGION, key=None):
        self.up = up
        self.region = region
        self.address = ("127.0.0.1", up.base)
        self.url = f"http://127.0.0.1:{up.base}"
        self.key, self.secret = key or credentials(up)
        self.clients = {}

    def client(self, service, **config):
        """No retries unless asked for: a test wants the first answer."""
        options = {"retries": {"max_attempts": 0}, "signature_version": "s3v4" if service == "s3" else None, **config}
        at = service, json.dumps(options, sort_keys=True)
        if at not in self.clients:
            made = boto3.client(service, endpoint_url=self.url, region_name=self.region, aws_access_key_id=self.key,
                                aws_secret_access_key=self.secret, config=Config(**{k: v for k, v in options.items() if v is not None}))
            made.meta.events.register("after-call", service_model.check_answer)
            self.clients[at] = made
        return self.clients[at]

    sagemaker = property(lambda self: self.client("sagemaker"))
    runtime = property(lambda self: self.client("sagemaker-runtime"))
    s3 = property(lambda self: self.client("s3"))

    @property
    def environment(self):
        return {**os.environ, "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_DEFAULT_REGION": self.region,
                "AWS_ENDPOINT": self.url, "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1"}

    def cli(self, *arguments):
        """`aws` from Debian; returns the completed process."""
        return aws_cli.run(["--endpoint-url", self.url, *map(str, arguments)], self.environment, suite.PATIENCE * 4)

    # -- by hand --

    def signed(self, method, path, body=b"", headers=None, *, service="sagemaker", key=None, secret=None, region=None, sent=None, when=None):
        """Headers of a request as a client would sign it; 'sent' is what is signed instead of 'body'."""
        request = AWSRequest(method, self.url + path, data=body if sent is None else sent, headers=headers or {})
        signer = SigV4Auth(Credentials(key or self.key, secret or self.secret), service, region or self.region)
        with frozen(when) if when else contextlib.nullcontext():
            signer.add_auth(request)
        return dict(request.headers.items())

    def request(self, method, path, body=b"", headers=None, **signing):
        """One request on a connection of its own; headers given are signed, unless service is None. (status, headers, body)"""
        if signing.get("service", "sagemaker") is not None:
            headers = self.signed(method, path, body, headers, **signing)
        connection = http.client.HTTPConnection(*self.address, timeout=suite.PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def target(self, operation, body, **signing):
        """A call of the JSON protocol; (status, parsed body, headers)."""
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"SageMaker.{operation}"}
        status, headers, out = self.request("POST", "/", body if isinstance(body, bytes) else json.dumps(body).encode(), headers, **signing)
        return status, json.loads(out) if out else None, headers

    def raw(self, text, patience=None):
        """Sends bytes as they are and returns all that comes until the server closes."""
        with socket.create_connection(self.address, timeout=patience or suite.PATIENCE) as s:
            s.sendall(text)
            out = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := s.recv(65536):
                    out += piece
        return out

    # -- what tests do --

    def deploy(self, name, uri, *, memory=2048, concurrency=10, variant="AllTraffic", image=IMAGE, **model):
        """As the SageMaker SDK does it: the config has the endpoint's name."""
        self.create_model(name, uri, image=image, **model)
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[serverless(name, memory, concurrency, variant)])
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        self.in_service(name)

    def create_model(self, name, uri, *, image=IMAGE, **container):
        return self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE,
                                           PrimaryContainer={"Image": image, "ModelDataUrl": uri, **container})

    def in_service(self, name):
        self.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})

    def delete_endpoint(self, name):
        self.sagemaker.delete_endpoint(EndpointName=name)
        self.sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})

    def invoke(self, name, body, **fields):
        fields = {"ContentType": "text/csv", **fields}
        return self.runtime.invoke_endpoint(EndpointName=name, Body=body, **{k: v for k, v in fields.items() if v is not None})


def serverless(model, memory=2048, concurrency=10, variant="AllTraffic", **fields):
    return {"VariantName": variant, "ModelName": model, "InitialVariantWeight": 1,
            "ServerlessConfig": {"MemorySizeInMB": memory, "MaxConcurrency": concurrency}, **fields}


def credentials(up, *arguments):
    """The first key that `pilotlight credentials` shows, or what it makes: (id, secret)."""
    out = suite.command("credentials", *arguments, "--state", up.folder / "state", "-o", "json")
    assert out.returncode == 0, out.stderr
    key = json.loads(out.stdout)[0]
    return key["accessKeyId"], key["secretAccessKey"]


@contextlib.contextmanager
def frozen(when):
    """botocore's clock stands at 'when', a datetime in UTC."""
    import datetime as module
    from unittest import mock

    class Clock(module.datetime):
        @classmethod
        def utcnow(cls):
            return when.replace(tzinfo=None)

    with mock.patch("botocore.auth.datetime.datetime", Clock):
        yield
