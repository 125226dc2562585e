"""decode(body, content_type): a body as an array."""

from pilotlight_runtime import content


def decode(obj, content_type):
    return content.decode(obj, content_type)
