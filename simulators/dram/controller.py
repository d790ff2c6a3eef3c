"""The design of a memory controller: the ten parameters of ArchGym's DRAM environment."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from designgym.core.errors import InputError

__all__ = ["CHOICES", "PARAMETER_NAMES", "ControllerConfig"]

CHOICES: dict[str, tuple[str, ...]] = {
    "PagePolicy": ("Open", "OpenAdaptive", "Closed", "ClosedAdaptive"),
    "Scheduler": ("Fifo", "FrFcfs", "FrFcfsGrp"),
    "SchedulerBuffer": ("Bankwise", "ReadWrite", "Shared"),
    "RespQueue": ("Fifo", "Reorder"),
    "RefreshPolicy": ("NoRefresh", "AllBank"),
    "Arbiter": ("Simple", "Fifo", "Reorder"),
}

# Positions of the values above, as the compiled simulation sees them.
OPEN, OPEN_ADAPTIVE, CLOSED, CLOSED_ADAPTIVE = range(4)
FIFO, FR_FCFS, FR_FCFS_GRP = range(3)
BANKWISE, READ_WRITE, SHARED = range(3)
RESPONSES_FIFO, RESPONSES_REORDER = range(2)
NO_REFRESH, ALL_BANK = range(2)
ARBITER_SIMPLE, ARBITER_FIFO, ARBITER_REORDER = range(3)


@dataclass(frozen=True)
class ControllerConfig:
    """One memory controller. Names and values are ArchGym's, hence the capitals.

    Attributes:
        PagePolicy: When a row is closed: only for another row, or at once, and whether waiting requests may change that.
        Scheduler: Which buffered request of a bank goes first: the oldest (`Fifo`), the oldest that hits the open row
            (`FrFcfs`), or such a one in the current direction of the data bus (`FrFcfsGrp`).
        SchedulerBuffer: What `RequestBufferSize` counts: requests per bank, reads and writes apart, or all.
        RequestBufferSize: Requests that the controller's buffer holds, 1 or more.
        RespQueue: Whether the controller returns responses in the order of service or of arrival.
        RefreshPolicy: No refresh at all, or one of all banks per refresh interval.
        RefreshMaxPostponed: How many refreshes may be put off while requests wait, 0 or more.
        RefreshMaxPulledin: How many refreshes may be done ahead of time while none wait, 0 or more.
        Arbiter: What stands between the player and the controller: nothing (`Simple`), or a queue of up to
            `MaxActiveTransactions` requests whose responses return in the order of service (`Fifo`) or of arrival (`Reorder`).
        MaxActiveTransactions: Requests the arbiter admits at a time, 1 or more; `Simple` ignores it.
    """

    PagePolicy: str = "Open"
    Scheduler: str = "Fifo"
    SchedulerBuffer: str = "Bankwise"
    RequestBufferSize: int = 8
    RespQueue: str = "Fifo"
    RefreshPolicy: str = "AllBank"
    RefreshMaxPostponed: int = 8
    RefreshMaxPulledin: int = 8
    Arbiter: str = "Simple"
    MaxActiveTransactions: int = 16

    def __post_init__(self) -> None:
        """Refuse values that the controller does not know, naming all of them at once."""
        problems = []
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                problems.append(f"{name} must be one of {', '.join(choices)}, but is {getattr(self, name)!r}")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST:
                problems.append(f"{name} must be an integer from {least} to {_MOST}, but is {value!r}")
        if problems:
            raise InputError("; ".join(problems) + ".")

    @classmethod
    def from_mapping(cls, values: Mapping[Any, Any]) -> "ControllerConfig":
        """Return the controller with these parameters; other names in `values` are ignored, all ten must be there.

        Raises:
            InputError: If a parameter is missing or has a value the controller does not know.
        """
        missing = [name for name in PARAMETER_NAMES if name not in values]
        if missing:
            raise InputError(f"A controller needs all ten parameters, but {', '.join(missing)} is missing.")
        plain: dict[str, Any] = {name: str(values[name]) if name in CHOICES else _as_int(values[name]) for name in PARAMETER_NAMES}
        return cls(**plain)

    def to_dict(self) -> dict[str, str | int]:
        """Return the ten parameters by name."""
        return asdict(self)

    def encode(self) -> tuple[int, ...]:
        """Return the parameters as integers, in the order of the fields: positions of choices, and numbers as they are."""
        return tuple(CHOICES[name].index(getattr(self, name)) if name in CHOICES else getattr(self, name) for name in PARAMETER_NAMES)


_LEAST = {"RequestBufferSize": 1, "RefreshMaxPostponed": 0, "RefreshMaxPulledin": 0, "MaxActiveTransactions": 1}
_MOST = 1_000_000
PARAMETER_NAMES = tuple(field.name for field in fields(ControllerConfig))


def _as_int(value: Any) -> Any:
    """Return whole numbers of any kind (numpy, 4.0) as int, anything else unchanged, to be refused by the constructor."""
    return int(value) if not isinstance(value, str | bool) and value == int(value) else value
