"""The four hooks: which are called with what, and what ours do where a script has none."""
import json

import numpy
import pytest
import rig

ECHO = """
    import json
    def model_fn(model_dir):
        return {"dir": model_dir}
    def transform_fn(model, body, content_type, accept):
        return json.dumps({"body": body if isinstance(body, str) else body.hex(), "type": content_type, "accept": accept, **model}), accept
"""


def test_a_script_is_loaded_and_answers(run, tmp_path):
    answer = run(ECHO).ask("hello", "text/plain", "application/x-mine")
    assert answer.content_type == "application/x-mine" and answer.model_status == 200
    assert json.loads(answer.body) == {"body": b"hello".hex(), "type": "text/plain", "accept": "application/x-mine", "dir": str(tmp_path)}


def test_text_types_arrive_as_text_and_others_as_bytes(run):
    instance = run(ECHO)
    for content_type in ("text/csv", "application/json", "Text/CSV; charset=utf-8"):
        assert json.loads(instance.ask("1,2", content_type).body)["body"] == "1,2"
    assert json.loads(instance.ask("1,2", "application/octet-stream").body)["body"] == b"1,2".hex()


def test_defaults_of_content_type_and_accept(run):
    seen = json.loads(run(ECHO).ask("{}").body)
    assert (seen["type"], seen["accept"]) == ("application/json", "application/json")


def test_default_accept_is_a_setting(run):
    instance = run(ECHO, {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"})
    assert instance.ask("{}").content_type == "text/csv"
    assert instance.ask("{}", accept="*/*").content_type == "text/csv"
    assert instance.ask("{}", accept="application/json").content_type == "application/json"


def test_each_hook_gets_what_the_one_before_returned(run):
    instance = run("""
        def model_fn(model_dir):
            return 10
        def input_fn(body, content_type):
            return ["in", body, content_type]
        def predict_fn(data, model):
            return data + [model]
        def output_fn(prediction, accept):
            return repr(prediction + [accept]), "text/plain"
    """)
    answer = instance.ask("x", "text/csv", "text/html")
    assert answer.body.decode() == repr(["in", "x", "text/csv", 10, "text/html"])
    assert answer.content_type == "text/plain"


@pytest.mark.parametrize("memory_size_mb, environment, threads", [
    (1024, {}, "1"), (3072, {}, "1"), (4096, {}, "2"), (6144, {}, "3"), (1024, {"LOKY_MAX_CPU_COUNT": "2"}, "2"),
])
def test_joblib_has_the_cores_of_the_memory_size(run, memory_size_mb, environment, threads):
    instance = run("""
        import os
        def model_fn(model_dir):
            return os.environ["LOKY_MAX_CPU_COUNT"]
        def transform_fn(model, body, content_type, accept):
            return model
    """, environment, memory_size_mb=memory_size_mb)
    assert instance.ask("x").body.decode() == threads


DOUBLE = """
    import numpy
    class Model:
        def predict(self, data):
            return numpy.asarray(data).sum(axis=1) * 2
    def model_fn(model_dir):
        return Model()
"""


def test_defaults_read_csv_and_json_and_write_both(run):
    instance = run(DOUBLE)
    assert instance.ask("1,2\n3,4\n", "text/csv", "text/csv").body == b"6.0\n14.0\n"
    assert json.loads(instance.ask("[[1,2],[3,4]]", "application/json").body) == [6.0, 14.0]
    assert json.loads(instance.ask('{"instances": [[1, null]]}', "application/json").body) == [None]
    # One row of CSV has two dimensions as well.
    assert instance.ask("1,2", "text/csv", "text/csv").body == b"6.0\n"


def test_defaults_read_and_write_npy(run):
    import io

    buffer = io.BytesIO()
    numpy.save(buffer, numpy.array([[1.5, 2.0]]))
    answer = run(DOUBLE).ask(buffer.getvalue(), "application/x-npy", "application/x-npy")
    assert answer.content_type == "application/x-npy"
    assert numpy.load(io.BytesIO(answer.body)).tolist() == [7.0]


def test_text_becomes_float32_unless_asked_for_more(run):
    text = """
        def model_fn(model_dir):
            class Model:
                def predict(self, data):
                    return [str(data.dtype)]
            return Model()
    """
    assert json.loads(run(text).ask("1,2", "text/csv").body) == ["float32"]
    assert json.loads(run(text, {"PILOTLIGHT_INPUT_DTYPE": "float64"}).ask("1,2", "text/csv").body) == ["float64"]


@pytest.mark.parametrize("body, content_type, accept, status, text", [
    ("1,x", "text/csv", "", 400, "row 1, column 2 of the body is not a number: 'x'"),
    ("1,2\n3", "text/csv", "", 400, "row 2 of the body has 1 columns, but the first has 2"),
    ("", "text/csv", "", 400, "the body is empty"),
    ("{", "application/json", "", 400, "the body is not JSON"),
    ("[[1],[2,3]]", "application/json", "", 400, "not of one shape"),
    ("[" * 100000, "application/json", "", 400, "nested too deep"),
    (b"\xff", "text/csv", "", 400, "not valid UTF-8"),
    (b"no", "application/x-npy", "", 400, "NumPy's format"),
    (b"x", "image/png", "", 415, "Content type image/png is not supported by this framework"),
    ("1,2", "text/csv", "image/png", 406, "Accept image/png is not supported by this framework"),
])  # fmt: skip
def test_bad_bodies_name_what_is_wrong(run, body, content_type, accept, status, text):
    instance = run(DOUBLE)
    with pytest.raises(rig.Failure) as e:
        instance.ask(body, content_type, accept)
    assert e.value.status == status and text in e.value.text
    assert instance.ask("1,2", "text/csv", "text/csv").body == b"6.0\n", "the next request is served"


def test_a_pickled_array_is_not_unpickled(run):
    import io

    buffer = io.BytesIO()
    numpy.save(buffer, numpy.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(rig.Failure) as e:
        run(DOUBLE).ask(buffer.getvalue(), "application/x-npy")
    assert e.value.status == 400


def test_accept_lists_are_weighed(run):
    instance = run(DOUBLE)
    assert instance.ask("1,2", "text/csv", "image/png, text/csv;q=0.5").content_type == "text/csv"
    assert instance.ask("1,2", "text/csv", "text/csv;q=0.1, application/json").content_type == "application/json"
    assert instance.ask("1,2", "text/csv", "image/png, */*;q=0.1").content_type == "application/json"


def test_a_response_brings_its_type_status_and_attributes(run):
    answer = run("""
        from pilotlight import Response
        def model_fn(model_dir):
            return None
        def transform_fn(model, body, content_type, accept):
            return Response(b"\\x89PNG", content_type="image/png", status=201, custom_attributes="a=b")
    """).ask("x")
    assert (answer.body, answer.content_type, answer.model_status, answer.custom_attributes) == (b"\x89PNG", "image/png", 201, "a=b")


def test_a_response_with_an_error_status_is_an_error(run):
    with pytest.raises(rig.Failure) as e:
        run("""
            from pilotlight import Response
            def model_fn(model_dir):
                return None
            def transform_fn(model, body, content_type, accept):
                return Response("no such customer", status=404)
        """).ask("x")
    assert (e.value.status, e.value.text) == (404, "no such customer")


def test_a_generator_streams_its_answer(run):
    answer = run("""
        def model_fn(model_dir):
            return 3
        def transform_fn(model, body, content_type, accept):
            def lines():
                for i in range(model):
                    yield "data: %d\\n\\n" % i
            return lines(), "text/event-stream"
    """).ask("x")
    assert answer.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n" and answer.content_type == "text/event-stream"


def test_hooks_may_take_the_context(run):
    instance = run("""
        def model_fn(model_dir, context):
            return context.system_properties["model_dir"]
        def transform_fn(model, body, content_type, accept, context):
            context.response_custom_attributes = "seen=" + context.custom_attributes
            context.set_response_content_type(0, "text/plain")
            return "%s %s %s" % (model, context.inference_id, context.get_request_header(0, "Content-Type"))
    """)
    answer = instance.ask("x", "text/csv", custom_attributes="k=v", inference_id="id-1")
    assert answer.body.decode().endswith(" id-1 text/csv")
    assert (answer.content_type, answer.custom_attributes) == ("text/plain", "seen=k=v")


def test_environment_reaches_the_script(run, tmp_path):
    instance = run("""
        import os, json
        def model_fn(model_dir):
            return None
        def transform_fn(model, body, content_type, accept):
            return json.dumps({k: os.environ.get(k) for k in json.loads(body)})
    """, {"MY_SETTING": "täst"})
    got = json.loads(instance.ask('["MY_SETTING", "SM_MODEL_DIR", "OMP_NUM_THREADS"]').body)
    assert got == {"MY_SETTING": "täst", "SM_MODEL_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}


def test_code_may_come_apart_from_the_artifact(tmp_path):
    model, code = tmp_path / "model", tmp_path / "source"
    model.mkdir()
    (model / "weights.txt").write_text("42")
    code.mkdir()
    (code / "entry.py").write_text("import helper\nmodel_fn = helper.load\ntransform_fn = helper.transform\n")
    (code / "helper.py").write_text(
        "def load(d):\n    return open(d + '/weights.txt').read()\ndef transform(m, body, content_type, accept):\n    return m\n")
    with rig.Instance(model, code_dir=code, SAGEMAKER_PROGRAM="entry.py", SAGEMAKER_SUBMIT_DIRECTORY="s3://b/sourcedir.tar.gz") as i:
        i.start()
        assert i.ask("x").body == b"42"


def test_submit_directory_of_a_repacked_model(tmp_path):
    rig.script(tmp_path, ECHO, name="entry.py")
    with rig.Instance(tmp_path, SAGEMAKER_PROGRAM="entry.py", SAGEMAKER_SUBMIT_DIRECTORY="/opt/ml/model/code") as i:
        i.start()
        assert i.ask("x", "text/plain").model_status == 200


def test_vendored_packages_are_importable_and_count(run):
    instance = run("""
        import tinything
        def model_fn(model_dir):
            return tinything.VALUE
        def transform_fn(model, body, content_type, accept):
            return model
    """, files={
        "code__vendor__tinything.py": "VALUE = 'vendored'\n",
        "code__vendor__tinything-1.2.dist-info__METADATA": "Metadata-Version: 2.1\nName: tinything\nVersion: 1.2\n",
        "code__requirements.txt": "tinything>=1.0\nnumpy\n",
    })  # fmt: skip
    assert instance.ask("x").body == b"vendored"


def test_scripts_for_sagemakers_own_packages_run(run):
    instance = run("""
        from sagemaker_containers.beta.framework import content_types, encoders, worker
        from sagemaker_inference import decoder, encoder, errors
        def model_fn(model_dir):
            return None
        def input_fn(body, content_type):
            if content_type == "x/y":
                raise errors.UnsupportedFormatError(content_type)
            if content_type == "x/z":
                raise errors.GenericInferenceToolkitError(418, "short and stout")
            return decoder.decode(body, content_type)
        def predict_fn(data, model):
            return data * 2
        def output_fn(prediction, accept):
            return worker.Response(encoders.encode(prediction, accept), mimetype=accept)
    """)
    answer = instance.ask("1,2", "text/csv", "text/csv")
    assert (answer.body, answer.content_type) == (b"2.0,4.0\n", "text/csv")
    for content_type, status in (("x/y", 415), ("x/z", 418)):
        with pytest.raises(rig.Failure) as e:
            instance.ask("1", content_type)
        assert e.value.status == status


FEATURIZER = """
    from sagemaker_containers.beta.framework import content_types, encoders, env, modules, transformer, worker
    from sagemaker_containers.beta.framework.errors import ClientError
    def model_fn(model_dir):
        return env.ServingEnv().module_name
    def input_fn(input_data, content_type):
        if content_type == content_types.CSV:
            return encoders.csv_to_numpy(input_data, "float64")
        raise ClientError("{} not supported by script!".format(content_type))
    def predict_fn(input_data, model):
        return input_data + len(model)
    def output_fn(prediction, accept):
        if accept == "x/server":
            return transformer.Transformer
        return worker.Response(encoders.encode(prediction, accept), mimetype=accept)
    if __name__ == "__main__":
        raise SystemExit("training")
"""


def test_a_script_that_trained_in_a_container_runs(run):
    """Such as come with SageMaker's examples of inference pipelines: they import all of the framework, and use three names of it."""
    instance = run(FEATURIZER)
    assert instance.ask("0.5,1", "text/csv", "text/csv").body == b"9.5,10.0\n"
    with pytest.raises(rig.Failure) as e:
        instance.ask("{}")
    assert (e.value.status, e.value.text.splitlines()[0]) == (
        500, "input_fn: sagemaker_containers.beta.framework.errors.ClientError: application/json not supported by script!")  # fmt: skip
    with pytest.raises(rig.Failure) as e:
        instance.ask("1", "text/csv", "x/server")
    assert "transformer.Transformer belongs to SageMaker's server, which does not run here" in e.value.text


def test_a_package_that_came_along_wins_over_its_stand_in(run):
    """None of the stand-in's modules is mixed into it."""
    instance = run("""
        import sagemaker_inference, sagemaker_containers
        def model_fn(model_dir):
            try:
                from sagemaker_inference import encoder
            except ImportError:
                return sagemaker_inference.WHOSE
        def transform_fn(model, body, content_type, accept):
            return model
    """, files={"code__vendor__sagemaker_inference.py": "WHOSE = 'mine'\n"})  # fmt: skip
    assert instance.ask("x").body == b"mine"


def test_the_program_may_be_named_as_a_module(tmp_path):
    rig.script(tmp_path, FEATURIZER, name="featurizer.py")
    with rig.Instance(tmp_path, SAGEMAKER_PROGRAM="featurizer") as i:
        i.start()
        assert i.ask("1", "text/csv", "application/json").body == b"[[11.0]]"


def test_a_stopped_instance_leaves_with_zero_and_runs_exit_functions(run):
    instance = run(ECHO + """
    import atexit
    atexit.register(print, "goodbye")
    """)
    assert instance.stop() == 0
    assert "goodbye" in instance.log()


def test_a_sparse_matrix_is_read(run):
    import io

    import scipy.sparse

    buffer = io.BytesIO()
    scipy.sparse.save_npz(buffer, scipy.sparse.csr_matrix([[0, 1.5], [2, 0]]))
    answer = run("""
        def model_fn(model_dir):
            return None
        def predict_fn(data, model):
            return [type(data).__name__, data.sum()]
    """).ask(buffer.getvalue(), "application/x-npz")
    assert json.loads(answer.body) == ["csr_matrix", 3.5]


ORDERED = """
    CALLS = []
    def pre_model_fn(model_dir):
        CALLS.append("pre_model_fn")
    def model_fn(model_dir):
        CALLS.append("model_fn")
        return "the model"
    def model_warmup_fn(model_dir, model):
        CALLS.append("model_warmup_fn with " + model)
    def execution_parameters_fn():
        CALLS.append("never")
    def transform_fn(model, body, content_type, accept):
        return ", ".join(CALLS), "text/plain"
"""


def test_hooks_around_the_load(run):
    """Before it and after it, and none for batch transform."""
    assert run(ORDERED).ask("x").body == b"pre_model_fn, model_fn, model_warmup_fn with the model"


@pytest.mark.parametrize("hook", ["pre_model_fn", "model_warmup_fn"])
def test_they_are_named_when_they_fail(run, hook):
    text = ORDERED.replace(f'CALLS.append("{hook}', f'raise ValueError("no"); CALLS.append("{hook}')
    with pytest.raises(rig.Failure) as failed:
        run(text)
    assert failed.value.text.startswith(f"{hook}: ValueError: no")


def test_settings_of_a_container_that_mean_nothing_here(run):
    """A server's workers and timeouts, nginx, ports: the script may read them, nothing minds them."""
    settings = {"SAGEMAKER_MODEL_SERVER_WORKERS": "4", "SAGEMAKER_MODEL_SERVER_TIMEOUT": "60", "SAGEMAKER_STARTUP_TIMEOUT": "600", "SAGEMAKER_SAFE_PORT_RANGE": "1-2",
                "SAGEMAKER_MULTI_MODEL": "false", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "6", "SAGEMAKER_USE_NGINX": "True", "SAGEMAKER_REGION": "eu-west-1"}
    instance = run("""
        import json, os
        def model_fn(model_dir):
            return None
        def transform_fn(model, body, content_type, accept):
            return json.dumps({k: v for k, v in os.environ.items() if k.startswith("SAGEMAKER_")})
    """, settings)
    assert json.loads(instance.ask("x").body).items() >= {**settings, "SAGEMAKER_BASE_DIR": "/opt/ml"}.items()
