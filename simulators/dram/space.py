"""The design space of the memory controller, with everything known about designs that behave alike.

Each rule below is exact: it leaves every command, every response and every accepted request where it was. The reasons are given
with the rules; `tests/simulators/dram/test_dram_space.py` checks them on random designs and traces.
"""

from designgym.core.parameters import Categorical, Integer, PowerOfTwo
from designgym.core.rules import Condition, Constraint, Rewrite
from designgym.core.space import DesignSpace
from designgym.simulators.dram.controller import CHOICES, ControllerConfig
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.simulate import default_memory

__all__ = ["BACK_TO_BACK", "READ_ONLY", "controller_space"]

READ_ONLY = "read_only"
"""The trait of a workload without writes."""

BACK_TO_BACK = "back_to_back"
"""The trait of a workload that offers a request per clock or faster (the k-th one, from 0, at tick k or before)."""

# Only the queued arbiters limit the active transactions, and only refreshes can be postponed or pulled in.
_CONDITIONS = (
    Condition("MaxActiveTransactions", "Arbiter != 'Simple'"),
    Condition("RefreshMaxPostponed", "RefreshPolicy == 'AllBank'"),
    Condition("RefreshMaxPulledin", "RefreshPolicy == 'AllBank'"),
)

_QUEUED = "Arbiter != 'Simple'"
_ONE = "RequestBufferSize == 1"

_SYMMETRIES = (
    # Without writes, all requests are reads: the two counts are one, and every row hit goes in the current direction.
    Rewrite("SchedulerBuffer", "'Shared'", f"'{READ_ONLY}' in traits and SchedulerBuffer == 'ReadWrite'"),
    Rewrite("Scheduler", "'FrFcfs'", f"'{READ_ONLY}' in traits and Scheduler == 'FrFcfsGrp'"),
    # While a request waits for the buffer, at most M - 1 others are in it: a buffer of M or more never blocks, however it counts.
    Rewrite("RequestBufferSize", "min(RequestBufferSize, MaxActiveTransactions)", _QUEUED),
    Rewrite("SchedulerBuffer", "'Shared'", f"{_QUEUED} and RequestBufferSize >= MaxActiveTransactions"),
    # With a size of 1 the input blocks until the last request has its command, whichever way is counted: one request at a time
    # is buffered, so there is nothing to choose, no further request to look at, and service is in the order of arrival.
    Rewrite("SchedulerBuffer", "'Shared'", _ONE),
    Rewrite("Scheduler", "'Fifo'", _ONE),
    Rewrite("PagePolicy", "'Open'", f"{_ONE} and PagePolicy == 'OpenAdaptive'"),
    Rewrite("PagePolicy", "'Closed'", f"{_ONE} and PagePolicy == 'ClosedAdaptive'"),
    Rewrite("RespQueue", "'Fifo'", _ONE),
    # Responses that reach the arbiter in the order of arrival are returned in that order by both queues.
    Rewrite("Arbiter", "'Fifo'", f"Arbiter == 'Reorder' and (RespQueue == 'Reorder' or {_ONE})"),
    # A closed bank opens for its oldest request, which then is also the oldest to hit the row, until its access closes it.
    Rewrite("Scheduler", "'Fifo'", "PagePolicy == 'Closed' and Scheduler == 'FrFcfs'"),
    # A row stays open only for a further request that hits it; of two requests, that is the one left, and the oldest.
    Rewrite(
        "Scheduler",
        "'Fifo'",
        "PagePolicy == 'ClosedAdaptive' and Scheduler == 'FrFcfs' and SchedulerBuffer == 'Shared' and RequestBufferSize == 2",
    ),
)

# With a request per clock the buffer is empty only while the last answers are on their way: for the data of one access and the at most
# `_MOST_ACTIVE` responses that the arbiter returns one by one. Whether a refresh is pulled in or paid back is the same for every
# limit of 1 or more; the limit itself first matters at the third REFA in a row, two recovery times (tRFC) after the first.
_PULLED_IN_IDLE = Rewrite("RefreshMaxPulledin", "8", f"'{BACK_TO_BACK}' in traits and RefreshPolicy == 'AllBank'")
_MOST_ACTIVE = 128

_REFRESH_NEEDED = Constraint(
    "RefreshPolicy != 'NoRefresh'",
    "a memory that is never refreshed loses its content: choose RefreshPolicy AllBank, or the option allow_no_refresh=True to "
    "study the cost of refreshing",
)


def controller_space(memory: MemorySpec | None = None, *, allow_no_refresh: bool = False) -> DesignSpace:
    """Return the space of the ten parameters with ArchGym's names and values: 1,769,472 combinations.

    Args:
        memory: The memory behind the controller, by default DDR3-1600; one that recovers quickly from a refresh has fewer equivalences.
        allow_no_refresh: Whether designs that never refresh are legal, as they are in ArchGym.
    """
    default = ControllerConfig()
    timings = (memory or default_memory()).timings
    recovers_slowly = 2 * timings.rfc + timings.rp > _MOST_ACTIVE + (memory or default_memory()).constraints["read_data_end"]
    choices = {name: Categorical(*values, default=getattr(default, name)) for name, values in CHOICES.items()}
    return DesignSpace(
        PagePolicy=choices["PagePolicy"],
        Scheduler=choices["Scheduler"],
        SchedulerBuffer=choices["SchedulerBuffer"],
        RequestBufferSize=Integer(1, 8, default=default.RequestBufferSize),
        RespQueue=choices["RespQueue"],
        RefreshPolicy=choices["RefreshPolicy"],
        RefreshMaxPostponed=Integer(1, 8, default=default.RefreshMaxPostponed),
        RefreshMaxPulledin=Integer(1, 8, default=default.RefreshMaxPulledin),
        Arbiter=choices["Arbiter"],
        MaxActiveTransactions=PowerOfTwo(1, _MOST_ACTIVE, default=default.MaxActiveTransactions),
        version="1",
        conditions=_CONDITIONS,
        constraints=() if allow_no_refresh else (_REFRESH_NEEDED,),
        symmetries=((_PULLED_IN_IDLE,) if recovers_slowly else ()) + _SYMMETRIES,
    )
