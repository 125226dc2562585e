"""Scripts that fail, in every place and every way: their caller reads why, and the next request is served where that is possible."""
import os
import signal

import pytest
import rig

HOOKS = {
    "model_fn": "def model_fn(model_dir):\n    {}\n    return 1\n",
    "input_fn": "def input_fn(body, content_type):\n    {}\n    return 1\n",
    "predict_fn": "def predict_fn(data, model):\n    {}\n    return 1\n",
    "output_fn": "def output_fn(prediction, accept):\n    {}\n    return '1'\n",
    "transform_fn": "def transform_fn(model, body, content_type, accept):\n    {}\n    return '1'\n",
}


def with_hook(name, line):
    """A good script but for 'line' in one hook, where it runs when the body is 'bad'."""
    others = ("model_fn", "transform_fn") if name == "transform_fn" else ("model_fn", "input_fn", "predict_fn", "output_fn")
    return "import builtins, os, sys\n" + "".join(HOOKS[h].format(line if h == name else "pass") for h in others)


def fails_to_load(tmp_path, text, **environment):
    rig.script(tmp_path, text)
    with rig.Instance(tmp_path, **environment) as instance:
        with pytest.raises(rig.Failure) as e:
            instance.start()
        instance.stop()
        return e.value, instance.log()


# ---- while loading ----


def test_import_fails(tmp_path):
    failure, log = fails_to_load(tmp_path, "x = 1\nraise ValueError('bad day')\n")
    assert failure.status == 500
    assert failure.text.startswith("importing inference.py: ValueError: bad day\n")
    assert 'inference.py", line 2, in <module>' in failure.text
    assert "Traceback (most recent call last)" in log and "bad day" in log


def test_missing_module_is_named(tmp_path):
    failure, _ = fails_to_load(tmp_path, "import no_such_package\n")
    assert "ModuleNotFoundError: No module named 'no_such_package'" in failure.text


def test_syntax_error_shows_its_line(tmp_path):
    failure, _ = fails_to_load(tmp_path, "def model_fn(:\n    pass\n")
    assert "SyntaxError" in failure.text and "def model_fn(:" in failure.text


def test_model_fn_fails(tmp_path):
    failure, _ = fails_to_load(tmp_path, "def model_fn(d):\n    return open(d + '/weights.bin')\n")
    assert failure.text.startswith("model_fn: FileNotFoundError: ")


def test_model_fn_exits(tmp_path):
    failure, _ = fails_to_load(tmp_path, "import sys\ndef model_fn(d):\n    sys.exit(3)\n")
    assert failure.text.startswith("model_fn called sys.exit(3)")


@pytest.mark.parametrize("text, reason", [
    ("def predict_fn(d, m):\n    pass\n", "inference.py has no model_fn(model_dir)"),
    ("model_fn = 3\n", "model_fn in inference.py is not a function"),
    ("async def model_fn(d):\n    pass\n", "'async def': hooks are plain functions"),
    ("def model_fn(d): pass\ndef transform_fn(m, b, c, a): pass\ndef input_fn(b, c): pass\n", "transform_fn and also input_fn"),
])  # fmt: skip
def test_scripts_that_do_not_fit(tmp_path, text, reason):
    failure, _ = fails_to_load(tmp_path, text)
    assert failure.status == 500 and reason in failure.text


@pytest.mark.parametrize("environment, reason", [
    ({"SAGEMAKER_PROGRAM": "other.py"}, "SAGEMAKER_PROGRAM 'other.py' is not there: the folder of the code has inference.py"),
    ({"SAGEMAKER_PROGRAM": "../../etc/passwd"}, "not a file inside the folder of the code"),
    ({"SAGEMAKER_PROGRAM": "/etc/passwd"}, "not a file inside the folder of the code"),
    ({"PILOTLIGHT_INPUT_DTYPE": "int8"}, "PILOTLIGHT_INPUT_DTYPE is 'int8': float32, float64 are allowed"),
])  # fmt: skip
def test_settings_that_do_not_fit(tmp_path, environment, reason):
    failure, _ = fails_to_load(tmp_path, "def model_fn(d):\n    return 1\n", **environment)
    assert reason in failure.text


# ---- while answering ----


@pytest.mark.parametrize("hook", ["input_fn", "predict_fn", "output_fn", "transform_fn"])
def test_each_hook_may_raise(run, hook):
    instance = run(with_hook(hook, "if builtins.__dict__.setdefault('calls', []) == []: builtins.calls.append(1); raise KeyError('lost')"))
    with pytest.raises(rig.Failure) as e:
        instance.ask("1")
    assert e.value.status == 500
    assert e.value.text.startswith(f"{hook}: KeyError: 'lost'\n")
    assert f"in {hook}" in e.value.text and "pilotlight_runtime" not in e.value.text
    assert instance.ask("1").body == b"1"
    assert f"{hook} failed\nTraceback" in instance.log()


@pytest.mark.parametrize("line, text", [
    ("sys.exit('enough')", "predict_fn called sys.exit(enough)"),
    ("raise KeyboardInterrupt", "predict_fn: KeyboardInterrupt"),
    ("raise GeneratorExit", "predict_fn: GeneratorExit"),
    ("raise MemoryError", "predict_fn: out of memory: the instance may use 1024 MB (memory_size_mb)"),
    ("f = lambda: f(); f()", "predict_fn: RecursionError"),
    ("raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()", "(its text cannot be made)"),
])  # fmt: skip
def test_whatever_is_raised_ends_the_request_alone(run, line, text):
    instance = run(with_hook("predict_fn", f"if data == 'bad': {line}").replace("return 1\ndef predict", "return body\ndef predict"))
    with pytest.raises(rig.Failure) as e:
        instance.ask("bad", "text/csv")
    assert e.value.status == 500 and text in e.value.text
    assert instance.ask("good", "text/csv").body == b"1"


def test_an_exception_may_bring_its_status(run):
    instance = run(with_hook("predict_fn", "from pilotlight import InferenceError; raise InferenceError(422, 'age is negative')"))
    with pytest.raises(rig.Failure) as e:
        instance.ask("1")
    assert e.value.status == 422 and "age is negative" in e.value.text


def test_long_errors_are_cut_for_the_caller_and_whole_in_the_log(run):
    text = "def ping(n):\n    return pong(n - 1) if n else 1 / 0\ndef pong(n):\n    return ping(n)\n" + with_hook("predict_fn", "ping(450)")
    instance = run(text)
    with pytest.raises(rig.Failure) as e:
        instance.ask("1")
    assert 60 << 10 < len(e.value.text.encode()) <= 64 << 10
    assert e.value.text.startswith("predict_fn: ZeroDivisionError: division by zero\n...")
    assert e.value.text.endswith("ZeroDivisionError: division by zero")
    assert instance.log().count("in ping") >= 450


def test_long_texts_are_cut_between_characters(run):
    instance = run(with_hook("predict_fn", "raise ValueError('ä' * 100000)"))
    with pytest.raises(rig.Failure) as e:
        instance.ask("1")
    assert len(e.value.text.encode()) <= 64 << 10 and "\ufffd" not in e.value.text


@pytest.mark.parametrize("returned, reason", [
    ("None", "output_fn returned NoneType: an answer is bytes, str"),
    ("{'a': 1}", "output_fn returned dict"),
    ("42", "output_fn returned int"),
    ("object()", "output_fn returned object"),
    ("('x', 3)", "content type that is not printable ASCII"),
    ("('x', 'text/\\r\\nevil: 1')", "content type that is not printable ASCII"),
    ("(None, 'text/plain')", "output_fn returned NoneType"),
    ("b'x' * (7 << 20)", "the answer has 7340032 bytes, but the limit is 6291456"),
    ("(b'x' * 65536 for _ in iter(int, 1))", "but the limit is 6291456"),
    ("(str(1 // i) for i in (1, 0))", "output_fn: ZeroDivisionError"),
])  # fmt: skip
def test_wrong_answers_are_named(run, returned, reason):
    instance = run(with_hook("output_fn", f"if prediction == 1: return {returned}"))
    with pytest.raises(rig.Failure) as e:
        instance.ask("1")
    assert e.value.status == 500 and reason in e.value.text


def test_a_prediction_that_cannot_be_written_is_named(run):
    instance = run("def model_fn(d):\n    return 1\ndef predict_fn(data, model):\n    return object()\n")
    with pytest.raises(rig.Failure) as e:
        instance.ask("[1]")
    assert "the prediction, a object, cannot be written as application/json" in e.value.text


# ---- what else they do ----


def test_change_of_directory_hurts_nobody(run):
    instance = run(with_hook("predict_fn", "os.chdir('/')"))
    assert instance.ask("1").body == b"1" and instance.ask("1").body == b"1"


def test_exit_without_ceremony_is_a_death(run):
    instance = run(with_hook("predict_fn", "os._exit(7)"))
    with pytest.raises(rig.Died) as e:
        instance.ask("1")
    assert str(e.value).startswith("exit 7")


def test_a_crash_in_c_leaves_its_traceback_in_the_log(run):
    instance = run(with_hook("predict_fn", "import ctypes; ctypes.string_at(0)"))
    with pytest.raises(rig.Died):
        instance.ask("1")
    assert instance.process.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in instance.log() and "in predict_fn" in instance.log()


def test_a_fork_that_comes_back_does_not_answer_twice(run):
    instance = run(with_hook("predict_fn", "os.fork()"))
    for _ in range(3):
        assert instance.ask("1").body == b"1"
    assert instance.stop() == 0


def test_subprocesses_do_not_hold_the_socket(run):
    instance = run(with_hook("predict_fn", "import subprocess; subprocess.Popen(['sleep', '3'])"))
    assert instance.ask("1").body == b"1"
    instance.process.kill()
    assert instance.socket.recv(1) == b"", "end of file as soon as the instance is gone"



def test_threads_do_not_keep_it_alive(run):
    instance = run(with_hook("predict_fn", "import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()"))
    assert instance.ask("1").body == b"1"
    assert instance.stop() == 0


def test_signal_handlers_that_raise_do_not_tear_a_frame(run):
    instance = run("""
        import signal
        def model_fn(model_dir):
            def on_signal(number, frame):
                raise RuntimeError("interrupted")
            signal.signal(signal.SIGUSR1, on_signal)
            return 1
        def transform_fn(model, body, content_type, accept):
            return body
    """)
    body = b"x" * (3 << 20)
    for part in (1000, 2 << 20):
        instance.questions += 1
        message = rig.InvokeRequest(body=body, content_type="x/y").SerializeToString()
        frame = rig.HEADER.pack(len(message), rig.INVOKE, 1, 0, instance.questions) + message
        instance.socket.sendall(frame[:part])
        instance.process.send_signal(signal.SIGUSR1)
        instance.socket.sendall(frame[part:])
        kind, payload = instance.receive()
        assert kind == rig.RESULT and rig.InvokeResponse.FromString(payload).body == body
    instance.process.send_signal(signal.SIGUSR1)
    assert instance.ask("still here", "x/y").body == b"still here"
    assert "the handler of signal 10 failed" in instance.log()


def test_printed_text_is_there_before_the_answer(run):
    instance = run(with_hook("predict_fn", "print('hello'); sys.stderr.write('no newline'); sys.stdout.buffer.write(bytes(range(256)))"))
    instance.ask("1")
    log = instance.log()
    assert "hello" in log and "no newline" in log


def test_printf_of_a_c_library_is_there_before_the_answer(run):
    instance = run(with_hook("predict_fn", "import ctypes; ctypes.CDLL(None).printf(b'from C')"))
    instance.ask("1")
    assert "from C" in instance.log()


@pytest.mark.parametrize("line", ["sys.stdout.close()", "sys.stdout = sys.stderr = None", "os.closerange(1, 3)"])
def test_streams_may_be_closed(run, line):
    instance = run(with_hook("predict_fn", line))
    assert instance.ask("1").body == b"1" and instance.ask("1").body == b"1"


def test_logging_goes_to_standard_error_by_level(run):
    instance = run("import logging\n" + with_hook("predict_fn", "logging.info('quiet'); logging.warning('loud')"),
                   {"SAGEMAKER_CONTAINER_LOG_LEVEL": "30"})  # fmt: skip
    instance.ask("1")
    assert "WARNING root: loud" in instance.log() and "quiet" not in instance.log()


def test_code_is_not_written_beside_the_model(run, tmp_path):
    run("import helper\n" + with_hook("predict_fn", "pass"), files={"code__helper.py": "x = 1\n"})
    assert not list(tmp_path.rglob("__pycache__"))
