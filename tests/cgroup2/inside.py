"""What the machine of tests/cgroup2/run is for: each check starts the product's programs or tests as a unit of systemd, as whoever
operates a host would, and looks at what they say and at the control groups that they make."""
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path("/usr/local/bin")
GROUPS = pathlib.Path("/sys/fs/cgroup")
UNITS = pathlib.Path("/run/systemd/system")
# The checkout again, where neither our /tmp nor a private one hides it.
ASIDE = pathlib.Path("/run/checkout")
SAMPLE = ASIDE / "deploy" / "sample" / "diabetes"
DELEGATE, NOBODY = "Delegate=yes", "User=nobody"
PATIENCE_S = 120
PASSED = ("HOME", "PATH", "PILOTLIGHT_PATIENCE", "PYTHONDONTWRITEBYTECODE")
numbers = itertools.count()


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"{what}: not after {PATIENCE_S} s"
        time.sleep(0.2)


def systemctl(*words, check=True):
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, check=check).stdout


def as_unit(command, *settings, code=0):
    """Runs a command as a unit of its own until it ends; what it has said. 'code': how it must end; None: anyhow."""
    name = f"check-{next(numbers)}.service"
    out = pathlib.Path("/tmp") / name
    lines = ["[Unit]", "DefaultDependencies=no", "[Service]", "Type=oneshot", "WorkingDirectory=/tmp", f"StandardOutput=file:{out}",
             "StandardError=inherit", *[f"Environment={key}={os.environ[key]}" for key in PASSED], *settings, f"ExecStart={command}"]
    (UNITS / name).write_text("\n".join(lines) + "\n")
    systemctl("start", name, check=False)
    ended, said = int(systemctl("show", "-P", "ExecMainStatus", name)), out.read_text(errors="replace")
    print(f"$ {command} ({', '.join(settings)})\n{said}", file=sys.stderr, flush=True)
    assert code in (None, ended), f"it ended with {ended} instead of {code}"
    return said


def left():
    """Groups of workers that are no more; one that is in use has processes or is somebody's who lives."""
    return [str(path) for path in GROUPS.glob("**/pilotlight-[0-9]*")]


# ---- doctor ----

def doctor(*settings, command=f"{BIN}/pilotlight doctor -o json", complete=None):
    found = json.loads(as_unit(command, *settings, code=None if complete is None else 0 if complete else 1))
    assert not left(), left()
    return found["limits"], {check["key"]: check for check in found["checks"] if not check["ok"]}


def shell(text):
    return f"/bin/sh -ec '{text}'"


def only_version_2():
    mounts = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
    assert [(m[1], m[2]) for m in mounts if m[2].startswith("cgroup")] == [(str(GROUPS), "cgroup2")]


def doctor_as_root():
    """In a group that is systemd's: at the top of all groups."""
    assert doctor(complete=True) == ("cgroup v2", {})


def doctor_as_root_delegated():
    """In a unit of its own, with the shell and doctor itself in it, and nothing at the top."""
    said = as_unit(shell(f"{BIN}/pilotlight doctor -o name; cat /proc/self/cgroup"), DELEGATE)
    assert said.splitlines()[0].endswith("/pilotlight-worker"), said


def doctor_as_nobody_delegated():
    """A user without rights has all three limits where they are delegated."""
    limits, missing = doctor(DELEGATE, NOBODY)
    assert limits == "cgroup v2" and not {"MEMORY", "CPU", "PIDS"} & set(missing), missing


def doctor_as_nobody():
    limits, missing = doctor(NOBODY, complete=False)
    assert limits == "rlimit only" and {"MEMORY", "CPU", "PIDS"} <= set(missing)
    assert "not delegated" in missing["MEMORY"]["why"] and "Delegate=yes" in missing["MEMORY"]["advice"], missing


def doctor_with_a_parent():
    """The folder that an operator names and that has been given nothing yet; one with processes in it, which cannot be it."""
    parent = GROUPS / "models" / "mine"
    parent.mkdir(parents=True)
    command = f"{BIN}/pilotlight doctor -o json --cgroup-parent {parent}"
    assert doctor(command=command, complete=True) == ("cgroup v2", {})
    with subprocess.Popen(["sleep", "1000"]) as sleeper:
        (parent / "cgroup.subtree_control").write_text("-memory -cpu -pids")
        (parent / "cgroup.procs").write_text(str(sleeper.pid))
        limits, missing = doctor(command=command, complete=False)
        sleeper.kill()
    assert limits == "rlimit only" and "processes in it" in missing["MEMORY"]["why"], missing
    assert "cgroup_parent" in missing["MEMORY"]["advice"]


def doctor_with_some_controllers():
    """What is given is used, and what is not is named: nobody may change what the folder above hands down."""
    above, parent = GROUPS / "some", GROUPS / "some" / "mine"
    parent.mkdir(parents=True)
    (GROUPS / "cgroup.subtree_control").write_text("+memory +pids")
    (above / "cgroup.subtree_control").write_text("+memory +pids")
    for path in (parent, parent / "cgroup.procs", parent / "cgroup.subtree_control"):
        shutil.chown(path, "nobody")
    limits, missing = doctor(NOBODY, command=f"{BIN}/pilotlight doctor -o json --cgroup-parent {parent}")
    assert limits == "cgroup v2" and not {"MEMORY", "PIDS"} & set(missing), missing
    assert "has no cpu controller" in missing["CPU"]["why"], missing


def doctor_in_a_container():
    """Sees its own group as the top, and nothing above it; or may not write it."""
    inside = f"umount {GROUPS}; mount -t cgroup2 {{}} cgroup2 {GROUPS}; {BIN}/pilotlight doctor -o json"
    command = "/usr/bin/unshare --cgroup --mount " + shell(inside)
    assert doctor(command=command.format("-o rw"), complete=True) == ("cgroup v2", {})
    limits, missing = doctor(command=command.replace("mount -t cgroup2 {}", "mount -t cgroup2 -o ro"), complete=False)
    assert limits == "rlimit only" and "Read-only" in missing["MEMORY"]["why"] and "container" in missing["MEMORY"]["advice"], missing


# ---- the suite's own tests ----

def unit_tests():
    as_unit("/usr/bin/ctest --test-dir {} -j2 -R '^(sandbox_|worker_seats)' --output-on-failure --no-tests=error".format(ROOT / "build"), DELEGATE)


def integration(names, *settings, **environment):
    tests = " ".join(f"{ROOT}/tests/integration/{name}" for name in names)
    more = [f"Environment={key}={value}" for key, value in {"PILOTLIGHT_BIN": BIN, **environment}.items()]
    as_unit(f"/usr/bin/python3 -m pytest -q -x -p no:cacheprovider {tests}", *more, *settings)
    wait_until(lambda: not left(), "no group of a worker is left")


def without_rights():
    integration(["test_28_sandbox.py::test_without_rights_it_serves_cold_and_warm_and_at_once",
                 "test_28_sandbox.py::test_without_rights_its_log_says_what_doctor_says"])


def nothing_stays():
    integration(["test_29_leaks.py"], DELEGATE, PILOTLIGHT_LEAK_CYCLES=100)


# ---- the units that are installed ----

CONFIGS = {
    "control": "listen: [127.0.0.1:8082]\nadmin_listen: 127.0.0.1:8092\ndatabase: /var/lib/pilotlight-control/pilotlight.db\n",
    "router": "listen: [127.0.0.1:8081]\nadmin_listen: 127.0.0.1:8091\ncontrol: 127.0.0.1:8082\n",
    "worker": f"listen: [127.0.0.1:8083]\nadmin_listen: 127.0.0.1:8093\ncontrol: 127.0.0.1:8082\nadvertise: 127.0.0.1:8083\n"
              f"sandbox: require\ncache_dir: /var/cache/pilotlight-worker\nfile_roots: [{SAMPLE}]\n",
}
SERVICES = [f"pilotlight-{name}" for name in CONFIGS]
OF_THE_WORKER = GROUPS / "system.slice" / "pilotlight-worker.service"


def pilotlight(*words):
    where = {"PILOTLIGHT_CONTROL": "127.0.0.1:8082", "PILOTLIGHT_ROUTER": "127.0.0.1:8081"}
    return subprocess.run([str(BIN / "pilotlight"), *words], env={**os.environ, **where}, capture_output=True, text=True, check=True).stdout


def called():
    row, wanted = ((SAMPLE / name).read_text().splitlines()[0] for name in ("rows.csv", "predictions.csv"))
    assert pilotlight("invoke", "diabetes", row).strip() == wanted


def host():
    return json.loads(pilotlight("get", "hosts", "-o", "json"))[0]


def groups_of_instances():
    """{name: pids} of those that the worker's unit has made."""
    return {path.parent.name: path.read_text().split() for path in OF_THE_WORKER.glob("pilotlight-[0-9]*/i[0-9]*/cgroup.procs")}


def the_installed_units():
    """As the README starts them: limits lie in the worker's own unit, whose memory is what there is; a restart finds its place again."""
    pathlib.Path("/etc/pilotlight").mkdir()
    for name, text in CONFIGS.items():
        pathlib.Path(f"/etc/pilotlight/{name}.yaml").write_text(text)
    override = UNITS / "pilotlight-worker.service.d"
    override.mkdir()
    (override / "memory.conf").write_text("[Service]\nMemoryMax=2G\n")
    systemctl("daemon-reload")
    systemctl("start", *SERVICES)
    pilotlight("apply", "-f", str(SAMPLE / "manifest.yaml"))
    called()
    called()
    limits = [path.read_text().strip() for path in OF_THE_WORKER.glob("pilotlight-[0-9]*/i[0-9]*/memory.max")]
    assert sum(map(len, groups_of_instances().values())) >= 1 and str(1 << 30) in limits, (groups_of_instances(), limits)
    assert host()["memory_mb"] == 2048, host()
    systemctl("restart", "pilotlight-worker")
    wait_until(lambda: host()["connected"], "the worker is back")
    called()
    assert groups_of_instances() and len(list(OF_THE_WORKER.glob("pilotlight-[0-9]*"))) == 1
    systemctl("stop", *SERVICES)
    assert not left() and not OF_THE_WORKER.exists()


CHECKS = [only_version_2, doctor_as_root, doctor_as_root_delegated, doctor_as_nobody_delegated, doctor_as_nobody, doctor_with_some_controllers,
          doctor_with_a_parent, doctor_in_a_container, the_installed_units, unit_tests, without_rights, nothing_stays]


def look(check):
    name, began = check.__name__.replace("_", " "), time.monotonic()
    try:
        check()
        word = "ok"
    except Exception as error:  # whatever it is, the next one is looked at, too
        said = error.stdout + error.stderr if isinstance(error, subprocess.CalledProcessError) else ""
        print(f"-- {name}\n{traceback.format_exc()}{said}", file=sys.stderr, flush=True)
        word = "FAIL"
    print(f"{word} {name} ({time.monotonic() - began:.0f} s)", flush=True)


def main():
    ASIDE.mkdir()
    subprocess.run(["mount", "--bind", ROOT, ASIDE], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp"], check=True)
    if not ROOT.is_dir():  # it lies in /tmp itself
        ROOT.mkdir(parents=True)
        subprocess.run(["mount", "--bind", ASIDE, ROOT], check=True)
    UNITS.mkdir(parents=True, exist_ok=True)
    os.chdir("/tmp")
    for check in CHECKS:
        if len(sys.argv) == 1 or check.__name__ in sys.argv[1:]:
            look(check)
    print("end", flush=True)


if __name__ == "__main__":
    main()
