"""The design space of clusters with pools chosen freely: any machines in any role, and how the engines on them are set."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from designgym.core.canonical_form import CanonicalForm
from designgym.core.discrete import Categorical, Integer, Ordinal, PowerOfTwo
from designgym.core.errors import InputError, shorten
from designgym.core.groups import Repeated
from designgym.core.parameter_base import Parameter
from designgym.core.rules import Condition, Constraint, Rewrite
from designgym.core.space import DesignSpace
from designgym.simulators.cluster.config import ROLES, ClusterConfig, Pool
from designgym.simulators.cluster.engines import TENSOR_PARALLEL_SIZES, Engine
from designgym.simulators.cluster.machines import MACHINES, SERVER_GPUS, SERVERS
from designgym.simulators.cluster.scaling import Scaling, ScalingPolicy
from designgym.simulators.cluster.space import MOST_MACHINES, limits_of_batches, limits_of_requests
from designgym.simulators.cluster.times import StepTimes

__all__ = ["MOST_POOLS", "canonical_pools", "pool_cluster_of", "pool_space"]

MOST_POOLS = 6
_KINDS = ("h200", "h100", "h100_capped", "a100", "l40s")  # of equally loaded machines the first kind is taken: the fastest
_ENGINE = ("tensor_parallel_size", "max_num_seqs", "max_num_batched_tokens", "kv_cache_dtype", "quantization")
_SCALING = ("min_machines", "target_utilisation", "target_requests")
_POLICY = ("interval_s", "scale_down_delay_s", "tolerance")
_LIMITS = ("max_batch_size", "max_batch_tokens", "max_preemptions", "prompt_queue_tokens", "kv_bandwidth_gib_per_s")

_SPLIT = "scheduler == 'mixed_pool'"
_CONDITIONS = tuple(Condition(name, _SPLIT) for name in ("prompt_queue_tokens", "kv_bandwidth_gib_per_s"))
_CONSTRAINTS = tuple(
    Constraint(
        f"not ({_SPLIT}) or {role!r} in values(pools, 'role') or 'mixed' in values(pools, 'role')",
        f"there is no machine for {what}: add a pool of role {role} or mixed, or take the scheduler token_jsq",
    )
    for role, what in (("prompt", "prompts"), ("token", "output tokens"))
)

_ENGINE_CONSTRAINTS = (
    Constraint(
        "not (machine == 'a100' and kv_cache_dtype == 'fp8')",
        "attention with a KV cache in fp8 was not measured on an A100: take kv_cache_dtype auto, or another machine",
    ),
)

_SCALING_CONDITIONS = (
    Condition("target_utilisation", "role == 'prompt' and min_machines < machines"),
    Condition("target_requests", "role != 'prompt' and min_machines < machines"),
)
_POLICY_CONDITIONS = tuple(Condition(name, "values(pools, 'min_machines') != values(pools, 'machines')") for name in _POLICY)


def canonical_pools(values: tuple[Any, ...], traits: frozenset[str]) -> tuple[Any, ...]:
    """Return scheduler and pools in their canonical form.

    Pools of equal machines in one role are one, as far as a pool may be so large and they are not scaled apart; pools are ordered by role
    and kind. Token JSQ takes all machines for mixed ones, and the only instance gets everything, whoever decides.
    """
    scheduler, pools = values
    elements = [dict(pool) for pool in pools]
    if scheduler == "mixed_pool" and sum(pool["machines"] * _instances(pool) for pool in elements) == 1:
        scheduler = "token_jsq"
    if scheduler == "token_jsq":
        elements = [pool | {"role": "mixed"} for pool in elements]
    merged: list[dict[str, Any]] = []
    for pool in sorted(elements, key=_order):
        if merged and _SCALING[0] not in pool and _order(merged[-1]) == _order(pool):
            together = merged[-1]["machines"] + pool["machines"]
            merged[-1]["machines"] = min(together, MOST_MACHINES)
            pool["machines"] = together - merged[-1]["machines"]
        if pool["machines"]:
            merged.append(pool)
    return scheduler, merged


def _instances(pool: Mapping[str, Any]) -> int:
    return SERVER_GPUS // int(pool.get("tensor_parallel_size", SERVER_GPUS))


def _order(pool: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what pools are ordered by; those for which it is equal are alike."""
    engine = (str(pool[name]) for name in _ENGINE if name in pool)
    return (list(ROLES).index(pool["role"]), _KINDS.index(pool["machine"]), *engine, *_scaling_order(pool))


def _scaling_order(pool: Mapping[str, Any]) -> tuple[float, ...]:
    """Return what of a pool decides on how it is scaled."""
    if _SCALING[0] not in pool:
        return ()
    least, most = min(pool["min_machines"], pool["machines"]), pool["machines"]
    target = pool["target_utilisation"] if pool["role"] == "prompt" else pool["target_requests"]
    return (most, least, target if least < most else 0.0)


@lru_cache(maxsize=8)
def pool_space(costs: StepTimes = "tables", most_pools: int = MOST_POOLS, *, scaled: bool = False) -> DesignSpace:
    """Return the space of clusters with up to so many pools, each of any machines in any role.

    By step costs pools have arguments of their engines; else limits of batches are those of splitwise-sim, for all machines alike. Pools
    that are ``scaled`` have the fewest machines that stay on and a target each, and the cluster has a policy.

    Raises:
        InputError: If ``most_pools`` is no whole number from 2 to 20.
    """
    if isinstance(most_pools, bool) or not isinstance(most_pools, int) or not 2 <= most_pools <= 20:
        raise InputError(f"option most_pools is {shorten(most_pools)}, expected a whole number from 2 to 20")
    tables = costs == "tables"
    pool = DesignSpace(
        {
            "role": Categorical(*ROLES),
            "machine": Categorical(*(SERVERS if tables else MACHINES), default="h100"),
            "machines": Integer(1, MOST_MACHINES, default=20),
        }
        | (_scaling_parameters() if scaled else {})
        | (_engine_parameters() if tables else {}),
        conditions=_SCALING_CONDITIONS if scaled else (),
        constraints=_ENGINE_CONSTRAINTS if tables else (),
        symmetries=(Rewrite("min_machines", "min(min_machines, machines)"),) if scaled else (),
    )
    start = pool.default().to_dict()
    usual = [start | {"role": "prompt"}, start | {"role": "token"}]
    return DesignSpace(
        {"scheduler": Categorical("mixed_pool", "token_jsq"), "pools": Repeated(pool, 1, most_pools, default=usual)}
        | ({} if tables else limits_of_batches())
        | limits_of_requests()
        | (_policy_parameters() if scaled else {}),
        version="1",
        conditions=(*_CONDITIONS, *(_POLICY_CONDITIONS if scaled else ())),
        constraints=_CONSTRAINTS,
        symmetries=(
            CanonicalForm(canonical_pools, ("scheduler", "pools"), version="1"),
            *([] if tables else [Rewrite("max_batch_size", "min(max_batch_size, max_batch_tokens)")]),
        ),
    )


def _scaling_parameters() -> dict[str, Parameter]:
    return {
        "min_machines": Integer(1, MOST_MACHINES, default=1),
        "target_utilisation": Ordinal(*(tenths / 20 for tenths in range(2, 20)), default=0.5),
        "target_requests": PowerOfTwo(1, 256, default=16),
    }


def _policy_parameters() -> dict[str, Parameter]:
    usual = ScalingPolicy()
    return {
        "interval_s": Ordinal(5.0, 15.0, 60.0, 300.0, default=usual.interval_s, unit="s"),
        "scale_down_delay_s": Ordinal(0.0, 60.0, 300.0, 900.0, 3600.0, default=usual.scale_down_delay_s, unit="s"),
        "tolerance": Ordinal(0.0, 0.1, 0.2, 0.4, default=usual.tolerance),
    }


def _engine_parameters() -> dict[str, Parameter]:
    usual = Engine()
    return {
        "tensor_parallel_size": Ordinal(*TENSOR_PARALLEL_SIZES, default=usual.tensor_parallel_size),
        "max_num_seqs": PowerOfTwo(8, 1024, default=usual.max_num_seqs),
        "max_num_batched_tokens": PowerOfTwo(1024, 16384, default=usual.max_num_batched_tokens, unit="tokens"),
        "kv_cache_dtype": Categorical("auto", "fp8"),
        "quantization": Categorical("none", "fp8", "awq"),
    }


def pool_cluster_of(design: Mapping[str, Any], *, start_up_s: float = ScalingPolicy.start_up_s) -> ClusterConfig:
    """Return a legal design of the space as a cluster, its pools in the canonical order: that decides between equally loaded machines.

    Args:
        design: The design.
        start_up_s: Of machines that are switched on, if pools are scaled.
    """
    scheduler, pools = canonical_pools((design["scheduler"], design["pools"]), frozenset())
    tables = "tensor_parallel_size" in pools[0]
    return ClusterConfig(
        tuple(Pool(pool["machine"], pool["machines"], pool["role"], _engine(pool) if tables else None, _scaling(pool)) for pool in pools),
        scheduler,
        **{name: design[name] for name in _LIMITS if name in design},
        machine_types=SERVERS if tables else MACHINES,
        scaling_policy=ScalingPolicy(**{name: design[name] for name in _POLICY if name in design}, start_up_s=start_up_s),
    )


def _scaling(pool: Mapping[str, Any]) -> Scaling | None:
    if _SCALING[0] not in pool:
        return None
    target = pool["target_utilisation"] if pool["role"] == "prompt" else pool["target_requests"]
    return Scaling(min(pool["min_machines"], pool["machines"]), float(target))


def _engine(pool: Mapping[str, Any]) -> Engine:
    values: dict[str, Any] = {name: pool[name] for name in _ENGINE}
    if values["quantization"] == "none":
        values["quantization"] = None
    return Engine(**values)
