"""Every error that control and routers can answer with, in the names, statuses and shapes of each AWS protocol; and every member of an invocation.

A gateway of its own talks to servers that fail as they are told: what is hard to bring about in a running suite is one row here.
"""
import concurrent.futures
import json

import botocore.exceptions
import grpc
import pytest

import protos
import twin
from aws import Aws
from test_12_gateway_http import Gateway


class Failing(grpc.GenericRpcHandler):
    """Answers every call with the status it was given last."""

    def __init__(self):
        self.code, self.details, self.message = None, b"", ""
        self.called, self.asked, self.reply = [], b"", b""

    def succeed(self, reply):
        self.code, self.reply = None, reply.SerializeToString()

    def fail(self, code, message, reason="", field="", **metadata):
        pb = protos.load()
        status = pb("google.rpc.Status")(code=code.value[0], message=message)
        if field:
            metadata["field"] = field
        info = pb("google.rpc.ErrorInfo")(domain="pilotlight", reason=reason or code.name, metadata=metadata)
        status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info.SerializeToString())
        self.code, self.details, self.message = code, status.SerializeToString(), message

    def service(self, call):
        def answer(request, context):
            self.called.append(call.method)
            self.asked = request
            if self.code is None:
                return self.reply
            context.set_trailing_metadata((("grpc-status-details-bin", self.details),))
            context.abort(self.code, self.message)

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture(scope="module")
def upstream():
    return Failing()


@pytest.fixture(scope="module")
def aws(tmp_path_factory, upstream):
    gateway = Gateway(tmp_path_factory.mktemp("errors"))
    servers = []
    for service in ("control", "router"):
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=(upstream,))
        assert server.add_insecure_port(gateway.address(service))
        server.start()
        servers.append(server)
    yield Aws(gateway, key=gateway.key)
    for server in servers:
        server.stop(None)
    assert gateway.program.stop() == 0


Code = grpc.StatusCode
SLOW = "Your invocation timed out while waiting for a response from container primary."
# What a router says; the error's name, HTTP status, words, and members beside them.
RUNTIME = [
    ((Code.NOT_FOUND, "no such endpoint"), "ValidationError", 400, "Endpoint fraud of account 000000000000 not found.", {}),
    ((Code.FAILED_PRECONDITION, "it is being deleted"), "ValidationError", 400, "Endpoint fraud of account 000000000000 not found.", {}),
    ((Code.INVALID_ARGUMENT, "wrong"), "ValidationError", 400, "wrong", {}),
    ((Code.RESOURCE_EXHAUSTED, "it has 9 bytes, the limit is 6", "PAYLOAD_TOO_LARGE"), "ValidationError", 400, "has oversize body. it has 9 bytes, the limit is 6", {}),
    ((Code.RESOURCE_EXHAUSTED, "max concurrency is 5", "MAX_CONCURRENCY"), "ThrottlingException", 400, "max concurrency is 5", {}),
    ((Code.DEADLINE_EXCEEDED, "no instance was ready within 180000 ms", "START_TIMEOUT"), "ModelNotReadyException", 429, "no instance was ready within 180000 ms", {}),
    ((Code.DEADLINE_EXCEEDED, "no answer within 60000 ms", "INVOKE_TIMEOUT"), "ModelError", 424, f"Received server error (0) from primary with message \"{SLOW}", {"OriginalStatusCode": 0}),
    ((Code.INTERNAL, "killed", "INSTANCE_DIED"), "ModelError", 424, 'Received server error (0) from primary with message "killed"', {"OriginalStatusCode": 0, "OriginalMessage": "killed"}),
    ((Code.INTERNAL, "bad json", "MODEL_NOT_LOADED"), "ModelError", 424, '"bad json"', {"OriginalStatusCode": 0}),
    ((Code.INTERNAL, "no process", "START_FAILED"), "ModelError", 424, '"no process"', {"OriginalStatusCode": 0}),
    ((Code.INTERNAL, "boom", "MODEL_ERROR", "", 500), "ModelError", 424, 'Received server error (500) from primary with message "boom"', {"OriginalStatusCode": 500, "OriginalMessage": "boom"}),
    ((Code.INVALID_ARGUMENT, "no", "MODEL_ERROR", "", 415), "ModelError", 424, 'Received client error (415) from primary with message "no"', {"OriginalStatusCode": 415, "OriginalMessage": "no"}),
    ((Code.UNAVAILABLE, "no worker host", "NO_CAPACITY"), "ServiceUnavailable", 503, "no worker host", {}),
    ((Code.UNAVAILABLE, "s3 answered 503", "ARTIFACT_SOURCE"), "InternalDependencyException", 530, "s3 answered 503", {}),
    ((Code.INTERNAL, "a bug"), "InternalFailure", 500, "a bug", {}),
    ((Code.DATA_LOSS, "a broken file"), "InternalFailure", 500, "a broken file", {}),
]


def told(upstream, said):
    code, message, reason, field, model_status = (*said, "", "", "")[:5]
    upstream.fail(code, message, reason, field, **({"model_status": str(model_status)} if model_status else {}))


def caught(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    response = error.value.response
    assert len(response["ResponseMetadata"]["RequestId"]) == 36
    return error.value, response, (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"])


@pytest.mark.parametrize("said, name, status, words, members", RUNTIME)
def test_errors_of_an_invocation(aws, node, upstream, said, name, status, words, members):
    told(upstream, said)
    assert twin.Twin(aws, node, "sagemaker-runtime").refused("invoke_endpoint", EndpointName="fraud", Body=b"1")[:2] == (name, status)  # for the newest client, too
    error, response, what = caught(aws.runtime.invoke_endpoint, EndpointName="fraud", Body=b"1")
    assert what == (name, status) and words in response["Error"]["Message"], response
    assert {k: response[k] for k in members} == members
    modelled = getattr(aws.runtime.exceptions, name, None) if name != "ThrottlingException" else None
    assert modelled is None or isinstance(error, modelled)
    if name == "ModelError":
        assert response["LogStreamArn"] == "arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/fraud"
    # The same before a stream begins.
    http, headers, body = aws.request("POST", "/endpoints/fraud/invocations-response-stream", b"1")
    assert (http, headers["x-amzn-errortype"]) == (status, name) and words in json.loads(body)["Message"]


def test_members_of_an_invocation_go_both_ways(aws, node, upstream):
    """What a client gives is in the router's request, each in its place and nothing else; what the model says comes back; as a whole and as a stream."""
    pb = protos.load()
    upstream.succeed(pb("pilotlight.v1.InvokeResponse")(body=b"\x00\xff", content_type="text/own", variant="v", custom_attributes="seen=1", model_status=200))
    given = {"EndpointName": "fraud", "Body": b"\x01\x00", "ContentType": "a/b", "Accept": "c/d", "CustomAttributes": "k=v", "TargetVariant": "v", "InferenceId": "id-1"}
    asked = {"endpoint_name": "fraud", "body": b"\x01\x00", "content_type": "a/b", "accept": "c/d", "custom_attributes": "k=v", "target_variant": "v", "inference_id": "id-1", "model_error_as_response": True}
    out = aws.runtime.invoke_endpoint(**given)
    assert pb("pilotlight.v1.InvokeRequest").FromString(upstream.asked) == pb("pilotlight.v1.InvokeRequest")(**asked)
    assert (out["Body"].read(), out["ContentType"], out["InvokedProductionVariant"], out["CustomAttributes"]) == (b"\x00\xff", "text/own", "v", "seen=1")
    status, headers, body = aws.request("POST", "/endpoints/fraud/invocations-response-stream", b"\x01\x00", {
        "Content-Type": "a/b", "Accept": "not/this", "X-Amzn-SageMaker-Accept": "c/d", "X-Amzn-SageMaker-Custom-Attributes": "k=v", "X-Amzn-SageMaker-Target-Variant": "v",
        "X-Amzn-SageMaker-Inference-Id": "id-1"})
    assert status == 200 and pb("pilotlight.v1.InvokeRequest").FromString(upstream.asked) == pb("pilotlight.v1.InvokeRequest")(**asked) and b"\x00\xff" in body
    assert {k: headers.get(k) for k in ("content-type", "x-amzn-sagemaker-content-type", "x-amzn-invoked-production-variant", "x-amzn-sagemaker-custom-attributes")} == {
        "content-type": "application/vnd.amazon.eventstream", "x-amzn-sagemaker-content-type": "text/own", "x-amzn-invoked-production-variant": "v",
        "x-amzn-sagemaker-custom-attributes": "seen=1"}
    out = node.call("client-sagemaker-runtime", "InvokeEndpoint", given)
    assert out == {"Body": b"\x00\xff", "ContentType": "text/own", "InvokedProductionVariant": "v", "CustomAttributes": "seen=1"}
    assert pb("pilotlight.v1.InvokeRequest").FromString(upstream.asked) == pb("pilotlight.v1.InvokeRequest")(**asked)
    out = node.call("client-sagemaker-runtime", "InvokeEndpointWithResponseStream", given)
    assert out == {"Body": {"$events": [{"PayloadPart": {"Bytes": b"\x00\xff"}}]}, "ContentType": "text/own", "InvokedProductionVariant": "v", "CustomAttributes": "seen=1"}
    assert pb("pilotlight.v1.InvokeRequest").FromString(upstream.asked) == pb("pilotlight.v1.InvokeRequest")(**asked)
    # Nothing given is nothing sent, and nothing said is nothing told.
    upstream.succeed(pb("pilotlight.v1.InvokeResponse")(model_status=204))
    out = aws.runtime.invoke_endpoint(EndpointName="fraud", Body=b"")
    assert pb("pilotlight.v1.InvokeRequest").FromString(upstream.asked) == pb("pilotlight.v1.InvokeRequest")(endpoint_name="fraud", model_error_as_response=True)
    assert out["Body"].read() == b"" and not {"ContentType", "InvokedProductionVariant", "CustomAttributes"} & set(out)


def test_a_timeout_names_the_limit(aws, upstream):
    upstream.fail(Code.DEADLINE_EXCEEDED, "no answer within 60000 ms", "INVOKE_TIMEOUT")
    _, response, _ = caught(aws.runtime.invoke_endpoint, EndpointName="fraud", Body=b"1")
    assert "(no answer within 60000 ms)" in response["Error"]["Message"] and "60000 ms" in response["OriginalMessage"]


def test_a_variant_that_is_not_there(aws, upstream):
    upstream.fail(Code.NOT_FOUND, "no such variant", "VARIANT_NOT_FOUND", "target_variant")
    _, response, what = caught(aws.runtime.invoke_endpoint, EndpointName="fraud", Body=b"1", TargetVariant="b")
    assert what == ("ValidationError", 400) and "Variant b of endpoint fraud of account 000000000000 not found." in response["Error"]["Message"]


@pytest.mark.parametrize("status, code, who", [(400, "CLIENT_ERROR_FROM_MODEL", "client"), (599, "SERVER_ERROR_FROM_MODEL", "server")])
@pytest.mark.parametrize("said, told", [(b"no", "no"), (b"", "the model gave no reason"), ("ä".encode() * 32768, "ä" * 32768), (b"a\xff\x00b\r\n\x1b", "a?\0b\r\n\x1b")])
def test_an_error_of_the_model_is_told_whole(aws, node, upstream, said, told, status, code, who):
    """As the router answers whoever asks for it: what the model said is the body of a response. The message holds what fits."""
    pb = protos.load()
    upstream.succeed(pb("pilotlight.v1.InvokeResponse")(body=said, variant="v", model_status=status))
    out = twin.Twin(aws, node, "sagemaker-runtime").refused("invoke_endpoint", EndpointName="fraud", Body=b"1")
    assert out[:2] == ("ModelError", 424) and (out[3]["OriginalStatusCode"], out[3]["OriginalMessage"]) == (status, told)
    assert len(out[2].encode()) <= 2048 and out[2].startswith(f'Received {who} error ({status}) from primary with message "') and out[2].endswith("for more information.")
    assert pb("pilotlight.v1.InvokeRequest").FromString(upstream.asked).model_error_as_response
    http, headers, body = aws.request("POST", "/endpoints/fraud/invocations-response-stream", b"1")
    assert (http, headers["x-amzn-errortype"], json.loads(body)["ErrorCode"], json.loads(body)["OriginalMessage"]) == (424, "ModelError", code, told)


# What control says; the name and status in SageMaker, CloudWatch (query) and Application Auto Scaling.
CONTROL = [
    ((Code.RESOURCE_EXHAUSTED, "there are 50"), ("ResourceLimitExceeded", 400), ("LimitExceeded", 400), ("LimitExceededException", 400)),
    ((Code.INVALID_ARGUMENT, "wrong"), ("ValidationException", 400), ("InvalidParameterValue", 400), ("ValidationException", 400)),
    ((Code.OUT_OF_RANGE, "too much"), ("ValidationException", 400), ("InvalidParameterValue", 400), ("ValidationException", 400)),
    ((Code.ABORTED, "try again"), ("ThrottlingException", 400), ("InternalServiceError", 500), ("ConcurrentUpdateException", 500)),
    ((Code.UNAVAILABLE, "stopping"), ("ServiceUnavailable", 503), ("ServiceUnavailable", 503), ("ServiceUnavailable", 503)),
    ((Code.INTERNAL, "a bug"), ("InternalFailure", 500), ("InternalServiceError", 500), ("InternalServiceException", 500)),
    ((Code.DATA_LOSS, "a broken file"), ("InternalFailure", 500), ("InternalServiceError", 500), ("InternalServiceException", 500)),
]
SCALING = {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/v", "ScalableDimension": "sagemaker:variant:DesiredProvisionedConcurrency"}


@pytest.mark.parametrize("said, sagemaker, cloudwatch, scaling", CONTROL)
def test_errors_of_control(aws, node, upstream, said, sagemaker, cloudwatch, scaling):
    told(upstream, said)
    calls = [(sagemaker, aws.sagemaker.create_model, {"ModelName": "m", "ExecutionRoleArn": "arn:aws:iam::000000000000:role/pilotlight", "PrimaryContainer": {
                 "Image": "x/sagemaker-xgboost:1.7-1", "ModelDataUrl": "s3://b/k"}}),
             (sagemaker, aws.sagemaker.create_endpoint_config, {"EndpointConfigName": "c", "ProductionVariants": [{
                 "VariantName": "v", "ModelName": "m", "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}]}),
             (sagemaker, aws.sagemaker.create_endpoint, {"EndpointName": "e", "EndpointConfigName": "c"}),
             (sagemaker, aws.sagemaker.update_endpoint, {"EndpointName": "e", "EndpointConfigName": "c"}),
             (sagemaker, aws.sagemaker.update_endpoint_weights_and_capacities, {"EndpointName": "e", "DesiredWeightsAndCapacities": [{"VariantName": "v"}]}),
             (sagemaker, aws.sagemaker.list_models, {}),
             (cloudwatch, aws.client("cloudwatch").list_metrics, {}),
             (cloudwatch, aws.client("cloudwatch").delete_alarms, {"AlarmNames": ["a"]}),
             (scaling, aws.client("application-autoscaling").deregister_scalable_target, SCALING)]
    for expected, call, arguments in calls:
        response = twin.Twin(aws, node, call.__self__.meta.service_model.service_name).refused(call.__name__, **arguments)
        assert response[:2] == expected and said[1] in response[2], (call, response)


def test_errors_of_cloudwatch_in_both_protocols(aws, upstream):
    """JSON 1.0 says the shape's name in the body and the query protocol's code in a header: old and new clients see the same."""
    for said, shape, code, status in (((Code.RESOURCE_EXHAUSTED, "full"), "LimitExceededFault", "LimitExceeded;Sender", 400), ((Code.INVALID_ARGUMENT, "wrong"), "InvalidParameterValueException", "InvalidParameterValue;Sender", 400),
                                      ((Code.INTERNAL, "a bug"), "InternalServiceFault", "InternalServiceError;Receiver", 500)):
        told(upstream, said)
        http, headers, body = aws.request("POST", "/", b"{}", {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "GraniteServiceVersion20100801.ListMetrics",
                                                               "x-amzn-query-mode": "true"}, service="monitoring")
        assert (http, headers["x-amzn-query-error"], headers["content-type"]) == (status, code, "application/x-amz-json-1.0")
        assert json.loads(body) == {"__type": f"com.amazonaws.cloudwatch#{shape}", "message": said[1]}
    upstream.fail(Code.INVALID_ARGUMENT, "not from this list", field="page_token")
    assert caught(aws.client("cloudwatch").list_metrics, NextToken="x")[2] == ("InvalidNextToken", 400)
    assert caught(aws.client("application-autoscaling").describe_scaling_activities, ServiceNamespace="sagemaker", NextToken="x")[2] == ("InvalidNextTokenException", 400)
    assert caught(aws.sagemaker.list_models, NextToken="x")[2] == ("ValidationException", 400)


def test_a_client_tries_again_what_passes_by(aws, upstream):
    """boto3 as everybody has it: throttling and 503 are tried again, a model's error is not."""
    for said, tries in (((Code.RESOURCE_EXHAUSTED, "5 run", "MAX_CONCURRENCY"), 2), ((Code.UNAVAILABLE, "none", "NO_CAPACITY"), 2), ((Code.INTERNAL, "boom", "MODEL_ERROR", "", 500), 1)):
        told(upstream, said)
        upstream.called.clear()
        caught(aws.client("sagemaker-runtime", retries={"max_attempts": 1}).invoke_endpoint, EndpointName="fraud", Body=b"1")
        assert upstream.called == ["/pilotlight.v1.InferenceService/Invoke"] * tries
