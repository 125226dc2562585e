"""For inference scripts that run on Pilotlight. None of it is needed: bytes, text and plain exceptions do.

    from pilotlight import Response, InferenceError

    def output_fn(prediction, accept):
        if prediction is None:
            raise InferenceError(422, "no such customer")
        return Response(render(prediction), content_type="text/html", custom_attributes="cache=no")
"""

__all__ = ["InferenceError", "Response"]


class Response:
    """An answer with all that an answer can have. 'body' is bytes, str, or a generator of them. A 'status' of 400 and above is an error
    to the caller, with the body as its text."""

    def __init__(self, body, content_type=None, status=200, custom_attributes=""):
        self.response = body
        self.content_type = content_type
        self.status = status
        self.custom_attributes = custom_attributes


class InferenceError(Exception):
    """Ends a request with an HTTP status of the script's choice, 400 to 599, instead of 500."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status_code = status
