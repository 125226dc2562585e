"""decode(body, content_type), encode(array, content_type), and the same by name."""

from sagemaker_inference import content_types
from sagemaker_inference.decoder import decode
from sagemaker_inference.encoder import encode


def array_to_npy(array_like):
    return encode(array_like, content_types.NPY)


def array_to_json(array_like):
    return encode(array_like, content_types.JSON)


def array_to_csv(array_like):
    return encode(array_like, content_types.CSV)


def npy_to_numpy(npy_array):
    return decode(npy_array, content_types.NPY)


def json_to_numpy(string_like, dtype=None):
    return _as(decode(string_like, content_types.JSON), dtype)


def csv_to_numpy(string_like, dtype=None):
    return _as(decode(string_like, content_types.CSV), dtype)


def _as(array, dtype):
    return array if dtype is None else array.astype(dtype)
