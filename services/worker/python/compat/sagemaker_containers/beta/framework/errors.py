"""Exceptions of scripts. Other than the inference toolkit's they are made of a text alone."""

from sagemaker_inference.errors import UnsupportedFormatError  # noqa: F401


class ClientError(Exception):
    pass
