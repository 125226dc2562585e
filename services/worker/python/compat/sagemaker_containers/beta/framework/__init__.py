"""Stand-in; see ../../../README.md."""

from . import content_types, encoders, env, errors, modules, transformer, worker  # noqa: F401
