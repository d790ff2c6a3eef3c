"""What storing trials costs: appends per second, writers side by side, the search loop around a simulator, going on after a stop.

Run with ``python benchmarks/store.py``; figures are printed as tables, with ratios to the simulator alone and to Optuna's SQLite storage.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import designgym as dg
from designgym.core.registry import EnvironmentSpec, FixedWorkloads
from designgym.core.trial import Keys, Provenance, Trial
from designgym.studies.processes import new_owner
from designgym.studies.records import Record, RunContext, RunPlan
from designgym.studies.store import open_store
from designgym.studies.study import Study

SPACE = dg.DesignSpace({f"p{i}": dg.Categorical(*"abcdefgh") for i in range(6)} | {f"n{i}": dg.Integer(0, 99) for i in range(4)})
METRICS = [f"m{i}_ns" for i in range(10)]
BATCH = 8


@dg.simulator(space=SPACE, metrics=METRICS, version="1")
def instant(design: dg.Design, workload: int, *, seed: int) -> dict[str, float]:
    value = float(sum(design[f"n{i}"] for i in range(4)))
    return {name: value + i for i, name in enumerate(METRICS)}


ENV = EnvironmentSpec("bench/Instant-v0", lambda: instant, FixedWorkloads({"w": 1}), {"sum": dg.minimize("m0_ns")}, "w")


def records(count: int, run: str) -> list[Record]:
    rng = np.random.default_rng(0)
    values = {name: float(i) / 3 for i, name in enumerate(METRICS)}
    provenance = Provenance("instant", "1", "1", "w", "0" * 32, run=run)
    trials = [
        Trial(design, dg.Metrics(values, cost_s=0.001), provenance, Keys(f"{run}{i:028d}", f"{run}{i:028d}"), number=i)
        for i, design in enumerate(SPACE.sample(rng, count))
    ]
    return [Record(trial, -1.0, True, trial.number // BATCH) for trial in trials]


def write(store: str, run: str, count: int, pause_s: float, times: multiprocessing.Queue[list[float]]) -> None:
    """Append ``count`` trials in batches, with ``pause_s`` between them for the simulator's work."""
    with open_store(store) as opened:
        owner = new_owner()
        row = opened.claim("bench", run, owner)
        trials, taken = records(count, run), []
        state = {"batches": 1, "told": 0, "searcher": {"rng": list(range(200))}}
        for start in range(0, count, BATCH):
            if pause_s:
                time.sleep(pause_s)
            began = time.perf_counter()
            opened.append(row.id, owner, trials[start : start + BATCH], progress={"budget": count}, checkpoint=state)
            taken.append(time.perf_counter() - began)
    times.put(taken)


def writers(folder: Path, count: int, number: int, pause_s: float) -> None:
    store = str(folder / f"w{number}-{pause_s}.db")
    plans = [RunPlan(f"r{i}", "w", "0" * 32, "random", {}, i) for i in range(number)]
    with open_store(store) as opened:
        opened.save_definition("bench", {"name": "bench"})
        opened.add_runs("bench", plans, RunContext("instant", "1", "1", 1.0, 0))
    times: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=write, args=(store, plan.run, count, pause_s, times)) for plan in plans]
    for process in processes:
        process.start()
    taken = sorted(second for _ in processes for second in times.get())
    for process in processes:
        process.join()
    each = statistics.mean(taken)
    print(
        f"{number:7d}  {1e3 * pause_s:14.0f}  {1e3 * statistics.median(taken):9.2f}  {1e3 * taken[int(0.99 * len(taken))]:6.2f}  "
        f"{1e6 * each / BATCH:12.0f}  {number * BATCH / (each + pause_s):9.0f}"
    )


def loop(folder: Path) -> None:
    workload = ENV.workload()
    designs = SPACE.sample(np.random.default_rng(1), 2000)
    began = time.perf_counter()
    for start in range(0, len(designs), BATCH):
        instant.evaluate(designs[start : start + BATCH], workload)
    alone_us = (time.perf_counter() - began) / len(designs) * 1e6
    print(f"simulator alone, in batches of {BATCH}                {alone_us:8.0f} us per design")
    Study("warm", ENV, searchers="random", budget=8).run(backend="local", store=":memory:")
    for place, title in ((":memory:", "search loop, store in memory"), (str(folder / "loop.db"), "search loop, store on disk")):
        began = time.perf_counter()
        study = Study("loop", ENV, searchers="random", budget=2000, functional="off", reuse=place != ":memory:")
        study.run(backend="local", store=place)
        print(f"{title:<46} {(time.perf_counter() - began) / 2000 * 1e6:8.0f} us per design (proposing included)")
    began = time.perf_counter()
    searcher = dg.searchers.make_searcher("random", SPACE, dg.minimize("m0_ns"), seed=0)
    for _ in range(2000 // BATCH):
        searcher.ask(BATCH)
    print(f"{'of which the random searcher proposes for':<46} {(time.perf_counter() - began) / 2000 * 1e6:8.0f} us per design")
    began = time.perf_counter()
    Study("loop", ENV, searchers="random", budget=2008, functional="off").run(backend="local", store=folder / "loop.db")
    print(f"{'going on after 2,000 stored trials':<46} {(time.perf_counter() - began) * 1e3:8.0f} ms")


def optuna_storage(folder: Path) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=f"sqlite:///{folder / 'optuna.db'}", sampler=optuna.samplers.RandomSampler(seed=0))
    began = time.perf_counter()
    for _ in range(50):
        trial = study.ask()
        SPACE.to_optuna(trial)
        study.tell(trial, 1.0)
    print(f"{'Optuna, SQLite storage, random sampler':<46} {(time.perf_counter() - began) / 50 * 1e6:8.0f} us per design")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{os.cpu_count()} cores; batches of {BATCH} trials, ten parameters, ten metrics, a checkpoint with each\n")
        print("writers  simulating/ms  median/ms  99%/ms  per trial/us  trials/s")
        for number, pause_s in ((1, 0.0), (2, 0.0), (4, 0.0), (1, 0.02), (2, 0.02), (4, 0.02)):
            writers(folder, 1600, number, pause_s)
        print()
        loop(folder)
        optuna_storage(folder)


if __name__ == "__main__":
    main()
