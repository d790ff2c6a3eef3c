"""Seconds that GPU workers are occupied by a cell search, without a cache and with exact keys, exact and functional ones.

Run: python benchmarks/gpu_workers.py [--proposals N] [--fidelity X] [--gpus G]

The search is regularised evolution as published, which does not care whether it has proposed a cell before, on `designgym/NasCell-v0`. Each
training is an evaluation that declares a GPU and runs on a Ray actor that holds one. On a machine without GPUs, Ray is told of ``--gpus``
logical ones: who holds what, and for how long, is then as real as the trainings, which then run on the CPU.
"""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

import designgym as dg
from designgym.hashing.fingerprints import AuditedFingerprints
from designgym.hashing.local_cache import LocalCache
from designgym.simulators.nas.simulator import CellTraining, Device
from designgym.studies.pool import OnPool, hide_gpus, start_pool

ENV = "designgym/NasCell-v0"
POPULATION, TOURNAMENT = 20, 5


GPU = dg.Resources(cpus=0.0, gpus=1.0)


class TrainingOnGpu(CellTraining):
    """The training of cells by a worker that holds a GPU, and computes on it unless it is only a logical one."""

    def __init__(self, device: Device = "cpu") -> None:
        super().__init__(device)
        self.resources = GPU


class Search:
    """Regularised evolution: the winner of a tournament is mutated, the oldest of the population dies (Real et al. 2019)."""

    def __init__(self, space: dg.DesignSpace) -> None:
        self._space, self._rng = space, np.random.default_rng(0)
        self._population: deque[tuple[float, dg.Design]] = deque(maxlen=POPULATION)

    def ask(self, n: int) -> list[dg.Design]:
        """Return ``n`` designs."""
        if len(self._population) < POPULATION:
            return self._space.sample(self._rng, n)
        return [self._space.mutate(self._winner(), self._rng) for _ in range(n)]

    def tell(self, trials: Sequence[dg.Trial]) -> None:
        """Let the designs into the population."""
        self._population.extend((trial.metrics["validation_accuracy"], trial.design) for trial in trials)

    def _winner(self) -> dg.Design:
        chosen = self._rng.choice(len(self._population), size=TOURNAMENT, replace=False)
        return max((self._population[int(i)] for i in chosen), key=lambda member: member[0])[1]


def search(mode: str, simulator: TrainingOnGpu, pool: list[Any], proposals: int, fidelity: float) -> dict[str, Any]:
    """Return what a search occupied and found."""
    workload = dg.envs.environment(ENV).workload(None)
    on_pool = OnPool(pool)
    busy_s: list[float] = []

    def execute(designs: Sequence[dg.Design], workload: dg.Workload, fidelity: float, seed: int) -> list[dg.Metrics]:
        results: dict[int, dg.Metrics] = {}
        on_pool(designs, workload, fidelity, seed, lambda positions, found: results.update(zip(positions, found, strict=True)))
        busy_s.extend(result.cost_s for result in results.values())
        return [results[i] for i in range(len(designs))]

    evaluator = dg.Evaluator(
        simulator, workload, cache=None if mode == "no cache" else LocalCache(),
        fingerprints=AuditedFingerprints("on") if mode == "exact and functional" else None, fidelity=fidelity, execute=execute,
    )  # fmt: skip
    evolution, best, saved_s, began = Search(simulator.space), 0.0, 0.0, time.perf_counter()
    for done in range(0, proposals, 2 * len(pool)):
        trials = evaluator.evaluate(evolution.ask(min(2 * len(pool), proposals - done)))
        evolution.tell(trials)
        saved_s += sum(trial.metrics.cost_s for trial in trials if "hit" in trial.obtained)  # what their measurements had taken
        best = max(best, *(trial.metrics["validation_accuracy"] for trial in trials))
    wall_s, counts = time.perf_counter() - began, evaluator.counts
    return {
        "mode": mode, "trained": counts.measured, "hits": counts.exact_hits + counts.functional_hits, "audits": counts.audited,
        "GPU s": sum(busy_s), "GPU s saved": saved_s, "saved %": 100 * saved_s / (saved_s + sum(busy_s)),
        "wall s": wall_s, "utilisation %": 100 * sum(busy_s) / (wall_s * len(pool)),
        "CPU s of probes": counts.probe_s, "best accuracy": best,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proposals", type=int, default=200, help="of each search")
    parser.add_argument("--fidelity", type=float, default=0.125, help="share of the epochs that a cell is trained for")
    parser.add_argument("--gpus", type=int, default=2, help="logical GPUs where there are no others")
    options = parser.parse_args()
    import ray
    import torch

    found = torch.cuda.device_count()
    ray.init(num_gpus=found or options.gpus, include_dashboard=False, log_to_driver=False)
    hide_gpus()  # this process holds none: it makes keys and probes
    workload = dg.envs.environment(ENV).workload(None)
    device: Device = "cuda" if found else "cpu"
    simulator = TrainingOnGpu(device)
    payload = SimpleNamespace(simulator=partial(TrainingOnGpu, device), workloads={workload.name: workload})
    pool = start_pool(payload, GPU)
    OnPool(pool)(simulator.space.sample(np.random.default_rng(1), len(pool)), workload, options.fidelity, 0, lambda *_: None)
    modes = ("no cache", "exact", "exact and functional")
    frame = pd.DataFrame([search(mode, simulator, pool, options.proposals, options.fidelity) for mode in modes])
    print(f"{len(pool)} workers, each with {'a' if found else 'a logical'} GPU; {options.proposals} proposals per search")
    print(frame.to_string(index=False, float_format=lambda x: f"{x:,.3g}"))
    ray.shutdown()


if __name__ == "__main__":
    main()
