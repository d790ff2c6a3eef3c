"""A pool of Ray actors that run an expensive simulator with the resources that it declares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from designgym.core.design import Design
from designgym.core.measuring import MISUSE, checked_results, failure
from designgym.core.metrics import Metrics
from designgym.core.protocols import Resources, Simulator
from designgym.core.workload import Workload
from designgym.studies.measuring import OnResults

RESTARTS = 5  # of an actor whose process dies, and of the design that it was at, before the design counts as failed


class Worker:
    """One actor: a simulator, made once."""

    def __init__(self, payload: Any) -> None:
        self._simulator: Simulator = payload.simulator()
        self._workloads = payload.workloads

    def evaluate(self, design: Design, workload: str, fidelity: float, seed: int) -> Metrics:
        """Measure one design; a failure is a result, misuse is raised."""
        try:
            answer = self._simulator.evaluate([design], self._workloads[workload], fidelity=fidelity, seed=seed)
            return checked_results(self._simulator, [design], answer)[0]
        except MISUSE:
            raise
        except Exception as error:
            return failure(self._simulator, error)


def start_pool(payload: Any, resources: Resources) -> list[Any]:
    """Start as many workers as the cluster has room for, at least one."""
    import ray

    total = ray.cluster_resources()
    needs = {"CPU": resources.cpus, "GPU": resources.gpus, "memory": resources.memory_bytes}
    room = [int(total.get(kind, 0) / need) for kind, need in needs.items() if need]
    count = max(1, min(room, default=1))
    options: dict[str, Any] = {"num_cpus": resources.cpus, "num_gpus": resources.gpus}
    options |= {"max_restarts": -1, "max_task_retries": RESTARTS}
    if resources.memory_bytes:
        options["memory"] = resources.memory_bytes
    maker = ray.remote(Worker).options(**options)
    reference = ray.put(payload)
    return [maker.remote(reference) for _ in range(count)]


class OnPool:
    """Runs designs on the workers of a pool, one on each at a time (a `Runner`).

    Runs that share a pool each keep every worker busy with at most one of their designs, so that they advance together.
    """

    def __init__(self, workers: Sequence[Any]) -> None:
        self._workers = list(workers)

    def __call__(self, designs: Sequence[Design], workload: Workload, fidelity: float, seed: int, on_results: OnResults) -> None:
        """See `Runner`."""
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        waiting = list(range(len(designs)))[::-1]
        idle = list(self._workers)
        running: dict[Any, tuple[int, Any]] = {}
        while waiting or running:
            while waiting and idle:
                position, worker = waiting.pop(), idle.pop()
                running[worker.evaluate.remote(designs[position], workload.name, fidelity, seed)] = position, worker
            done, _ = ray.wait(list(running))
            for reference in done:
                position, worker = running.pop(reference)
                idle.append(worker)
                try:
                    result = ray.get(reference)
                except RayTaskError as error:
                    raise error.cause from None
                except RayActorError as error:
                    result = Metrics.failed(f"the worker died {RESTARTS + 1} times at this design: {str(error).splitlines()[0]}")
                on_results([position], [result])
