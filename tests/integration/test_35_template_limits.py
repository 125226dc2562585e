"""Which templates stay: no more than templates.limit, none that an instance needs the memory of, none for longer than templates.keep."""
import re

import pytest

import custom
import suite
from suite import wait_until
from test_26_templates import SCRIPT, Served, alive


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A host with room for six of the smallest memory size, and for two templates."""
    running = suite.Up(tmp_path_factory.mktemp("up"), "--set", "worker.memory=6GiB", "--set", "worker.overcommit=1", "--set", "worker.templates.limit=2",
                       "--set", "worker.templates.keep=8s").start()
    yield running
    code = running.stop()
    assert code == 0, f"pilotlight up ended with {code}:\n{running.program.tail()}\n{running.logs()}"


@pytest.fixture
def serve(up, artifacts):
    made = []

    def deploy(name, script=SCRIPT, keep_alive_ms=600000, snapshot="1", **fields):
        up.serve(name, custom.archive(artifacts, script), model_fields={"runtime": "python", "environment": {"PILOTLIGHT_SNAPSHOT": snapshot}, **fields}, keep_alive_ms=keep_alive_ms)
        made.append(name)
        return Served(up, name)
    yield deploy
    for name in made:
        up.delete_endpoint(name)
    wait_until(lambda: not up.runners(), "nothing is left of it")


def why_ended(it):
    """In the order in which they did."""
    return re.findall(rf'template_ends endpoint="{it.name}" .*why="([^"]+)"', it.host_log())


@pytest.mark.slow
def test_the_least_recently_used_makes_way(serve):
    """First for another template, then for an instance that finds no memory; whose own it was starts all the same."""
    first, second = serve("first"), serve("second")
    for it in (first, second):
        it.template()
        assert it.ask("STATE['loaded_in']") == it.template()
    first.end_instances()
    assert first.ask("STATE['loaded_in']") == first.template()  # used again: the second is older now
    third = serve("third")
    third.template()
    third.ask("1")
    wait_until(lambda: not second.templates(), "the second's has made way")
    assert why_ended(second) == ["there are more than templates.limit"] and first.templates() and third.templates()
    second.end_instances()
    assert second.ask("STATE['loaded_in']") == 1  # by itself

    # Three instances and two templates; one more instance, and the host is full.
    serve("fourth", snapshot="0").ask("1")
    wait_until(lambda: len(first.templates() + second.templates() + third.templates()) == 2, "two templates are there")
    before = {it.name: it.templates() for it in (first, second, third)}
    fifth = serve("fifth", snapshot="0")
    assert fifth.ask("os.getpid()") == 1
    ended = [it for it in (first, second, third) if before[it.name] and not alive(before[it.name][0])]
    assert [why_ended(it)[-1] for it in ended] == ["an instance needs its memory"]
    assert sum(len(it.templates()) for it in (first, second, third)) == 1


@pytest.mark.slow
def test_it_ends_when_nobody_has_used_it(up, serve):
    """For templates.keep after its last instance; the next start is an ordinary one, and makes another."""
    it = serve("rarely", keep_alive_ms=1000)
    pid = it.template()
    assert it.ask("STATE['loaded_in']") == pid
    wait_until(lambda: not up.instances("rarely"), "its instance has ended")
    assert alive(pid)
    wait_until(lambda: not alive(pid), "and so, after a while, has its template")
    assert why_ended(it) == ["not used for templates.keep"]
    assert it.ask("STATE['loaded_in']") == 1
    it.template()


def test_why_there_is_none_is_said_where_people_look(up, artifacts):
    """A model of a runtime that has none: in its endpoint's log, once, and it serves."""
    up.serve("program", custom.archive(artifacts, custom.script("server.py"), program="serve", executable=True),
             model_fields={"runtime": "http", "environment": {"PILOTLIGHT_SNAPSHOT": "1"}})
    assert up.invoke("program", b"hello").body == b"hello from nobody"
    it = Served(up, "program")
    it.said("no template for this model, its instances load it themselves: only python runtimes have templates")
    assert it.logs().count("no template for this model") == 1
    up.delete_endpoint("program")


def test_that_there_is_no_memory_for_one_is_said_too(up, artifacts):
    """The instance fills the host. It is said once, though it is tried again."""
    up.serve("alone", custom.archive(artifacts, SCRIPT), model_fields={"runtime": "python", "environment": {"PILOTLIGHT_SNAPSHOT": "1"}},
             memory=6144, keep_alive_ms=600000)
    it = Served(up, "alone")
    assert it.ask("STATE['loaded_in']") == 1
    it.said("no template for this model, its instances load it themselves: ")
    it.end_instances()
    assert it.ask("STATE['loaded_in']") == 1
    assert it.logs().count("no template for this model") == 1 and "memory" in it.logs()
    up.delete_endpoint("alone")


def test_a_template_that_cannot_load_is_said_too(serve):
    it = serve("only-instances", SCRIPT + "\n_model_fn = model_fn\ndef model_fn(model_dir):\n    if os.getpid() != 1:\n        raise ValueError('not here')\n    return _model_fn(model_dir)\n")
    it.said("no template for this model")
    assert "ValueError: not here" in it.logs()
    assert it.ask("STATE['loaded_in']") == 1


@pytest.mark.slow
def test_none_at_all(tmp_path, artifacts):
    """templates.keep=0"""
    running = suite.Up(tmp_path, "--set", "worker.templates.keep=0s").start()
    try:
        running.serve("none", custom.archive(artifacts, SCRIPT), model_fields={"runtime": "python", "environment": {"PILOTLIGHT_SNAPSHOT": "1"}})
        it = Served(running, "none")
        assert it.ask("STATE['loaded_in']") == 1
        it.said("this host keeps none (templates.keep)")
        assert it.templates() == []
    finally:
        assert running.stop() == 0, running.logs()
