"""Two generations of clients that are asked the same and must understand the same: Debian's boto3 and the newest SDK for JavaScript.

    both = Twin(aws, javascript, "sagemaker")
    both.describe_model(ModelName="m")      by both; whatever one of them got and the other did not is an error with its place
    both.create_model(...)                  what can be done once only is done by each in turn
    both.refused("describe_model", ...)     the same error for both

The two speak different protocols where a service has several (CloudWatch: query and JSON 1.0). 'seen' remembers, for each of them, what its answers
held: {(service, operation): places}; an operation without answer has no places.
"""
import collections
import datetime
import re

import botocore.exceptions

import service_model
from aws_js import Refused

CLIENTS = {"application-autoscaling": "client-application-auto-scaling"}
ONCE = ("Create", "Update", "Delete", "Deregister", "Complete", "Abort")
# What the two need not agree on: it is another call's, or only boto3 asks for it.
OWN = ("UploadId", "EncodingType")
REQUEST = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

seen = {"boto3": collections.defaultdict(set), "javascript": collections.defaultdict(set)}


class Twin:
    def __init__(self, aws, javascript, service):
        self.boto3, self.javascript, self.service = aws.client(service), javascript, service
        self.turn = collections.Counter()

    def __getattr__(self, method):
        operation = self.boto3.meta.method_to_api_mapping[method]

        def call(**arguments):
            if not operation.startswith(ONCE):
                return self.both(method, operation, arguments)
            self.turn[operation] += 1
            return self.by_boto3(method, operation, arguments) if self.turn[operation] % 2 else self.by_javascript(operation, arguments)
        return call

    def by_boto3(self, method, operation, arguments):
        out = getattr(self.boto3, method)(**arguments)
        out = {key: value.read() if hasattr(value, "iter_chunks") else value for key, value in out.items() if key != "ResponseMetadata" and value is not None}
        self.remember("boto3", operation, out)
        return out

    def by_javascript(self, operation, arguments):
        out = self.javascript.call(CLIENTS.get(self.service, f"client-{self.service}"), operation, arguments)
        shape = self.boto3.meta.service_model.operation_model(operation).output_shape
        if shape:
            wrong = [p for p in service_model.problems(shape, out, parsed=True) if not p.endswith(" is unknown")]
            assert not wrong, f"{self.service} {operation}: {wrong}"
        self.remember("javascript", operation, out)
        return out

    def remember(self, who, operation, out):
        shape = self.boto3.meta.service_model.operation_model(operation).output_shape
        seen[who][self.service, operation].update(service_model.members(shape, out) if shape else ())

    def both(self, method, operation, arguments):
        """What changed by itself in between is looked at again."""
        shape = self.boto3.meta.service_model.operation_model(operation).output_shape
        for _ in range(20):
            before, new = self.by_boto3(method, operation, arguments), self.by_javascript(operation, arguments)
            found = list(differences(shape, before, new)) if shape else []
            if not found:
                return before
            if before == self.by_boto3(method, operation, arguments):
                break
        assert not found, f"{self.service} {operation}: boto3 and JavaScript differ: {found}"

    def refused(self, method, **arguments):
        """(code, status, message, modelled members) as boto3 has them; JavaScript's are the same, in its own places."""
        operation = self.boto3.meta.method_to_api_mapping[method]
        try:
            self.by_boto3(method, operation, arguments)
        except botocore.exceptions.ClientError as error:
            old, status = error.response, error.response["ResponseMetadata"]["HTTPStatusCode"]
        else:
            raise AssertionError(f"boto3's {operation} was not refused")
        try:
            self.by_javascript(operation, arguments)
        except Refused as error:
            new = error
        else:
            raise AssertionError(f"JavaScript's {operation} was not refused")
        code, message = old["Error"]["Code"], old["Error"].get("Message", "")
        names = {shape.name for shape in self.boto3.meta.service_model.error_shapes if code in (shape.name, shape.error_code)}
        members = {key: value for key, value in old.items() if key not in ("Error", "ResponseMetadata") and key.lower() != "message"}
        where = f"{self.service} {operation}: {old}, {vars(new)}"
        assert (new.status, new.fault) == (status, "client" if status < 500 else "server") and len(new.request) == 36, where
        if code.isdigit():  # the answer to HEAD has no body to tell more
            return code, status, message, members
        assert new.name in (names or {code}) and (not names or new.modelled == new.name), where
        assert same_text(message, new.message) and message, where
        assert {key: new.members.get(key) for key in members} == members, where
        return code, status, message, members


def same_text(old, new):
    """But for the id of the request."""
    return REQUEST.sub("ID", old) == REQUEST.sub("ID", new)


def differences(shape, old, new, path=""):
    """Whatever boto3 has must be in JavaScript's, of the same kind; what JavaScript has beside it must be younger than boto3's model."""
    kind = shape.type_name
    if kind == "structure":
        for name in old:
            if name in OWN:
                continue
            if name not in new:
                yield f"{path}.{name} is missing in JavaScript: boto3 has {str(old[name])[:80]!r}"
            else:
                yield from differences(shape.members[name], old[name], new[name], f"{path}.{name}")
        yield from (f"{path}.{name} is missing in boto3: JavaScript has {str(new[name])[:80]!r}" for name in new if name not in old and name in shape.members)
    elif kind == "list":
        if not isinstance(new, list) or len(old) != len(new):
            yield f"{path} is {str(old)[:80]} and {str(new)[:80]}"
        else:
            for i, (one, other) in enumerate(zip(old, new)):
                yield from differences(shape.member, one, other, f"{path}[{i}]")
    elif kind == "map":
        if old.keys() != new.keys():
            yield f"{path} has {sorted(old)} and {sorted(new)}"
        else:
            for key in old:
                yield from differences(shape.value, old[key], new[key], f"{path}.{key}")
    elif kind == "timestamp":
        if not isinstance(new, datetime.datetime) or abs(old - new) > datetime.timedelta(milliseconds=1):
            yield f"{path} is {old!r} and {new!r}"
    elif old != new or isinstance(old, bool) != isinstance(new, bool) or isinstance(old, bytes) != isinstance(new, bytes):
        yield f"{path} is {str(old)[:80]!r} and {str(new)[:80]!r}"
