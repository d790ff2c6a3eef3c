"""The design space of the memory system, with everything known about designs that behave alike.

Each rule is exact: it leaves every command and every response where it was. `designgym.simulators.dram.space` gives the reasons for those
that hold for the controller alone; each channel has such a controller, with a buffer and an arbiter of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from designgym.core.errors import InputError
from designgym.core.parameters import Categorical, Integer, PowerOfTwo
from designgym.core.rules import Condition, Constraint, Rewrite
from designgym.core.space import DesignSpace
from designgym.simulators.dram.space import READ_ONLY
from designgym.simulators.dram.system.config import CHOICES, MemorySystemConfig
from designgym.simulators.dram.system.standard import STANDARDS, MemoryStandard, standard

__all__ = ["system_space"]

_DEFAULT_MOVES = 8  # refreshes that may be moved, as far as the parameters go
_MOST_WATERMARK = 16

_QUEUED = "Arbiter != 'Simple'"
_ONE = "RequestBufferSize == 1"
_DRAINS = "WriteDrain != 'None'"
_MIXES = "WriteDrain == 'None'"
_COUNTED_TOGETHER = "SchedulerBuffer != 'Bankwise'"

_SYMMETRIES = (
    # Without writes, all requests are reads: the two counts are one, every row hit goes in the current direction, nothing is drained.
    Rewrite("SchedulerBuffer", "'Shared'", f"'{READ_ONLY}' in traits and SchedulerBuffer == 'ReadWrite'"),
    Rewrite("Scheduler", "'FrFcfs'", f"'{READ_ONLY}' in traits and Scheduler == 'FrFcfsGrp'"),
    Rewrite("WriteDrain", "'None'", f"'{READ_ONLY}' in traits"),
    # What the arbiter lets pass fits into the buffer.
    Rewrite("RequestBufferSize", "min(RequestBufferSize, MaxActiveTransactions)", _QUEUED),
    Rewrite("SchedulerBuffer", "'Shared'", f"{_QUEUED} and RequestBufferSize >= MaxActiveTransactions"),
    # One request at a time is buffered: there is nothing to choose, and service is in the order of arrival.
    Rewrite("SchedulerBuffer", "'Shared'", _ONE),
    Rewrite("Scheduler", "'Fifo'", _ONE),
    Rewrite("WriteDrain", "'None'", _ONE),
    Rewrite("PagePolicy", "'Open'", f"{_ONE} and PagePolicy == 'OpenAdaptive'"),
    Rewrite("PagePolicy", "'Closed'", f"{_ONE} and PagePolicy == 'ClosedAdaptive'"),
    Rewrite("RespQueue", "'Fifo'", _ONE),
    Rewrite("Arbiter", "'Fifo'", f"Arbiter == 'Reorder' and (RespQueue == 'Reorder' or {_ONE})"),
    # The row is open for the oldest request. Not so where the direction may change in between.
    Rewrite("Scheduler", "'Fifo'", f"PagePolicy == 'Closed' and Scheduler == 'FrFcfs' and {_MIXES}"),
    Rewrite(
        "Scheduler",
        "'Fifo'",
        f"PagePolicy == 'ClosedAdaptive' and Scheduler == 'FrFcfs' and SchedulerBuffer == 'Shared' and RequestBufferSize == 2 and {_MIXES}",
    ),
    # Where draining sets the direction, there is none to group by.
    Rewrite("Scheduler", "'FrFcfs'", f"Scheduler == 'FrFcfsGrp' and {_DRAINS}"),
    # Unless it is counted by bank, a buffer of n requests holds up to n writes: a low watermark of n or more is always met, a high one of
    # more than n never; without one that can be met, draining never begins for it, and the low one does not matter to `Eager`.
    Rewrite("WriteLowWatermark", "min(WriteLowWatermark, RequestBufferSize)", f"{_DRAINS} and {_COUNTED_TOGETHER}"),
    Rewrite("WriteHighWatermark", "min(WriteHighWatermark, RequestBufferSize + 1)", f"{_DRAINS} and {_COUNTED_TOGETHER}"),
    Rewrite("WriteDrain", "'Eager'", f"WriteDrain == 'Batch' and {_COUNTED_TOGETHER} and WriteLowWatermark >= RequestBufferSize"),
    Rewrite("WriteLowWatermark", "0", f"WriteDrain == 'Eager' and {_COUNTED_TOGETHER} and WriteHighWatermark > RequestBufferSize"),
)

_REFRESH_NEEDED = Constraint(
    "RefreshPolicy != 'NoRefresh'",
    "a memory that is never refreshed loses its content: choose RefreshPolicy AllBank or Bank, or the option allow_no_refresh=True to "
    "study the cost of refreshing",
)


def _in(names: Sequence[str]) -> str:
    """Return the expression that the memory is one of these."""
    return f"Memory in ({', '.join(repr(name) for name in names)},)"


def system_space(*, memories: Sequence[str] = STANDARDS, allow_no_refresh: bool = False) -> DesignSpace:
    """Return the space of the controller's ten parameters, memories, address mappings, write draining and power-down.

    Args:
        memories: Names of the memories to choose from. Bits of an address that none of them has keep the first place that they can have.
        allow_no_refresh: Whether designs that never refresh are legal, as they are in ArchGym.

    Raises:
        InputError: If there are none, or one twice.
        UnknownNameError: If one does not exist.
    """
    if not memories or len(set(memories)) != len(memories):
        raise InputError(f"memories must name one or more of {', '.join(STANDARDS)}, each once, but are {list(memories)}")
    known: dict[str, MemoryStandard] = {name: standard(name) for name in memories}
    default = MemorySystemConfig(Memory=MemorySystemConfig.Memory if MemorySystemConfig.Memory in known else memories[0])
    several = {
        bits: [name for name, memory in known.items() if getattr(memory.organisation, what) > 1]
        for bits, what in (("BankGroupBits", "bank_groups"), ("RankBits", "ranks"), ("ChannelBits", "channels"))
    }
    single_banks = [name for name, memory in known.items() if memory.bank_refresh != "none"]
    values = CHOICES | {"Memory": tuple(memories)} | {bits: CHOICES[bits][:1] for bits, names in several.items() if not names}
    if not single_banks:
        values["RefreshPolicy"] = tuple(policy for policy in CHOICES["RefreshPolicy"] if policy != "Bank")
    choices = {name: Categorical(*of_name, default=getattr(default, name)) for name, of_name in values.items()}
    constraints = [
        Constraint(
            "WriteDrain == 'None' or WriteLowWatermark < WriteHighWatermark",
            "writes that are drained from the high watermark on must have a lower one to stop at",
        ),
    ]
    if 0 < len(single_banks) < len(known):
        constraints.append(
            Constraint(
                f"RefreshPolicy != 'Bank' or {_in(single_banks)}",
                f"only {', '.join(single_banks)} refresh banks one by one or some of them: choose RefreshPolicy AllBank",
            )
        )
    for name, memory in known.items():
        if memory.max_moved_refreshes < _DEFAULT_MOVES:
            most = memory.max_moved_refreshes
            constraints.append(
                Constraint(
                    f"Memory != '{name}' or RefreshPolicy == 'NoRefresh' or max(RefreshMaxPostponed, RefreshMaxPulledin) <= {most}",
                    f"{name} allows {most} refreshes to be postponed or pulled in",
                )
            )
    return DesignSpace(
        PagePolicy=choices["PagePolicy"],
        Scheduler=choices["Scheduler"],
        SchedulerBuffer=choices["SchedulerBuffer"],
        RequestBufferSize=Integer(1, 8, default=default.RequestBufferSize),
        RespQueue=choices["RespQueue"],
        RefreshPolicy=choices["RefreshPolicy"],
        RefreshMaxPostponed=Integer(1, _DEFAULT_MOVES, default=default.RefreshMaxPostponed),
        RefreshMaxPulledin=Integer(1, _DEFAULT_MOVES, default=default.RefreshMaxPulledin),
        Arbiter=choices["Arbiter"],
        MaxActiveTransactions=PowerOfTwo(1, 128, default=default.MaxActiveTransactions),
        Memory=choices["Memory"],
        AddressOrder=choices["AddressOrder"],
        BankGroupBits=choices["BankGroupBits"],
        RankBits=choices["RankBits"],
        ChannelBits=choices["ChannelBits"],
        BankXor=choices["BankXor"],
        WriteDrain=choices["WriteDrain"],
        WriteHighWatermark=Integer(1, _MOST_WATERMARK, default=default.WriteHighWatermark),
        WriteLowWatermark=Integer(0, _MOST_WATERMARK - 1, default=default.WriteLowWatermark),
        PowerDown=choices["PowerDown"],
        PowerDownIdle=PowerOfTwo(4, 1024, default=default.PowerDownIdle),
        version="1",
        conditions=(
            Condition("MaxActiveTransactions", _QUEUED),
            Condition("RefreshMaxPostponed", "RefreshPolicy != 'NoRefresh'"),
            Condition("RefreshMaxPulledin", "RefreshPolicy != 'NoRefresh'"),
            *(Condition(bits, _in(names)) for bits, names in several.items() if 0 < len(names) < len(known)),
            Condition("WriteHighWatermark", _DRAINS),
            Condition("WriteLowWatermark", _DRAINS),
            Condition("PowerDownIdle", "PowerDown == 'On'"),
        ),
        constraints=(*constraints, *(() if allow_no_refresh else (_REFRESH_NEEDED,))),
        symmetries=_SYMMETRIES,
    )
