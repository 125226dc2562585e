"""Fixtures of the integration tests: a suite that many tests share, stacks that a test may break, models good and bad.

    pytest tests/integration [-m "not slow"] [-n 3 --dist loadgroup]      with PILOTLIGHT_BIN=DIR for other binaries than build/bin

Files are numbered from basic to complex: the first failure is the one to look at.
"""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import aws_js  # noqa: E402
import models  # noqa: E402
import suite  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "xdist_group: which tests stay together when several processes share the work")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in a hook of the same name
def pytest_collection_modifyitems(items):
    """With `-n N --dist loadgroup`: tests that share a running suite stay together, each of the others goes to whoever is free."""
    for item in items:
        if "up" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group(item.fspath.purebasename))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Puts the end of the services' logs under a failed test."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for name in ("up", "stack"):
            running = item.funcargs.get(name)
            if isinstance(running, suite.Up):
                report.sections.append(("pilotlight up", running.program.tail() + "\n" + running.logs()))
            elif isinstance(running, suite.Stack):
                report.sections.extend((key, program.tail()) for key, program in running.programs.items())


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory):
    return models.Artifacts(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """`pilotlight up`, shared by the tests of one file; it must end well."""
    running = suite.Up(tmp_path_factory.mktemp("up"), "--set", "router.keep_alive=60s").start()
    yield running
    code = running.stop()
    assert code == 0, f"pilotlight up ended with {code}:\n{running.program.tail()}\n{running.logs()}"


@pytest.fixture
def stack(tmp_path):
    """Control, worker and router for one test, not yet started; what still lives at the end must end well."""
    running = suite.Stack(tmp_path)
    yield running
    codes = running.stop()
    bad = {name: code for name, code in codes.items() if code not in (0, -9)}
    assert not bad, f"ended with {bad}:\n" + "\n".join(running.programs[name].tail() for name in bad)


@pytest.fixture(scope="module")
def diabetes(up):
    """The sample in service under the name 'diabetes'."""
    up.serve("diabetes", models.SAMPLE_URI, concurrency=8)
    return models.Sample()


@pytest.fixture(scope="session")
def javascript():
    """The folder that has the newest AWS clients for JavaScript."""
    return aws_js.install(suite.BIN.parent / "aws_js")


@pytest.fixture(scope="module")
def node(aws, javascript):
    """Those clients, of the file's own 'aws', to be called from here."""
    running = aws_js.JavaScript(javascript, aws.environment)
    yield running
    running.close()


@pytest.fixture
def name(request):
    """A resource name of its own for each test."""
    text = "".join(c if c.isalnum() else "-" for c in request.node.name.removeprefix("test_"))
    return text[:60].strip("-")
