"""The server that a user would write: Python, grpcio and xgboost, called directly. Prints its port.

    python_peer.py MODEL

It speaks the same InvokeRequest and InvokeResponse as the product, so that one client drives both. What makes it fast is done: the
generic handler, the size of the thread pool that measured best on two cores, one thread a prediction (more make a single row slower), and
of numpy's parsers and xgboost's ways to predict one row the faster ones.
"""
import concurrent.futures
import pathlib
import sys

import grpc
import numpy
import xgboost

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import protos

THREADS = 10  # 1, 2, 4 and 10 were tried
PATH = "/pilotlight.v1.InferenceService/Invoke"


class Model:
    def __init__(self, path):
        self.booster = xgboost.Booster({"nthread": 1})
        self.booster.load_model(path)
        self.booster.set_param({"nthread": 1})
        pb = protos.load()
        self.request, self.response = pb("pilotlight.v1.InvokeRequest"), pb("pilotlight.v1.InvokeResponse")

    def invoke(self, request, context):
        rows = [numpy.fromstring(line, sep=",", dtype=numpy.float32) for line in request.body.splitlines()]
        values = self.booster.predict(xgboost.DMatrix(numpy.stack(rows), nthread=1), validate_features=False)
        body = "".join(f"{float(value)}\n" for value in values).encode()
        return self.response(body=body, content_type="text/csv", model_status=200)


def main(path):
    model = Model(path)
    handler = grpc.unary_unary_rpc_method_handler(model.invoke, request_deserializer=model.request.FromString,
                                                  response_serializer=model.response.SerializeToString)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=THREADS))
    service, method = PATH.strip("/").split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(sys.argv[1])
