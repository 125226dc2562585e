"""Runs stages: each with a log of its own, a time, and the count of its checks. tests/lib/stages.py has the table."""
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
HANG_S = 1800      # no stage takes as long
TELL_EVERY_S = 30  # what is still going on
TAIL_LINES = 120   # of a failed stage's log, without what only says that something went well
DULL = re.compile(r"\[\d+/\d+\] (Building|Linking|Generating)|\s*Start +\d+: |.* Passed +[0-9.]+ sec$")


class Stage:
    """One stage. 'work' is called with it, runs commands by the methods below, and thereby counts its checks."""

    def __init__(self, name, lane, needs, work, title):
        self.name, self.lane, self.needs, self.work, self.title = name, lane, needs, work, title
        self.passed = self.failed = self.skipped = 0
        self.failures, self.skips, self.late = [], [], []
        self.log = self.folder = None
        self.began = self.took = None
        self.cpu = 0.0
        self.lock = threading.Lock()
        self.running = set()

    def begin(self, folder):
        self.folder = folder
        self.log = folder / f"{self.name}.log"
        self.log.write_bytes(b"")
        self.began = time.monotonic()

    def count(self, passed=0, failed=0, skipped=0, name=None):
        with self.lock:
            self.passed += passed
            self.failed += failed
            self.skipped += skipped
            if failed and name:
                self.failures.append(name)

    def run(self, command, folder=ROOT, env=None):
        """Runs a command, its output to the log in one piece if others run beside it; returns its exit code."""
        part = self.folder / f"{self.name}.{threading.get_ident()}.part"
        with open(part, "wb") if threading.current_thread().name.startswith("ThreadPool") else open(self.log, "ab") as out:
            out.write(f"$ {' '.join(map(str, command))}\n".encode())
            out.flush()
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                       env={**os.environ, **(env or {})}, start_new_session=True)
            with self.lock:
                self.running.add(process)
            try:
                code = self.wait(process)
                if code is None:
                    out.write(f"ended by force: {self.name} takes more than {HANG_S} s\n".encode())
            finally:
                self.end(process)
        if part.exists():
            with self.lock, open(self.log, "ab") as log:
                log.write(part.read_bytes())
            part.unlink()
        return code

    def wait(self, process):
        """The exit code, or None when it takes too long; what it has cost is added up."""
        while time.monotonic() - self.began < HANG_S:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                with self.lock:
                    self.cpu += used.ru_utime + used.ru_stime
                return process.returncode
            time.sleep(0.05)
        return None

    def end(self, process):
        """The command and whatever it has left behind."""
        with self.lock:
            self.running.discard(process)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def check(self, name, command, env=None):
        """One command that is one check."""
        code = self.run(command, env=env)
        self.count(passed=code == 0, failed=code != 0, name=name)

    def junit(self, command, option, env=None):
        """A command that writes a JUnit file, where its checks are counted."""
        report = self.folder / f"{self.name}.xml"
        report.unlink(missing_ok=True)
        code = self.run([*command, option, str(report)], env=env)
        self.read_junit(report)
        if code != 0 and not self.failed:
            self.count(failed=1, name=f"{command[0]} ended with {code}")
        if code == 0 and not self.passed:
            self.count(failed=1, name="nothing was tested")

    def again(self, command, option, env=None):
        """A second look at what junit() saw failing; what passes now counts as passed, and is named."""
        before, self.failures = self.failures, []
        self.failed = 0
        self.junit(command, option, env)
        self.late = [name for name in before if name not in self.failures]

    def read_junit(self, report):
        if not report.exists():
            return
        for case in xml.etree.ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname', '')}::{case.get('name')}" if case.get("classname") != case.get("name") else case.get("name")
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                self.count(failed=1, name=name)
            elif skipped is not None or case.get("status") in ("notrun", "disabled"):
                self.count(skipped=1)
                self.skips.append(f"{name}: {skipped.get('message') if skipped is not None else 'not run'}")
            else:
                self.count(passed=1)

    def lines(self, command):
        """A command that prints a line 'ok NAME', 'FAIL NAME' or 'skip NAME: WHY' for each check."""
        code = self.run(command)
        for line in self.log.read_text(errors="replace").splitlines():
            word, _, name = line.partition(" ")
            if word == "skip":
                self.skips.append(name)
            self.count(passed=word == "ok", failed=word == "FAIL", skipped=word == "skip", name=name)
        if code != 0 and not self.failed:
            self.count(failed=1, name=f"{command[-1]} ended with {code}")

    def last_line(self):
        with open(self.log, "rb") as f:
            f.seek(max(0, self.log.stat().st_size - 4096))
            lines = [line for line in f.read().decode(errors="replace").splitlines() if line.strip()]
        return re.sub(r"\x1b\[[0-9;]*m", "", lines[-1]).strip()[:80] if lines else ""


class Lanes:
    """Runs the stages of each lane in order, the lanes side by side."""

    def __init__(self, stages, folder):
        self.stages, self.folder = stages, folder
        self.by_name = {stage.name: stage for stage in stages}
        self.over = {stage.name: threading.Event() for stage in stages}
        self.print_lock = threading.Lock()
        self.began = time.monotonic()
        self.stopped = False

    def say(self, text):
        seconds = int(time.monotonic() - self.began)
        with self.print_lock:
            print(f"[{seconds // 60:2}:{seconds % 60:02}] {text}", flush=True)

    def run(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        threads = [threading.Thread(target=self.run_lane, args=(lane,), name=lane) for lane in dict.fromkeys(s.lane for s in self.stages)]
        teller = threading.Thread(target=self.tell, daemon=True)
        for thread in (*threads, teller):
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            self.stop()
            print("tests/run: interrupted", flush=True)
            return 1
        return self.summary()

    def stop(self):
        self.stopped = True
        for stage in self.stages:
            for process in list(stage.running):
                stage.end(process)

    def run_lane(self, lane):
        for stage in self.stages:
            if stage.lane == lane and not self.stopped:
                for need in stage.needs:
                    self.over[need].wait()
                self.run_stage(stage)
                self.over[stage.name].set()

    def run_stage(self, stage):
        broken = [need for need in stage.needs if self.by_name[need].failed]
        stage.begin(self.folder)
        if broken:
            stage.count(failed=1, name=f"not run: {', '.join(broken)} failed")
        else:
            self.say(f"== {stage.name}: {stage.title}")
            try:
                stage.work(stage)
            except Exception as error:  # a stage that cannot even start is a failed one
                stage.count(failed=1, name=f"{type(error).__name__}: {error}")
        stage.took = time.monotonic() - stage.began
        self.report(stage)

    @staticmethod
    def counts(stage):
        skipped = f", {stage.skipped} skipped" if stage.skipped else ""
        return f"{stage.passed} passed, {stage.failed} failed{skipped}"

    def report(self, stage):
        self.say(f"-- {stage.name}: {self.counts(stage)}, {stage.took:.0f} s, {stage.cpu:.0f} s of a core")
        with self.print_lock:
            for skip in stage.skips:
                print(f"     skipped {skip}", flush=True)
            for name in stage.late:
                print(f"     passed only on a second look: {name}", flush=True)
            if not stage.failed:
                return
            tail = [line for line in stage.log.read_text(errors="replace").splitlines() if not DULL.match(line)][-TAIL_LINES:]
            print("\n".join(f"     | {line}" for line in tail))
            for name in stage.failures:
                print(f"     FAILED {name}")
            print(f"     all of it: {stage.log.relative_to(ROOT)}", flush=True)

    def tell(self):
        while True:
            time.sleep(TELL_EVERY_S)
            for stage in self.stages:
                if stage.began and not stage.took and not self.stopped:
                    self.say(f".. {stage.name}, {time.monotonic() - stage.began:.0f} s: {stage.last_line()}")

    def summary(self):
        print()
        for stage in self.stages:
            print(f"{stage.name:<17} {stage.took:5.0f} s {stage.cpu:5.0f} s of a core   {self.counts(stage)}")
        failures = [f"{stage.name}: {name}" for stage in self.stages for name in stage.failures]
        for failure in failures:
            print(f"FAILED {failure}")
        passed, failed = sum(s.passed for s in self.stages), sum(s.failed for s in self.stages)
        print(f"{'all':<17} {time.monotonic() - self.began:5.0f} s\n{passed} passed, {failed} failed")
        return 1 if failed or not passed else 0
