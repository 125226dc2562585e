"""encode(array, content_type): a prediction as a body; text for the text kinds."""

from pilotlight_runtime import content


def encode(array_like, content_type):
    body, chosen = content.encode(array_like, content_type)
    return body.decode() if chosen in content.UTF8_TYPES else body
