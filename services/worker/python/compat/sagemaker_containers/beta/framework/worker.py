"""Response: an answer with its content type."""


class Response:
    def __init__(self, response=None, accept=None, status=200, headers=None, mimetype=None, **kwargs):
        self.response = response
        self.status = status
        self.mimetype = mimetype or accept or kwargs.get("content_type")
        self.headers = headers
