"""Of SageMaker's server: how it calls the hooks."""

from .absent import attributes_of

__getattr__ = attributes_of(__name__)
