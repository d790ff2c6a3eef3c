"""What a cluster is made of, and how it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.cluster.engines import Engine
from designgym.simulators.cluster.machines import MACHINES, MachineType
from designgym.simulators.cluster.scaling import Scaling, ScalingPolicy
from designgym.simulators.cluster.state import MIXED, MIXED_POOL, PROMPT, TOKEN, TOKEN_JSQ

__all__ = ["ROLES", "SCHEDULERS", "ClusterConfig", "Pool", "Role", "Scheduler"]

Role = Literal["prompt", "token", "mixed"]
Scheduler = Literal["mixed_pool", "token_jsq"]
ROLES: Mapping[str, int] = {"prompt": PROMPT, "token": TOKEN, "mixed": MIXED}
SCHEDULERS: Mapping[str, int] = {"mixed_pool": MIXED_POOL, "token_jsq": TOKEN_JSQ}

_MOST_MACHINES = 100_000


@dataclass(frozen=True)
class Pool:
    """Equal machines.

    Attributes:
        machine: Name of the type.
        count: How many, 0 or more.
        role: ``"prompt"``, ``"token"``, or ``"mixed"`` for both; Token JSQ makes no difference.
        engine: How instances on them are set, by step costs; None for those of a whole machine, or by curves.
        scaling: When machines are switched on and off; None if all are on.
    """

    machine: str
    count: int
    role: Role = "mixed"
    engine: Engine | None = None
    scaling: Scaling | None = None


@dataclass(frozen=True)
class ClusterConfig:
    """A cluster; limits have the names and defaults of splitwise-sim.

    Attributes:
        pools: Machines, any kinds in any role; of equally loaded ones the first is taken.
        scheduler: ``"mixed_pool"``: a machine for the prompt, another one for the other tokens, and machines for both when these are full;
            ``"token_jsq"``: one machine for all, that with the fewest tokens on their way.
        max_batch_size: Most requests in a machine's batch, unless its engine says.
        max_batch_tokens: Most tokens in it, a decoding request counted as one. A longer prompt runs alone.
        max_preemptions: How often a request is passed over until it goes first.
        prompt_queue_tokens: Mixed pool: a machine on which requests wait gets no more prompts beyond so many tokens.
        kv_bandwidth_gib_per_s: Of the transfer of keys and values between two machines; transfers do not share it.
        transfer_retry_s: When a transfer is tried again that found no memory.
        machine_types: Types by name.
        scaling_policy: How pools are scaled that are.
    """

    pools: tuple[Pool, ...]
    scheduler: Scheduler = "mixed_pool"
    max_batch_size: int = 512
    max_batch_tokens: int = 2048
    max_preemptions: int = 4
    prompt_queue_tokens: int = 8192
    kv_bandwidth_gib_per_s: float = 200.0
    transfer_retry_s: float = 1.0
    machine_types: Mapping[str, MachineType] = None  # type: ignore[assignment]  # those of `MACHINES`
    scaling_policy: ScalingPolicy = field(default_factory=ScalingPolicy)

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        if self.machine_types is None:
            object.__setattr__(self, "machine_types", MACHINES)
        if self.scheduler not in SCHEDULERS:
            raise UnknownNameError("scheduler", self.scheduler, SCHEDULERS)
        object.__setattr__(self, "pools", tuple(self.pools))
        for pool in self.pools:
            if pool.machine not in self.machine_types:
                raise UnknownNameError("machine", pool.machine, self.machine_types)
            if pool.role not in ROLES:
                raise UnknownNameError("role of machines", pool.role, ROLES)
            _whole(f"count of {pool.role} machines", pool.count, 0)
            if pool.scaling is not None and pool.count:
                _check_scaling(pool, pool.scaling, self.scheduler)
        for name in ("max_batch_size", "max_batch_tokens", "max_preemptions"):
            _whole(name, getattr(self, name), 1)
        _whole("prompt_queue_tokens", self.prompt_queue_tokens, 0)
        for name in ("kv_bandwidth_gib_per_s", "transfer_retry_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise InputError(f"{name} must be a positive number, but is {shorten(value)}")
        if not 1 <= self.machines <= _MOST_MACHINES:
            raise InputError(f"the cluster has {self.machines} machines, expected 1 to {_MOST_MACHINES}")

    @property
    def machines(self) -> int:
        """The number of machines."""
        return sum(pool.count for pool in self.pools)

    @property
    def cost_usd_per_h(self) -> float:
        """Rent of all machines."""
        return sum(pool.count * self.machine_types[pool.machine].cost_usd_per_h for pool in self.pools)

    @property
    def power_units(self) -> float:
        """Provisioned power of all machines, in splitwise-sim's units."""
        return sum(pool.count * self.machine_types[pool.machine].power_units for pool in self.pools)

    @property
    def power_kw(self) -> float:
        """Provisioned power of all machines, in kilowatts."""
        return sum(pool.count * self.machine_types[pool.machine].power_w for pool in self.pools) / 1000


def _check_scaling(pool: Pool, scaling: Scaling, scheduler: Scheduler) -> None:
    if scaling.min_machines > pool.count:
        raise InputError(f"min_machines of a pool of {pool.count} machines is {scaling.min_machines}, expected 1 to {pool.count}")
    if scheduler == "mixed_pool" and pool.role == "prompt" and scaling.target > 1:
        raise InputError(f"target of a pool for prompts is {scaling.target:g}, expected a share of its machines' time, at most 1")


def _whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least or value >= 1 << 31:
        raise InputError(f"{name} must be a whole number of {least} or more, but is {shorten(value)}")
