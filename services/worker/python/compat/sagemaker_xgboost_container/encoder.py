"""Bodies as DMatrix."""

from pilotlight_runtime import content


def csv_to_dmatrix(input, dtype=None):
    return content.decode_matrix(input, content.CSV)


def libsvm_to_dmatrix(string_like):
    return content.decode_matrix(string_like, content.LIBSVM)


def decode(obj, content_type):
    return content.decode_matrix(obj, content_type)
