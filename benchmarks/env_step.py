"""What a `DesignEnv` step costs beyond the simulator: ``python benchmarks/env_step.py``.

A no-op simulator leaves only the environment; on DRAM the simulator's call inside each step is subtracted. Medians over single steps,
in CPU time of the process for the no-op simulator, so that other programs on the machine do not count.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import designgym as dg
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.protocols import Resources
from designgym.envs import environment, make_env
from designgym.envs.design_env import DesignEnv

STEPS = 3000


class NoOp:
    """Returns the same metrics for every design."""

    name, version, deterministic, resources = "no-op", "1", True, Resources()

    def __init__(self, space: dg.DesignSpace, metrics: tuple[MetricSpec, ...]) -> None:
        self.space, self.metrics = space, metrics
        self._result = Metrics({spec.name: 1.0 for spec in metrics}, cost_s=1e-9)

    def evaluate(  # noqa: D102
        self, designs: list[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0
    ) -> list[Metrics]:
        return [self._result for _ in designs]

    def probe(self, designs: list[dg.Design], workload: dg.Workload, *, seed: int = 0) -> None:  # noqa: D102
        return None


def median_us(work: Callable[[int], object], count: int) -> float:
    """Return the median time of ``work(i)`` in microseconds."""
    times = []
    for i in range(count):
        started = time.thread_time()
        work(i)
        times.append(time.thread_time() - started)
    return 1e6 * statistics.median(times)


def step_us(env: DesignEnv, steps: int) -> float:
    """Return the median time of a step with legal actions, resets left out."""
    env.reset(seed=0)
    env.action_space.seed(0)
    times = []
    for _ in range(steps):
        action = int(np.flatnonzero(env.action_masks())[0]) if env.form == "sequential" else env.action_space.sample()
        started = time.thread_time()
        over = any(env.step(action)[2:4])
        times.append(time.thread_time() - started)
        if over:
            env.reset()
    return 1e6 * statistics.median(times)


def no_op_env(form: str, *, cached: bool) -> DesignEnv:
    dram = environment("designgym/DramController-v0").simulator(allow_no_refresh=True)
    from designgym.hashing.local_cache import LocalCache

    evaluator = dg.Evaluator(NoOp(dram.space, dram.metrics), dg.Workload("none"), cache=LocalCache() if cached else None)
    return DesignEnv(evaluator, dg.minimize("energy_pj * total_time_ns"), 10**9, form=form)  # type: ignore[arg-type]


def dram_row(workload: str, steps: int) -> tuple[float, float]:
    """Return the medians of the simulator's call inside a step, and of all else in the step, in microseconds.

    After milliseconds of simulation the processor's caches hold nothing of the environment: the same code takes longer than above.
    """
    env = make_env("designgym/DramController-v0", workload=workload, cache=None, budget=10**9, allow_no_refresh=True)
    simulator = env.evaluator.simulator
    evaluate, inside = simulator.evaluate, [0.0]

    def timed(*arguments: Any, **options: Any) -> list[Metrics]:
        started = time.perf_counter()
        results = evaluate(*arguments, **options)
        inside[0] = time.perf_counter() - started
        return results

    simulator.evaluate = timed  # type: ignore[method-assign]
    env.reset(seed=0)
    env.action_space.seed(0)
    alone, added = [], []
    for step in range(steps):
        action = env.action_space.sample()
        started = time.perf_counter()
        env.step(action)
        seconds = time.perf_counter() - started
        if step and env.trial is not None and env.trial.metrics.ok:  # not the first, which compiles
            alone.append(inside[0])
            added.append(seconds - inside[0])
    return 1e6 * statistics.median(alone), 1e6 * statistics.median(added)


def main() -> None:
    print(f"{'DesignEnv.step, 10 parameters, 20 metrics':<58}{'median us':>10}")
    for form, cached, label in (
        ("design", False, "design form, no-op simulator, no cache"),
        ("design", True, "design form, no-op simulator, local cache"),
        ("sequential", False, "sequential form, no-op simulator (one column)"),
    ):
        print(f"{label:<58}{step_us(no_op_env(form, cached=cached), STEPS):>10.1f}")
    env = no_op_env("sequential", cached=False)
    env.reset()
    print(f"{'action_masks()':<58}{median_us(lambda i: env.action_masks(), STEPS):>10.1f}")
    for workload in ("cloud-like", "random-like"):
        bare, added = dram_row(workload, 300)
        print(f"{f'DRAM, {workload}: simulator alone':<58}{bare:>10.1f}")
        print(f"{f'DRAM, {workload}: added by the environment':<58}{added:>10.1f}")


if __name__ == "__main__":
    main()
