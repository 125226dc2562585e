#!/usr/bin/python3
"""Calls without end while everything under them changes.

    tests/fault/soak.py [--calls 100000] [--seed S] [--no-kill]

Several endpoints with a keep-alive of a fraction of a second are called in waves, so that each goes from zero to many instances and back
over and over; all the while they are updated in place to another model and back, and instance processes are killed (SIGKILL) at random.

Every call has a row of its own, and its answer must be what one of the endpoint's two models predicts for that row. No call may fail but
for the death of its own instance (INSTANCE_DIED), and there may be no more of those than kills. A JSON summary is printed; exit 1 when
something was not as it must be. 100,000 calls take two to four minutes on two cores.
"""
import argparse
import collections
import json
import multiprocessing
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS / "integration")]

ENDPOINTS = 4
CALLERS, THREADS = 2, 8       # processes, and threads in each
CONCURRENCY = CALLERS * THREADS
KEEP_ALIVE_MS = 150
WAVE_S = 0.6                  # in each wave two of the endpoints are called and the others go to zero
KILL_EVERY_S = 0.4
UPDATE_EVERY_S = 1.5
MOST_TIMES = 30               # as many calls as asked for, at the most, until enough has happened
ROWS = 20000
FEATURES = 10
CALL_TIMEOUT_S = 60


# ---- models: two for each endpoint, and what each predicts for every row ----

def make_world(folder, seed):
    import numpy
    import xgboost

    import models
    rng = numpy.random.default_rng(seed)
    rows = rng.normal(size=(ROWS, FEATURES)).astype(numpy.float32)
    text = [",".join(str(float(v)) for v in row) for row in rows]
    artifacts, world = models.Artifacts(folder), []
    for endpoint in range(ENDPOINTS):
        versions = []
        for version in range(2):
            target = rows[:3000] @ rng.normal(size=FEATURES) + rng.normal(size=3000)
            booster = xgboost.train({"max_depth": 6, "nthread": 1, "verbosity": 0, "seed": seed},
                                    xgboost.DMatrix(rows[:3000], target, nthread=1), 40)
            uri = artifacts.tar(models.entry("xgboost-model", bytes(booster.save_raw("ubj"))))
            predictions = [f"{float(p)}\n" for p in booster.predict(xgboost.DMatrix(rows, nthread=1))]
            versions.append({"uri": uri, "predictions": predictions})
        world.append({"name": f"soak-{endpoint}", "versions": versions})
    return text, world


# ---- callers: processes of their own ----

class Caller:
    def __init__(self, number, address, rows, world, seed, counter, calls, enough, results):
        self.number, self.address, self.rows, self.world = number, address, rows, world
        self.counter, self.calls, self.enough, self.results = counter, calls, enough, results
        self.random = random.Random(seed * 1000 + number)
        self.began = time.monotonic()

    def run(self):
        import grpc

        import protos
        import suite
        self.grpc, self.protos = grpc, protos
        channel = grpc.insecure_channel(self.address, suite.CHANNEL)
        self.inference = protos.Service(channel, "pilotlight.v1.InferenceService")
        threads = [threading.Thread(target=self.call_on, args=(self.random.random(),)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        channel.close()

    def next_call(self):
        """The number of the next call; None when all are taken and enough has happened meanwhile."""
        with self.counter.get_lock():
            if self.counter.value >= self.calls and (self.enough.is_set() or self.counter.value >= MOST_TIMES * self.calls):
                return None
            self.counter.value += 1
            return self.counter.value - 1

    def call_on(self, seed):
        rng, seen = random.Random(seed), collections.Counter()
        while (number := self.next_call()) is not None:
            wave = int(time.monotonic() / WAVE_S)
            endpoint = self.world[(wave + rng.randrange(2)) % ENDPOINTS]
            seen[self.one(endpoint, number % ROWS)] += 1
        self.results.put(dict(seen))

    def one(self, endpoint, row):
        try:
            answer = self.inference.Invoke(endpoint_name=endpoint["name"], body=self.rows[row].encode(), content_type="text/csv",
                                           timeout=CALL_TIMEOUT_S)
        except self.grpc.RpcError as error:
            told = self.protos.Failure(error)
            return "died" if told.reason == "INSTANCE_DIED" else f"failed: {told!r}"[:400]
        body = answer.body.decode()
        if body in (endpoint["versions"][0]["predictions"][row], endpoint["versions"][1]["predictions"][row]):
            return "cold" if answer.timings.cold else "warm"
        return f"wrong answer of {endpoint['name']}: row {row} got {body!r}"[:400]


def caller_main(*arguments):
    Caller(*arguments).run()


# ---- what happens meanwhile ----

class Trouble:
    """Kills, updates and counts, in threads of the main process."""

    def __init__(self, up, world, seed, kill, enough):
        self.up, self.world, self.random, self.kill, self.enough = up, world, random.Random(seed), kill, enough
        self.over = threading.Event()
        self.kills = self.updates = 0
        self.zeros, self.most = collections.Counter(), collections.Counter()
        self.wrong = []
        jobs = [self.update_on, self.watch] + ([self.kill_on] if kill else [])
        self.threads = [threading.Thread(target=job, daemon=True) for job in jobs]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(60)

    def kill_on(self):
        while not self.over.wait(KILL_EVERY_S * (0.5 + self.random.random())):
            runners = self.up.runners()
            if runners:
                try:
                    os.kill(self.random.choice(runners), signal.SIGKILL)
                    self.kills += 1
                except ProcessLookupError:
                    pass

    def update_on(self):
        version = [0] * len(self.world)
        while not self.over.wait(UPDATE_EVERY_S * (0.5 + self.random.random())):
            which = self.random.randrange(len(self.world))
            name = self.world[which]["name"]
            version[which] ^= 1
            wanted = f"{name}-{version[which]}"
            self.up.endpoints.UpdateEndpoint(name=name, endpoint_config_name=wanted)
            endpoint, status = self.up.settled(name)
            # The throw-away instance that proves a model may be the one that was killed: then the old config goes on serving.
            if status != "IN_SERVICE" or (endpoint.failure_reason and "instance died" not in endpoint.failure_reason):
                self.wrong.append(f"update of {name}: {status} {endpoint.failure_reason}")
            version[which] = int(endpoint.endpoint_config_name[-1])
            self.updates += 1

    def watch(self):
        before = collections.Counter()
        while not self.over.wait(0.05):
            now = collections.Counter(i.endpoint_name for i in self.up.instances())
            for endpoint in self.world:
                name = endpoint["name"]
                self.zeros[name] += before[name] > 0 and now[name] == 0
                self.most[name] = max(self.most[name], now[name])
            before = now
            if self.updates and min(self.zeros[endpoint["name"]] for endpoint in self.world):
                self.enough.set()


def set_up(up, world):
    import suite
    for endpoint in world:
        name = endpoint["name"]
        for i, version in enumerate(endpoint["versions"]):
            up.create_model(f"{name}-{i}", version["uri"])
            up.create_config(f"{name}-{i}", suite.variant_of(f"{name}-{i}", concurrency=CONCURRENCY, keep_alive_ms=KEEP_ALIVE_MS))
        up.create_endpoint(name, f"{name}-0")
    for endpoint in world:
        made, status = up.settled(endpoint["name"])
        assert status == "IN_SERVICE", made.failure_reason


def call_all(up, rows, world, options, context, enough):
    """What was seen, and how many calls were made."""
    counter, results = context.Value("q", 0), context.Queue()
    arguments = up.address("router"), rows, world, options.seed, counter, options.calls, enough, results
    callers = [context.Process(target=caller_main, args=(i, *arguments)) for i in range(CALLERS)]
    for caller in callers:
        caller.start()
    seen = collections.Counter()
    for _ in range(CALLERS * THREADS):
        seen.update(results.get(timeout=options.limit))
    for caller in callers:
        caller.join(60)
    return seen, counter.value


def judge(seen, made, trouble):
    """Everything that is not as it must be, in words."""
    wrong = [f"{text} ({count} times)" for text, count in seen.items() if text not in ("warm", "cold", "died")] + trouble.wrong
    if sum(seen.values()) != made:
        wrong.append(f"{sum(seen.values())} calls ended instead of {made}")
    if seen["died"] > trouble.kills:
        wrong.append(f"{seen['died']} calls lost their instance, but only {trouble.kills} instances were killed")
    if not trouble.enough.is_set():
        wrong.append(f"too little happened: zeros {dict(trouble.zeros)}, updates {trouble.updates}")
    return wrong


def main():
    parser = argparse.ArgumentParser(prog="tests/fault/soak.py")
    parser.add_argument("--calls", type=int, default=100000, help="at least; more until every endpoint was at zero and one was updated")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--no-kill", action="store_true", help="without killing instances")
    parser.add_argument("--limit", type=float, default=600, metavar="SECONDS", help="a hang ends the run after this long")
    options = parser.parse_args()
    import suite
    with tempfile.TemporaryDirectory(prefix="pilotlight-soak-") as text:
        folder = pathlib.Path(text)
        rows, world = make_world(folder, options.seed)
        up = suite.Up(folder).start()
        try:
            set_up(up, world)
            began = time.monotonic()
            context = multiprocessing.get_context("spawn")
            enough = context.Event()
            with Trouble(up, world, options.seed, not options.no_kill, enough) as trouble:
                seen, made = call_all(up, rows, world, options, context, enough)
            took = time.monotonic() - began
            wrong = judge(seen, made, trouble)
            suite.wait_until(lambda: not up.instances() and not up.runners(), "all endpoints are at zero")
            logs = up.logs() if wrong else ""
        finally:
            code = up.stop()
    if code != 0:
        wrong.append(f"the suite ended with exit code {code}")
    print(json.dumps({"calls": made, "seconds": round(took, 1), "calls_per_second": round(made / took), "warm": seen["warm"],
                      "cold": seen["cold"], "lost_with_their_instance": seen["died"], "kills": trouble.kills, "updates": trouble.updates,
                      "times_at_zero": sum(trouble.zeros.values()), "most_instances": sum(trouble.most.values()), "seed": options.seed,
                      "wrong": wrong}, indent=2))
    if wrong and logs:
        print(logs, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
