"""The design space of phase-split clusters: machines by type and role, limits of batches and queues, the interconnect, the scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from designgym.core.discrete import Categorical, Integer, Ordinal, PowerOfTwo
from designgym.core.errors import InputError, shorten
from designgym.core.parameter_base import Parameter
from designgym.core.rules import Condition, Constraint, Rewrite
from designgym.core.space import DesignSpace
from designgym.simulators.cluster.config import ROLES, ClusterConfig, Pool
from designgym.simulators.cluster.designs import DESIGNS, splitwise_cluster
from designgym.simulators.cluster.machines import MACHINES

__all__ = ["MOST_MACHINES", "cluster_of", "cluster_space", "limits_of_batches", "limits_of_requests", "paper_design"]

MOST_MACHINES = 100  # by role, unless asked for otherwise
_LIMITS = ("max_batch_size", "max_batch_tokens", "max_preemptions", "prompt_queue_tokens", "kv_bandwidth_gib_per_s")

_USUAL = ClusterConfig((Pool("h100", 1),))
_SPLIT = "scheduler == 'mixed_pool'"
_CONDITIONS = (
    # Token JSQ knows one kind of machines, and both tasks of a request stay on one.
    *(Condition(name, _SPLIT) for name in ("prompt_machines", "token_machines", "prompt_queue_tokens", "kv_bandwidth_gib_per_s")),
    *(Condition(f"{role}_machine", f"{role}_machines > 0") for role in ROLES),
)
_CONSTRAINTS = (
    Constraint(
        f"{_SPLIT} or mixed_machines > 0", "there is no machine: with the scheduler token_jsq all are mixed ones, set mixed_machines"
    ),
    *(
        Constraint(
            f"not ({_SPLIT}) or {role}_machines + mixed_machines > 0",
            f"there is no machine for {what}: set {role}_machines or mixed_machines",
        )
        for role, what in (("prompt", "prompts"), ("token", "output tokens"))
    ),
)
_SYMMETRIES = (
    # Every task is a token or more, but for a long prompt that runs alone: the limit of tokens is reached no later.
    Rewrite("max_batch_size", "min(max_batch_size, max_batch_tokens)"),
    # The only machine gets everything, whoever decides.
    Rewrite("scheduler", "'token_jsq'", f"{_SPLIT} and prompt_machines + token_machines + mixed_machines == 1"),
)


@lru_cache(maxsize=8)
def cluster_space(most_machines: int = MOST_MACHINES) -> DesignSpace:
    """Return the space with up to so many machines of each role, each role of one type.

    Raises:
        InputError: If ``most_machines`` is no whole number from 1 to 10,000.
    """
    if isinstance(most_machines, bool) or not isinstance(most_machines, int) or not 1 <= most_machines <= 10_000:
        raise InputError(f"option most_machines is {shorten(most_machines)}, expected a whole number from 1 to 10000")
    split = min(20, most_machines)
    return DesignSpace(
        {
            "scheduler": Categorical("mixed_pool", "token_jsq"),
            "prompt_machine": Categorical(*MACHINES, default="h100"),
            "prompt_machines": Integer(0, most_machines, default=split),
            "token_machine": Categorical(*MACHINES, default="h100"),
            "token_machines": Integer(0, most_machines, default=split),
            "mixed_machine": Categorical(*MACHINES, default="h100"),
            "mixed_machines": Integer(0, most_machines, default=0),
        }
        | limits_of_batches()
        | limits_of_requests(),
        version="1",
        conditions=_CONDITIONS,
        constraints=_CONSTRAINTS,
        symmetries=_SYMMETRIES,
    )


def limits_of_batches() -> dict[str, Parameter]:
    """Return the parameters of a machine's batches."""
    return {
        "max_batch_size": PowerOfTwo(1, 1024, default=_USUAL.max_batch_size),
        "max_batch_tokens": PowerOfTwo(256, 16384, default=_USUAL.max_batch_tokens, unit="tokens"),
    }


def limits_of_requests() -> dict[str, Parameter]:
    """Return the parameters of what becomes of requests between machines, and of those that wait."""
    return {
        "max_preemptions": PowerOfTwo(1, 64, default=_USUAL.max_preemptions),
        "prompt_queue_tokens": PowerOfTwo(1024, 65536, default=_USUAL.prompt_queue_tokens, unit="tokens"),
        "kv_bandwidth_gib_per_s": Ordinal(12.5, 25.0, 50.0, 100.0, 200.0, 400.0, default=_USUAL.kv_bandwidth_gib_per_s, unit="GiB/s"),
    }


def cluster_of(design: Mapping[str, Any]) -> ClusterConfig:
    """Return a legal design of the space as a cluster."""
    split = design["scheduler"] == "mixed_pool"
    roles = [role for role in ROLES if split or role == "mixed"]
    pools = [Pool(design[f"{role}_machine"], design[f"{role}_machines"], role) for role in roles if design[f"{role}_machines"]]  # type: ignore[arg-type]
    return ClusterConfig(tuple(pools), design["scheduler"], **{name: design[name] for name in _LIMITS})


def paper_design(design: str, prompt_machines: int, token_machines: int = 0) -> dict[str, Any]:
    """Return one of the six designs of the paper as values of the space's parameters, with splitwise-sim's limits.

    Args:
        design: A name of `DESIGNS`, such as ``Splitwise-HA``.
        prompt_machines: Machines for prompts; of a baseline all machines.
        token_machines: Machines for tokens.

    Raises:
        InputError: If there is no such design, or a number of machines does not fit it.
    """
    config = splitwise_cluster(design, prompt_machines, token_machines)
    chosen, limits = DESIGNS[design], {name: getattr(config, name) for name in _LIMITS}
    if chosen.token_machine is None:
        return limits | {"scheduler": "token_jsq", "mixed_machine": chosen.prompt_machine, "mixed_machines": prompt_machines}
    return limits | {
        "scheduler": "mixed_pool",
        "prompt_machine": chosen.prompt_machine,
        "prompt_machines": prompt_machines,
        "token_machine": chosen.token_machine,
        "token_machines": token_machines,
        "mixed_machines": 0,
    }
