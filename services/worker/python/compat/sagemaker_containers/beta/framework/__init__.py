"""Stand-in; see ../../../README.md."""

from . import content_types, encoders, errors, worker  # noqa: F401
