"""Exceptions whose status the caller sees."""


class BaseInferenceToolkitError(Exception):
    def __init__(self, status_code, message, phrase=""):
        super().__init__(message)
        self.status_code = status_code
        self.message = message
        self.phrase = phrase


class UnsupportedFormatError(BaseInferenceToolkitError):
    def __init__(self, content_type, **kwargs):
        text = "Content type %s is not supported by this framework." % content_type
        super().__init__(415, text, text)


class GenericInferenceToolkitError(BaseInferenceToolkitError):
    def __init__(self, status_code, message=None, phrase=None):
        super().__init__(status_code, message or "Invalid Request", phrase or "Invalid Request")
