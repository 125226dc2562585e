"""The stages of tests/run: what is built, what is tested with it, in which order.

Lanes go on side by side: one builds, one tests what is built already, one reads the text. A new unit test, fuzzer or pytest file needs no
line here: ctest knows the first two by their labels, pytest finds the third.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

from stage_run import ROOT, Lanes, Stage

PYTHON = "/usr/bin/python3"
CORES = os.cpu_count() or 1
SUPPRESSIONS = ROOT / "tests" / "sanitizers"
FUZZ_SECONDS = int(os.environ.get("PILOTLIGHT_FUZZ_SECONDS", "1"))

# What waits more than it computes may be more than the cores are.
PYTEST_WORKERS = CORES + 1

ASAN = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1", "PILOTLIGHT_PATIENCE": "120"}
# Without the last, each program would sleep for a second at its end.
TSAN = {"TSAN_OPTIONS": f"suppressions={SUPPRESSIONS}/tsan.supp atexit_sleep_ms=0", "PILOTLIGHT_PATIENCE": "120"}
if (SUPPRESSIONS / "lsan.supp").exists():
    ASAN["LSAN_OPTIONS"] = f"suppressions={SUPPRESSIONS}/lsan.supp"

# Unit tests that valgrind runs, by ctest's names: those that read bytes from outside with code of ours alone. It finds what the
# sanitizers do not: decisions on bytes that nobody has written.
VALGRIND = "^(base_(buf|err|mem|time)|wire_|log_log|config_|cost_)|^control_validate"

# Beside builds on a small machine an answer may come late: so few that failed get one more look, alone, and are named when they pass then.
# What a sanitizer has found stays found.
SECOND_LOOKS = 5
FINDINGS = ("AddressSanitizer: ", "LeakSanitizer: ", "ThreadSanitizer: ", "UndefinedBehaviorSanitizer: ", ": runtime error: ")


# ---- builds ----

def build(stage, *options):
    return stage.check("build", ["deploy/build", "--no-install", *options])


def build_release(stage):
    build(stage)


def build_asan(stage):
    build(stage, "--preset", "asan", "services/all")


def build_tsan(stage):
    build(stage, "--preset", "tsan")


def build_fuzz(stage):
    build(stage, "--preset", "fuzz")


def clang(stage):
    """The warnings of another compiler, as errors, for what build-fuzz does not have from it. Nothing is generated: that is gcc's work."""
    def command(entry):
        arguments = shlex.split(entry["command"])
        while arguments[0] != "cc" and not arguments[0].endswith(("/cc", "/gcc")):
            arguments.pop(0)  # a launcher
        at = arguments.index("-o")
        return ["clang-14", "-fsyntax-only", *arguments[1:at], *arguments[at + 2:]], entry["directory"]

    def commands(folder):
        with open(ROOT / folder / "compile_commands.json") as f:
            return json.load(f)

    built = {entry["file"] for entry in commands("build-fuzz")}
    left = {entry["file"]: entry for entry in commands("build") if "/gen/" not in entry["file"] and entry["file"] not in built}
    entries = list(left.values())
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        runs = [pool.submit(stage.run, *command(entry)) for entry in entries]
        failed = sum(run.result() != 0 for run in runs)
    stage.count(passed=len(entries) - failed, failed=failed)


# ---- tests ----

def second_look(stage, is_test, command, option, env):
    """Runs again what failed, when that is little; 'command' makes the command from the names."""
    found = any(finding in stage.log.read_text(errors="replace") for finding in FINDINGS)
    if 0 < len(stage.failures) <= SECOND_LOOKS and all(map(is_test, stage.failures)) and not found:
        stage.again(command(stage.failures), option, env)


def ctest(stage, folder, labels, env=None):
    always = ["ctest", "--test-dir", folder, "--output-on-failure", "--no-tests=error"]
    stage.junit([*always, "-L", labels, "-j", str(CORES + 1)], "--output-junit", env)
    second_look(stage, lambda name: re.fullmatch(r"\w+", name), lambda names: [*always, "-R", f"^({'|'.join(names)})$"], "--output-junit", env)


def pytest(stage, binaries, env, *options):
    env = {"PILOTLIGHT_BIN": str(ROOT / binaries / "bin"), **(env or {})}
    always = [PYTHON, "-m", "pytest", "-q"]
    stage.junit([*always, "-n", str(PYTEST_WORKERS), "--dist", "loadgroup", *options], "--junitxml", env)
    second_look(stage, lambda name: "::" in name, lambda names: [*always, *map(node, names)], "--junitxml", env)


def node(name):
    """"test_01_services::test_x@test_01_services" as pytest wants it on its command line: without its group."""
    file, _, test = re.sub(r"@test_\w+$", "", name).partition("::")
    return f"tests/integration/{file.rpartition('.')[2]}.py::{test}"


def unit(stage):
    ctest(stage, "build", "unit|sim|fuzz")


def integration(stage):
    pytest(stage, "build", None, "tests/integration")


def asan_unit(stage):
    ctest(stage, "build-fuzz", "unit|sim|fuzz", ASAN)


def asan_integration(stage):
    pytest(stage, "build-asan", ASAN, "-m", "not slow", "tests/integration")


def tsan_unit(stage):
    ctest(stage, "build-tsan", "threads", TSAN)


def tsan_integration(stage):
    """Life, traffic and its limits; what the other files look at does not depend on threads."""
    pytest(stage, "build-tsan", TSAN, "-m", "not slow", *(f"tests/integration/{name}" for name in ("test_01_services.py", "test_04_invoke.py",
                                                                                                 "test_05_limits.py")))


def fuzz(stage):
    """Each fuzzer from its corpus; what it finds beyond that is thrown away, unless it is a failure."""
    def one(program):
        name = program.name.removeprefix("fuzz_")
        with tempfile.TemporaryDirectory() as found:
            return stage.run([str(program), f"-max_total_time={FUZZ_SECONDS}", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=0",
                              f"-artifact_prefix={ROOT}/build-fuzz/{name}-", found, str(ROOT / "tests" / "fuzz" / "corpus" / name)])

    programs = [p for p in sorted((ROOT / "build-fuzz" / "fuzz").glob("fuzz_*")) if p.is_file() and os.access(p, os.X_OK)]
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        codes = dict(zip(programs, pool.map(one, programs)))
    for program, code in codes.items():
        stage.count(passed=code == 0, failed=code != 0, name=program.name)
    if not programs:
        stage.count(failed=1, name="there are no fuzzers")


def valgrind(stage):
    listed = subprocess.run(["ctest", "--test-dir", str(ROOT / "build"), "-R", VALGRIND, "--show-only=json-v1"], capture_output=True, check=True)
    tests = json.loads(listed.stdout)["tests"]

    def one(test):
        where = next(p["value"] for p in test["properties"] if p["name"] == "WORKING_DIRECTORY")
        return stage.run(["valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite,possible",
                          *test["command"]], where)

    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        codes = list(pool.map(one, tests))
    for test, code in zip(tests, codes):
        stage.count(passed=code == 0, failed=code != 0, name=test["name"])
    if not tests:
        stage.count(failed=1, name="no unit test has one of the names")


def aarch64(stage):
    stage.lines([PYTHON, "tests/aarch64/run"])


def cgroup2(stage):
    stage.lines([PYTHON, "tests/cgroup2/run"])


def rules(stage):
    stage.lines([PYTHON, "tests/rules"])


STAGES = [
    Stage("build", "build", (), build_release, "release build by gcc"),
    Stage("build-fuzz", "build", ("build",), build_fuzz, "ASan, UBSan and libFuzzer by clang, with its warnings: unit tests, fuzzers"),
    Stage("clang", "build", ("build-fuzz",), clang, "clang's warnings for what only the release build has"),
    Stage("build-tsan", "build", ("build",), build_tsan, "programs and tests that have threads, with ThreadSanitizer"),
    Stage("build-asan", "build", ("build",), build_asan, "programs with ASan and UBSan by gcc"),
    Stage("rules", "text", (), rules, "house rules that text can check"),
    Stage("unit", "test", ("build",), unit, "unit tests, simulations, fuzz corpora"),
    Stage("integration", "test", ("build",), integration, "real programs and real clients, with a short soak"),
    Stage("valgrind", "test", ("build",), valgrind, "parsers under valgrind"),
    Stage("asan-unit", "test", ("build-fuzz",), asan_unit, "unit tests and fuzz corpora with ASan and UBSan"),
    Stage("fuzz", "test", ("build-fuzz",), fuzz, f"every fuzzer for {FUZZ_SECONDS} s"),
    Stage("tsan-unit", "test", ("build-tsan",), tsan_unit, "unit tests that have threads, with TSan"),
    Stage("tsan-integration", "test", ("build-tsan",), tsan_integration, "life, traffic and limits with TSan"),
    Stage("aarch64", "test", ("build",), aarch64, "worker and common compiled for aarch64, compiled forests run there"),
    Stage("cgroup2", "test", ("build",), cgroup2, "control groups of version 2, in a virtual machine with Debian's kernel and init"),
    Stage("asan-integration", "test", ("build-asan",), asan_integration, "integration with ASan and UBSan, without the slow ones"),
]
QUICK = ("build", "unit")
# The slow looks with sanitizers, at another CPU and another kernel: only with --all, as they would double the time of a run.
DEEP = ("build-tsan", "build-asan", "tsan-unit", "tsan-integration", "aarch64", "cgroup2", "asan-integration")


def chosen(only):
    """The stages of these names and what they need, in the order of the table."""
    wanted, by_name = list(only), {stage.name: stage for stage in STAGES}
    for name in wanted:
        if name not in by_name:
            print(f"tests/run: there is no stage '{name}' (see --list)", file=sys.stderr)
            sys.exit(2)
        wanted.extend(need for need in by_name[name].needs if need not in wanted)
    return [stage for stage in STAGES if stage.name in wanted]


def main():
    parser = argparse.ArgumentParser(prog="tests/run", add_help=False)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", type=lambda text: text.split(","))
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        for stage in STAGES:
            print(f"{stage.name:<17} {stage.title}{' (with --all)' if stage.name in DEEP else ''}")
        return 0
    only = QUICK if options.quick else options.only or [stage.name for stage in STAGES if options.all or stage.name not in DEEP]
    missing = [program for program in ("cmake", "ninja", "clang-14", "valgrind") if not shutil.which(program)]
    if missing:
        print(f"tests/run: not installed: {', '.join(missing)}; without --no-install they are", file=sys.stderr)
        return 2
    return Lanes(chosen(only), ROOT / "build" / "test-logs").run()


if __name__ == "__main__":
    os.chdir(pathlib.Path(ROOT))
    sys.exit(main())
