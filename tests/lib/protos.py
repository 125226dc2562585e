"""The product's messages and services for Python programs, made from proto/ when they are first asked for.

protoc writes a descriptor set, protobuf's message factory makes the classes, and grpcio's channel the calls: no generated code and no
plugin. Names are those of the protos:

    pb = protos.load()
    request = pb("pilotlight.v1.InvokeRequest")(endpoint_name="fraud", body=b"1,2,3")
    router = protos.Service(channel, "pilotlight.v1.InferenceService")
    answer = router.Invoke(request, timeout=10)      # or router.Invoke(endpoint_name="fraud", body=b"1,2,3", timeout=10)
"""
import functools
import pathlib
import subprocess
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Protos:
    def __init__(self, descriptor_set):
        self.pool = descriptor_pool.DescriptorPool()
        self.files = descriptor_pb2.FileDescriptorSet.FromString(descriptor_set)
        for file in self.files.file:
            self.pool.Add(file)
        self.factory = message_factory.MessageFactory(self.pool)

    def __call__(self, name):
        """The class of a message, by its full name."""
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))

    def enum(self, name):
        """{value name: number} of an enum, by its full name."""
        return dict(self.pool.FindEnumTypeByName(name).values_by_name.items())

    def number(self, name, value):
        return self.pool.FindEnumTypeByName(name).values_by_name[value].number

    def services(self):
        for file in self.files.file:
            for service in file.service:
                yield f"{file.package}.{service.name}"


@functools.lru_cache(maxsize=None)
def load():
    folder = ROOT / "proto"
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.proto"))
    with tempfile.NamedTemporaryFile(suffix=".descriptors") as out:
        subprocess.run(["protoc", f"-I{folder}", "-I/usr/include", "--include_imports", f"--descriptor_set_out={out.name}", *files],
                       check=True)
        return Protos(out.read())


class Service:
    """Calls of one service over a grpcio channel: each method of the proto is a method here."""

    def __init__(self, channel, name):
        pb = load()
        for method in pb.pool.FindServiceByName(name).methods:
            setattr(self, method.name, self._call(channel, f"/{name}/{method.name}", method))

    @staticmethod
    def _call(channel, path, method):
        pb = load()
        request_class, reply_class = pb(method.input_type.full_name), pb(method.output_type.full_name)
        make = {(False, False): channel.unary_unary, (False, True): channel.unary_stream, (True, True): channel.stream_stream}
        streams = (method.client_streaming, method.server_streaming)
        multicallable = make[streams](path, request_serializer=request_class.SerializeToString,
                                      response_deserializer=reply_class.FromString)

        def prepare(request, fields):
            return request if request is not None else request_class(**fields)

        def call(request=None, *, timeout=30, metadata=None, **fields):
            return multicallable(prepare(request, fields), timeout=timeout, metadata=metadata)

        def future(request=None, *, timeout=30, metadata=None, **fields):
            return multicallable.future(prepare(request, fields), timeout=timeout, metadata=metadata)

        if streams == (False, False):
            call.future = future
        return call


class Failure:
    """What a failed call said: code and message, and the google.rpc details as plain values."""

    def __init__(self, error):
        pb = load()
        self.code, self.message = error.code().name, error.details() or ""
        self.reason, self.metadata, self.fields, self.retry_ms, self.quota = "", {}, [], None, []
        trailing = dict(error.trailing_metadata() or ())
        status = pb("google.rpc.Status").FromString(trailing.get("grpc-status-details-bin", b""))
        for detail in status.details:
            kind = detail.type_url.rpartition("/")[2]
            message = pb(kind).FromString(detail.value)
            if kind == "google.rpc.ErrorInfo":
                self.reason, self.metadata = message.reason, dict(message.metadata)
            elif kind == "google.rpc.BadRequest":
                self.fields += [violation.field for violation in message.field_violations]
            elif kind == "google.rpc.RetryInfo":
                self.retry_ms = message.retry_delay.seconds * 1000 + message.retry_delay.nanos // 1000000
            elif kind == "google.rpc.QuotaFailure":
                self.quota += [violation.subject for violation in message.violations]

    def __repr__(self):
        return f"{self.code} {self.reason} {self.fields} {self.metadata}: {self.message}"
