"""Exceptions whose status the caller sees."""

from sagemaker_inference.errors import GenericInferenceToolkitError as ClientError  # noqa: F401
from sagemaker_inference.errors import UnsupportedFormatError  # noqa: F401
