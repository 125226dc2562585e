"""Of SageMaker's server: how it gets hold of a script."""

from .absent import attributes_of

__getattr__ = attributes_of(__name__)
