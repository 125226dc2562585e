"""Instances come and go, and nothing of them stays: descriptors, processes, control groups, namespaces, mounts, files.

PILOTLIGHT_LEAK_CYCLES=10000 for as many starts and stops as a busy host makes in a night; 500 when not said.
"""
import concurrent.futures
import os
import pathlib

import models
import suite

CYCLES = int(os.environ.get("PILOTLIGHT_LEAK_CYCLES", "500"))
WARM_UP = 40
AT_ONCE = 4
# Groups without a process are kept for the next ones, as many as there have once been at a time: how many live, blank and dying processes
# that is, is chance. A leak would be one in each of up to three hierarchies with every start.
SLACK = {"groups": 120}


def own_namespaces(worker):
    """Those of the worker's descendants that it does not live in itself."""
    found = set()
    own = {os.readlink(link) for link in pathlib.Path(f"/proc/{worker}/ns").iterdir()}
    for pid in suite.descendants(worker):
        try:
            found.update(os.readlink(link) for link in pathlib.Path(f"/proc/{pid}/ns").iterdir())
        except OSError:
            continue
    return found - own


def groups(worker):
    """Control groups that the worker has made, in every hierarchy."""
    return sorted(path for top in pathlib.Path("/sys/fs/cgroup").glob("**/pilotlight*") if top.name.endswith(str(worker))
                  for path in top.iterdir() if path.is_dir())


def standing(stack):
    """What there is now, of everything that an instance has some of."""
    worker = stack.pid("worker")
    return {
        "descriptors": len(os.listdir(f"/proc/{worker}/fd")),
        "processes": len(suite.descendants(worker)),
        "namespaces": len(own_namespaces(worker)),
        "groups": len(groups(worker)),
        "mounts": len(pathlib.Path(f"/proc/{worker}/mounts").read_text().splitlines()),
        "files": sum(1 for path in stack.folder.glob("cache/**/*") if path.is_file()),
        "temporary files": sum(1 for path in (stack.folder / "tmp").glob("**/*")),
        "router's descriptors": len(os.listdir(f"/proc/{stack.pid('router')}/fd")),
    }


def settled(stack):
    """When the last instance has gone and the stock is full again: what is there does not change any more."""
    suite.wait_until(lambda: not stack.runners() and not stack.instances(), "every instance has gone")
    seen = [None, None]

    def same():
        seen.append(standing(stack))
        return seen[-1] == seen[-2] == seen[-3]
    suite.wait_until(same, "things settle", every=0.3)
    return seen[-1]


def cold_calls(stack, count):
    """Each finds nothing running: an endpoint that keeps nothing, never called twice at once."""
    sample = models.Sample()

    def some(worker):
        for _ in range(count // AT_ONCE):
            assert stack.invoke(f"leaks-{worker}", sample.row(0)).body == sample.answer(0)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(some, range(AT_ONCE)))


def test_nothing_stays(stack):
    (stack.folder / "tmp").mkdir()
    stack.env = {"TMPDIR": str(stack.folder / "tmp")}
    stack.start()
    for i in range(AT_ONCE):
        stack.serve(f"leaks-{i}", models.SAMPLE_URI, concurrency=1, keep_alive_ms=0)
    cold_calls(stack, WARM_UP)
    before = settled(stack)
    cold_calls(stack, CYCLES)
    after = settled(stack)
    started = sum(v.instances_started for i in range(AT_ONCE) for v in stack.stats(f"leaks-{i}"))
    assert started >= (WARM_UP + CYCLES) * 0.9, f"only {started} instances started"
    grown = {name: (before[name], after[name]) for name in after if after[name] > before[name] + SLACK.get(name, 0)}
    assert not grown, f"after {CYCLES} starts and stops there is more than before: {grown}"
