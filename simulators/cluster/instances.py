"""What a cluster's pools are for the simulation: equal instances of the model, with memory, limits and iteration times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from designgym.core.errors import InputError
from designgym.simulators.cluster.config import ClusterConfig, Pool
from designgym.simulators.cluster.engines import Engine
from designgym.simulators.cluster.machines import MODELS, MachineType, ServedModel, TimeCurves, measured_curves
from designgym.simulators.cluster.times import IterationTimes, StepTimes, TokenCosts, iteration_times, tabulated_times
from designgym.simulators.serving.costs.assemble import step_costs_of
from designgym.simulators.serving.costs.deployment import Deployment
from designgym.simulators.serving.costs.gpus import Gpu
from designgym.simulators.serving.costs.models import ModelShape, model_named
from designgym.simulators.serving.request_trace import RequestTrace

__all__ = ["Instances", "check_fit", "instances_of", "output_tokens", "served_model"]

_GIB = 1 << 30


@dataclass(frozen=True)
class Instances:
    """The instances of one pool.

    Attributes:
        pool: The pool.
        count: How many there are.
        kind: Which iteration times they have.
        memory_bytes: Of all GPUs of one.
        weights_bytes: What the weights take of that.
        free_bytes: What there is for keys and values.
        kv_bytes: Keys and values of a token.
        max_batch_size: Most requests in a batch.
        max_batch_tokens: Most tokens in it.
    """

    pool: Pool
    count: int
    kind: int
    memory_bytes: int
    weights_bytes: int
    free_bytes: int
    kv_bytes: int
    max_batch_size: int
    max_batch_tokens: int

    @property
    def by_machine(self) -> int:
        """Instances on a machine."""
        return self.count // self.pool.count

    @property
    def kv_tokens(self) -> int:
        """How many tokens' keys and values there is room for."""
        return self.free_bytes // self.kv_bytes


def output_tokens(trace: RequestTrace) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return how many tokens each request of a trace makes."""
    return np.where(trace.stop_at >= 0, np.minimum(trace.stop_at + 1, trace.output_tokens), trace.output_tokens)


def served_model(model: ServedModel | ModelShape | str, costs: StepTimes) -> ServedModel | ModelShape:
    """Return the model of a name, or check one that is given: by step costs a `ModelShape`, else a `ServedModel`.

    Raises:
        InputError: If there is none of that name, or it is of the other kind.
    """
    if costs == "tables":
        if isinstance(model, ServedModel):
            raise InputError(f"step costs are of a ModelShape, or the name of one, not of {model}")
        return model_named(model) if isinstance(model, str) else model
    found = MODELS.get(model) if isinstance(model, str) else model
    if not isinstance(found, ServedModel):
        raise InputError(f"unknown model {model!r}, expected one of {', '.join(MODELS)}, or a ServedModel")
    return found


def instances_of(
    config: ClusterConfig, model: ServedModel | ModelShape, costs: StepTimes, curves: Mapping[str, TimeCurves] | None = None
) -> tuple[list[Instances], IterationTimes]:
    """Return the instances of all pools that are not empty, and the iteration times of their kinds.

    Raises:
        InputError: If the model does not fit, or cannot be served like that, on a machine of some pool.
    """
    pools = [pool for pool in config.pools if pool.count]
    if isinstance(model, ModelShape):
        return _tabulated(config, pools, model)
    if with_engine := [pool for pool in pools if pool.engine is not None]:
        raise InputError(f"arguments of engines ({with_engine[0].engine}) need step costs: simulate with token_costs='tables'")
    assert costs != "tables"
    return _measured(config, pools, model, costs, curves)


def _measured(
    config: ClusterConfig, pools: Sequence[Pool], model: ServedModel, costs: TokenCosts, curves: Mapping[str, TimeCurves] | None
) -> tuple[list[Instances], IterationTimes]:
    """Return one instance a machine, with the times that were measured on whole machines."""
    kinds = sorted({pool.machine for pool in pools})
    found = []
    for pool in pools:
        memory = config.machine_types[pool.machine].memory_bytes
        if model.weights_bytes >= memory:
            raise InputError(
                f"{model.name} does not fit: its weights take {model.weights_bytes / _GIB:.0f} GiB, a machine {pool.machine} has "
                f"{memory / _GIB:.0f} GiB: take a larger machine or a smaller model"
            )
        found.append(
            Instances(
                pool, pool.count, kinds.index(pool.machine), memory, model.weights_bytes, memory - model.weights_bytes,
                model.kv_bytes_per_token, config.max_batch_size, config.max_batch_tokens,
            )
        )  # fmt: skip
    times = [curves[kind] if curves is not None else measured_curves(model.name, kind) for kind in kinds]
    return found, iteration_times(times, costs)


def _tabulated(config: ClusterConfig, pools: Sequence[Pool], model: ModelShape) -> tuple[list[Instances], IterationTimes]:
    """Return as many instances a machine as its GPUs make, with the step costs of the serving simulation."""
    deployments: list[Deployment] = []
    found: list[Instances] = []
    for pool in pools:
        engine = pool.engine or Engine()
        deployment = engine.deployment(model, _gpu(pool.machine, config.machine_types[pool.machine]))
        deployments.append(deployment)
        kv_bytes, gpus = deployment.kv_bytes_per_token_per_gpu * deployment.n_gpus, deployment.n_gpus
        found.append(
            Instances(
                pool, pool.count * engine.instances, len(found), gpus * deployment.gpu.memory_bytes, gpus * deployment.weight_bytes_per_gpu,
                engine.kv_tokens(deployment) * kv_bytes, kv_bytes, engine.max_num_seqs, engine.max_num_batched_tokens,
            )
        )  # fmt: skip
    return found, tabulated_times([step_costs_of(deployment) for deployment in deployments])


def _gpu(name: str, machine: MachineType) -> Gpu:
    if machine.gpu is None:
        raise InputError(f"there are no step costs of a machine {name}: it names no GPU; take machine_types=SERVERS")
    return machine.gpu


def check_fit(instances: Sequence[Instances], trace: RequestTrace, model: str) -> None:
    """Raise `InputError` for the first request that instances of some pool never have the memory for.

    Args:
        instances: Of all pools.
        trace: The requests.
        model: Its name.
    """
    tokens = trace.prompt_tokens + output_tokens(trace)
    longest = int(np.argmax(tokens))
    for each in instances:
        if tokens[longest] > each.kv_tokens:
            needed = each.weights_bytes + int(tokens[longest]) * each.kv_bytes
            raise InputError(
                f"request {longest} ({trace.prompt_tokens[longest]} prompt and {tokens[longest] - trace.prompt_tokens[longest]} output "
                f"tokens) never fits beside {model} on a machine {each.pool.machine}: {needed / _GIB:.0f} of "
                f"{(each.weights_bytes + each.free_bytes) / _GIB:.0f} GiB; leave it out, or take larger machines"
            )
