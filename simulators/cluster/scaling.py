"""When machines of a pool are switched on and off."""

from __future__ import annotations

from dataclasses import dataclass

from designgym.core.errors import InputError, shorten

__all__ = ["Scaling", "ScalingPolicy"]


@dataclass(frozen=True)
class Scaling:
    """How a pool is scaled. The unit is an instance of the model: of several on a machine each is switched, and paid, by itself.

    Attributes:
        min_machines: How many machines are never switched off: 1 or more.
        target: What a machine should have to do: one for prompts the share of its time in which it computes, at most 1; any other the
            number of requests that are there, waiting or in its batch.

    Raises:
        InputError: For a value that cannot be.
    """

    min_machines: int
    target: float

    def __post_init__(self) -> None:
        """Check the values."""
        if isinstance(self.min_machines, bool) or not isinstance(self.min_machines, int) or self.min_machines < 1:
            raise InputError(f"min_machines must be a whole number of 1 or more, but is {shorten(self.min_machines)}")
        _positive("target of a pool", self.target)


@dataclass(frozen=True)
class ScalingPolicy:
    """The rule that scales all pools: that of Kubernetes' HorizontalPodAutoscaler, whose defaults these are, but for the start-up.

    Every ``interval_s`` a pool's load is divided by the target: so many machines are wanted, rounded up, unless that is within the
    ``tolerance`` of those there are. Machines are switched on at once, first those that are about to be switched off; others have the
    model loaded after ``start_up_s``, from the next decision on. Machines are switched off if fewer were wanted for ``scale_down_delay_s``
    without a break, down to the most that were wanted in that time: first those that start, then those with the fewest requests,
    which get no more and end when they have none. At the start all machines are on.

    Attributes:
        interval_s: Between decisions.
        scale_down_delay_s: For so long fewer machines must be wanted; 0 for no wait.
        tolerance: Relative; 0 for none.
        start_up_s: From switching a machine on to its first request. An assumption: 140 GB of weights at some 1.2 GB/s.

    Raises:
        InputError: For a value that cannot be.
    """

    interval_s: float = 15.0
    scale_down_delay_s: float = 300.0
    tolerance: float = 0.1
    start_up_s: float = 120.0

    def __post_init__(self) -> None:
        """Check the values."""
        _positive("interval_s", self.interval_s)
        for name in ("scale_down_delay_s", "tolerance", "start_up_s"):
            _positive(name, getattr(self, name), zero=True)


def _positive(name: str, value: object, *, zero: bool = False) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf") or not (value or zero):
        raise InputError(f"{name} must be a number {'of 0 or more' if zero else 'above 0'}, but is {shorten(value)}")
