"""decode(body, content_type) and encode(array, content_type)."""

from sagemaker_inference.decoder import decode  # noqa: F401
from sagemaker_inference.encoder import encode  # noqa: F401
