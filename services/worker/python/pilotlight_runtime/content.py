"""Bodies to arrays and predictions to bodies: what input_fn and output_fn do when the model's code has none of its own.

    in     text/csv           rows of numbers; an empty cell is missing (NaN); always two dimensions, also for one row
           application/json   an array, {"instances": [...]}; rows that are objects become a DataFrame
           application/x-npy, application/x-npz (sparse)
           text/libsvm        for XGBoost's Booster only (decode_matrix)
           text/plain         one document
    out    application/json, text/csv, application/x-npy

Text becomes float32, as in the SageMaker containers that these scripts come from; PILOTLIGHT_INPUT_DTYPE=float64 keeps all digits.
"""

import io
import json

from .failures import BAD_REQUEST, NOT_ACCEPTABLE, UNSUPPORTED, Refusal

JSON = "application/json"
CSV = "text/csv"
NPY = "application/x-npy"
NPZ = "application/x-npz"
TEXT = "text/plain"
LIBSVM = "text/libsvm"
_LIBSVM_NAMES = (LIBSVM, "text/x-libsvm", "libsvm")
# What hooks get as str; everything else reaches them as bytes.
UTF8_TYPES = (JSON, CSV)
DTYPES = ("float32", "float64")


def base_type(content_type):
    """'Text/CSV; charset=utf-8' -> 'text/csv'."""
    return content_type.partition(";")[0].strip().lower()


def as_text(body):
    try:
        return body if isinstance(body, str) else str(body, "utf-8")
    except UnicodeDecodeError as e:
        raise Refusal(BAD_REQUEST, "the body is not valid UTF-8: %s" % e) from None


# ---- in ----


def _delimiter(line):
    return next((c for c in ",;\t" if c in line), ",")


def _cell(text, row, column):
    text = text.strip()
    if not text:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        shown = text if len(text) <= 40 else text[:40] + "..."
        raise Refusal(BAD_REQUEST, "row %d, column %d of the body is not a number: '%s'" % (row, column, shown)) from None


def csv_cells(body):
    """Rows of texts, all of one length."""
    lines = as_text(body).strip().splitlines()
    if not lines:
        raise Refusal(BAD_REQUEST, "the body is empty")
    delimiter = _delimiter(lines[0])
    rows = [line.split(delimiter) for line in lines if line.strip()]
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise Refusal(BAD_REQUEST, "row %d of the body has %d columns, but the first has %d" % (number, len(row), len(rows[0])))
    return rows


def _decode_csv(body, dtype):
    import numpy

    rows = csv_cells(body)
    try:
        return numpy.array([[float(cell) for cell in row] for row in rows], dtype=dtype)
    except ValueError:  # a missing cell, or a text: the slow way knows which
        return numpy.array([[_cell(cell, r, c) for c, cell in enumerate(row, 1)] for r, row in enumerate(rows, 1)], dtype=dtype)


def parse_json(body):
    try:
        value = json.loads(as_text(body))
    except RecursionError:
        raise Refusal(BAD_REQUEST, "the body is nested too deep") from None
    except ValueError as e:
        raise Refusal(BAD_REQUEST, "the body is not JSON: %s" % e) from None
    if isinstance(value, dict) and "instances" in value:
        value = value["instances"]
    return value


def _frame(records):
    import pandas

    return pandas.DataFrame.from_records(records)


def _decode_json(body, dtype):
    import numpy

    value = parse_json(body)
    if isinstance(value, dict):
        value = [value]
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return _frame(value)
    try:
        array = numpy.array(value)
    except ValueError as e:
        raise Refusal(BAD_REQUEST, "the rows of the body are not of one shape: %s" % e) from None
    if array.dtype.kind in "biufO":
        try:
            return array.astype(dtype)
        except (TypeError, ValueError):
            pass
    return array


def _decode_npy(body, dtype):
    import numpy

    try:
        return numpy.load(io.BytesIO(body), allow_pickle=False)
    except (ValueError, EOFError, OSError) as e:
        raise Refusal(BAD_REQUEST, "the body is not an array in NumPy's format: %s" % e) from None


def _decode_npz(body, dtype):
    import scipy.sparse

    try:
        return scipy.sparse.load_npz(io.BytesIO(body))
    except Exception as e:
        raise Refusal(BAD_REQUEST, "the body is not a sparse matrix in SciPy's format: %s" % e) from None


def _decode_text(body, dtype):
    return [as_text(body)]


_DECODERS = {CSV: _decode_csv, "csv": _decode_csv, JSON: _decode_json, NPY: _decode_npy, NPZ: _decode_npz, TEXT: _decode_text}


def decode(body, content_type, dtype="float32"):
    decoder = _DECODERS.get(base_type(content_type))
    if not decoder:
        raise Refusal(
            UNSUPPORTED,
            "Content type %s is not supported by this framework: %s are; an input_fn can read any other"
            % (content_type, ", ".join(sorted(t for t in _DECODERS if "/" in t))),
        )
    if not body:
        raise Refusal(BAD_REQUEST, "the body is empty")
    return decoder(body, dtype)


def _libsvm_rows(body):
    """Column index and value of each row's entries; a label, which has no ':', is ignored."""
    for number, line in enumerate(as_text(body).strip().splitlines(), 1):
        entries = []
        for token in line.split():
            index, colon, value = token.partition(":")
            if not colon:
                continue
            try:
                entries.append((int(index), float(value)))
            except ValueError:
                raise Refusal(BAD_REQUEST, "row %d of the body is not libsvm: '%s'" % (number, token[:40])) from None
            if not 0 <= entries[-1][0] < 1 << 24:
                raise Refusal(BAD_REQUEST, "row %d of the body has the column %d" % (number, entries[-1][0]))
        yield entries


def _decode_libsvm(body, columns):
    import scipy.sparse

    values, indices, starts = [], [], [0]
    for row in _libsvm_rows(body):
        indices += [index for index, _ in row]
        values += [value for _, value in row]
        starts.append(len(values))
    width = max(columns, max(indices, default=-1) + 1, 1)
    return scipy.sparse.csr_matrix((values, indices, starts), shape=(len(starts) - 1, width), dtype="float32")


def decode_matrix(body, content_type, columns=0):
    """A DMatrix, which is what an XGBoost Booster predicts on. 'columns': how many the model has; 0 = unknown."""
    import xgboost

    if base_type(content_type) in _LIBSVM_NAMES:
        return xgboost.DMatrix(_decode_libsvm(body, columns), nthread=1)
    return xgboost.DMatrix(decode(body, content_type), nthread=1)


# ---- out ----


def _plain(value):
    """Arrays, frames and NumPy's numbers as Python's own; anything that JSON can say stays."""
    if hasattr(value, "toarray"):  # sparse
        value = value.toarray()
    elif hasattr(value, "to_numpy"):  # pandas
        value = value.to_numpy()
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _without_nan(value):
    """JSON has no NaN and no infinity: null."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return value


def _encode_json(prediction):
    value = _plain(prediction)
    try:
        return json.dumps(value, allow_nan=False).encode()
    except ValueError:
        return json.dumps(_without_nan(value)).encode()


def _csv_cell(value):
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return '"%s"' % text.replace('"', '""') if any(c in text for c in ',"\n\r') else text


def _encode_csv(prediction):
    value = _plain(prediction)
    rows = value if isinstance(value, list) else [value]
    return "".join(
        ",".join(_csv_cell(cell) for cell in (row if isinstance(row, list) else [row])) + "\n" for row in rows
    ).encode()


def _encode_npy(prediction):
    import numpy

    if hasattr(prediction, "toarray"):
        prediction = prediction.toarray()
    out = io.BytesIO()
    numpy.save(out, numpy.asarray(prediction), allow_pickle=False)
    return out.getvalue()


_ENCODERS = {JSON: _encode_json, CSV: _encode_csv, NPY: _encode_npy}


def _weight(part):
    for parameter in part.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def choose(accept, default=JSON):
    """The type that an Accept header likes best among those we can write."""
    wanted = sorted((part for part in accept.split(",") if part.strip()), key=_weight, reverse=True)
    for part in wanted:
        name = base_type(part)
        if name in _ENCODERS and _weight(part) > 0:
            return name
        if name in ("*/*", "application/*") and _weight(part) > 0:
            return default
    raise Refusal(
        NOT_ACCEPTABLE,
        "Accept %s is not supported by this framework: %s are; an output_fn can write any other"
        % (accept, ", ".join(sorted(_ENCODERS))),
    )


def encode(prediction, accept):
    """(body, content type)."""
    content_type = choose(accept)
    return _ENCODERS[content_type](prediction), content_type
