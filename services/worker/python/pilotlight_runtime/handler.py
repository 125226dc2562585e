"""One model and what its hooks mean: theirs where they have one, ours where they have none.

    load      model_fn(model_dir), or the artifact's only model file
    request   transform_fn(model, body, content_type, accept)
              or  input_fn(body, content_type) -> predict_fn(data, model) -> output_fn(prediction, accept)

Ours: content.py reads and writes; predict_fn is model.predict(data). A Booster gets a DMatrix, as in SageMaker's container for it. Where both
input_fn and predict_fn are ours, a model that was fitted on named columns gets a DataFrame with those names.
"""

import os

from . import content, model_files, script
from .context import Context
from .failures import BAD_REQUEST, FAILED, HookFailed, Refusal
from .response import normalise

DEFAULT_CONTENT_TYPE = content.JSON


class Handler:
    def __init__(self, load):
        self.model_dir = load.model_dir
        environment = load.environment
        self.default_accept = environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "") or content.JSON
        self.dtype = environment.get("PILOTLIGHT_INPUT_DTYPE", "") or "float32"
        self.method = environment.get("PILOTLIGHT_PREDICT_METHOD", "") or "predict"
        if self.dtype not in content.DTYPES:
            raise Refusal(FAILED, "PILOTLIGHT_INPUT_DTYPE is '%.40s': %s are allowed" % (self.dtype, ", ".join(content.DTYPES)))
        folder = script.code_dir(load)
        program = script.find(load)
        script.prepare_imports(folder)
        self.hooks = script.load_hooks(program) if program else {}
        self.model = self._load(program)
        self.facts = model_files.Facts(self.model, os.path.basename(program) if program else "")
        self.names = self._column_names()

    # ---- load ----

    def _load(self, program):
        if not program:
            model = model_files.load(self.model_dir)
            if not model_files.is_booster(model) and not callable(getattr(model, self.method, None)):
                raise Refusal(FAILED, "PILOTLIGHT_PREDICT_METHOD is '%.40s', which a %s does not have" % (self.method, type(model).__name__))
            return model
        context = Context(self.model_dir)
        if "pre_model_fn" in self.hooks:
            self.hooks["pre_model_fn"](self.model_dir, context=context)
        return self.hooks["model_fn"](self.model_dir, context=context)

    def _column_names(self):
        """Of a model that was fitted on a DataFrame, where its data is ours to make."""
        if "input_fn" in self.hooks or "predict_fn" in self.hooks or "transform_fn" in self.hooks:
            return None
        try:
            names = getattr(self.model, "feature_names_in_", None)
            return None if names is None else [str(name) for name in names]
        except Exception:
            return None

    def warm(self):
        """A first prediction, where we know how to make one: libraries set much up at the first call."""
        if "model_warmup_fn" in self.hooks:
            self.hooks["model_warmup_fn"](self.model_dir, self.model)
        elif not self.hooks and self.facts.features:
            row = ",".join(["0"] * self.facts.features)
            try:
                self._predict(self._input(row, content.CSV))
            except Exception:
                pass  # zeros mean nothing to this model

    def after_fork(self):
        """In an instance that came from a template with this model in it: what must differ between instances."""
        if "after_fork" in self.hooks:
            self.hooks["after_fork"]()

    # ---- one request ----

    def _input(self, body, content_type):
        if model_files.is_booster(self.model):
            return content.decode_matrix(body, content_type, self.facts.features)
        if self.names:
            return self._frame(body, content_type)
        return content.decode(body, content_type, self.dtype)

    def _frame(self, body, content_type):
        """Columns by name, and as many as the model has. Texts stay texts: a column may be a category."""
        import pandas

        if content.base_type(content_type) in (content.CSV, "csv") and body:
            rows = content.csv_cells(body)
            if [cell.strip() for cell in rows[0]] == self.names:
                rows = rows[1:]
            data = pandas.DataFrame(rows).apply(_numbers_if_all).to_numpy(dtype=object)
        else:
            data = content.decode(body, content_type, self.dtype)
        if isinstance(data, pandas.DataFrame):
            return data
        data = pandas.DataFrame(data)
        if data.shape[1] != len(self.names):
            raise Refusal(BAD_REQUEST, "the body has %d columns, but the model was fitted on %d" % (data.shape[1], len(self.names)))
        data.columns = self.names
        return data.infer_objects()

    def _predict(self, data):
        if model_files.is_booster(self.model):
            return self.model.predict(data)
        columns = getattr(data, "shape", (0,))[1:]
        if columns and self.facts.features and columns[0] != self.facts.features:
            raise Refusal(BAD_REQUEST, "the body has %d columns, but the model was fitted on %d" % (columns[0], self.facts.features))
        try:
            predict = getattr(self.model, self.method if not self.hooks else "predict")
            return predict(data)
        except BaseException as e:
            raise HookFailed("predict", e) from None

    def _transform(self, body, content_type, accept, context):
        if "transform_fn" in self.hooks:
            return "transform_fn", self.hooks["transform_fn"](self.model, body, content_type, accept, context=context)
        hooks = self.hooks
        data = hooks["input_fn"](body, content_type, context=context) if "input_fn" in hooks else self._input(body, content_type)
        prediction = hooks["predict_fn"](data, self.model, context=context) if "predict_fn" in hooks else self._predict(data)
        if "output_fn" in hooks:
            return "output_fn", hooks["output_fn"](prediction, accept, context=context)
        return "the default output_fn", self._output(prediction, accept)

    def _output(self, prediction, accept):
        try:
            return content.encode(prediction, accept)
        except Refusal:
            raise
        except Exception as e:
            raise Refusal(
                FAILED, "the prediction, a %s, cannot be written as %s: %s" % (type(prediction).__qualname__, accept, e)
            ) from None

    def answer(self, request):
        content_type = request.content_type or DEFAULT_CONTENT_TYPE
        accept = self.default_accept if request.accept in ("", "*/*") else request.accept
        body = content.as_text(request.body) if content.base_type(content_type) in content.UTF8_TYPES else request.body
        context = Context(self.model_dir, request, content_type, accept)
        hook, value = self._transform(body, content_type, accept, context)
        return normalise(hook, value, context.response_content_type or accept, context.response_custom_attributes)


def _numbers_if_all(column):
    import pandas

    numbers = pandas.to_numeric(column.str.strip().replace("", None), errors="coerce")
    return numbers if numbers.notna().sum() == (column.str.strip() != "").sum() else column
