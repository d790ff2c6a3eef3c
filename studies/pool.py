"""A pool of Ray actors that run an expensive simulator with the resources that it declares.

Nothing else runs on them: keys, look-ups and probes are made by the runs, which hold no GPU, so that a design whose behaviour is known
never occupies one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.measuring import MISUSE, checked_results, failure
from designgym.core.metrics import Metrics
from designgym.core.protocols import Resources, Simulator
from designgym.core.workload import Workload
from designgym.studies.measuring import OnResults

INLINE_BYTES = 100_000  # Ray passes smaller arguments by value
NAME_LENGTH = 500  # of a design in Ray's records of tasks
RESTARTS = 5  # of an actor whose process dies, and of the design that it was at, before the design counts as failed


class Worker:
    """One actor: a simulator, made once."""

    def __init__(self, payload: Any) -> None:
        self._simulator: Simulator = payload.simulator()
        self._workloads = payload.workloads

    def evaluate(self, design: Design, workload: str, fidelity: float, seed: int) -> Metrics:
        """Measure one design; a failure is a result, misuse is raised."""
        began = time.perf_counter()
        try:
            answer = self._simulator.evaluate([design], self._workloads[workload], fidelity=fidelity, seed=seed)
            result = checked_results(self._simulator, [design], answer)[0]
        except MISUSE:
            raise
        except Exception as error:
            result = failure(self._simulator, error)
        return result if result.cost_s else replace(result, cost_s=time.perf_counter() - began)


def room_for(resources: Resources) -> int:
    """Return how many evaluations the nodes of the cluster have room for at once; each takes place on one node.

    Raises:
        InputError: If there is none for a single one: Ray would wait for such a node for ever.
    """
    import ray

    needs = {"CPU": resources.cpus, "GPU": resources.gpus, "memory": float(resources.memory_bytes)}
    needs = {kind: need for kind, need in needs.items() if need}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(min((int(node.get(kind, 0) / need) for kind, need in needs.items()), default=1) for node in nodes)
    if room:
        return room
    total = {kind: sum(node.get(kind, 0) for node in nodes) for kind in needs}
    short = [kind for kind, need in needs.items() if need > total[kind]]
    if not short:
        raise InputError(
            f"one evaluation needs {_amounts(needs)} on one node, and none of the {len(nodes)} nodes of this Ray cluster has all of that: "
            "declare what the simulator needs with Resources, or name a cluster with larger nodes with address="
        )
    kind = short[0]
    where = "GPUs are seen where `nvidia-smi` lists them and CUDA_VISIBLE_DEVICES does not hide them; " if kind == "GPU" else ""
    raise InputError(
        f"one evaluation needs {needs[kind]:g} {kind}, this Ray cluster has {total[kind]:g}: {where}"
        "declare what the simulator needs with Resources, or name a larger cluster with address="
    )


def _amounts(needs: dict[str, float]) -> str:
    return ", ".join(f"{need:g} {kind}" for kind, need in needs.items())


def hide_gpus() -> None:
    """Keep this process, which holds no GPU, from using those of the pool: for its simulator's probe there are none."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def start_pool(payload: Any, resources: Resources) -> list[Any]:
    """Start as many workers as the cluster has room for."""
    import ray
    from ray import cloudpickle

    count = room_for(resources)
    options: dict[str, Any] = {"num_cpus": resources.cpus, "num_gpus": resources.gpus}
    options |= {"max_restarts": -1, "max_task_retries": RESTARTS}
    if resources.memory_bytes:
        options["memory"] = resources.memory_bytes
    maker = ray.remote(Worker).options(**options)
    # Ray warns, in red, of actors that may restart and whose arguments are objects in its store: only what is large is put there, once
    argument = payload if len(cloudpickle.dumps(payload)) < INLINE_BYTES else ray.put(payload)  # pyright: ignore[reportPrivateImportUsage]
    return [maker.remote(argument) for _ in range(count)]


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
                # Ray's records, and its dashboard, say which design occupies what
                evaluate = worker.evaluate.options(name=f"evaluate {designs[position].literal}"[:NAME_LENGTH])
                running[evaluate.remote(designs[position], workload.name, fidelity, seed)] = position, worker
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
