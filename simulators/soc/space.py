"""The structured space of systems on chip: processors, memories, a tree of buses, and for each task how it runs and where its output is."""

from __future__ import annotations

from functools import lru_cache

from designgym.core.canonical_form import CanonicalForm
from designgym.core.discrete import Categorical, Integer, Ordinal, PowerOfTwo
from designgym.core.errors import InputError, shorten
from designgym.core.groups import Repeated
from designgym.core.rules import Condition
from designgym.core.space import DesignSpace
from designgym.simulators.soc.canonical import canonical_system
from designgym.simulators.soc.genome import CLOCKS_MHZ, MOST_BUSES, MOST_MEMORIES, MOST_PROCESSORS, MOST_UNROLLING, PARAMETERS, WIDTHS_BYTES

__all__ = ["DEFAULT_TASKS", "system_space"]

DEFAULT_TASKS = 15  # with work: as many as the audio decoder has, the largest of FARSI's workloads
MOST_TASKS = 200


@lru_cache(maxsize=8)
def system_space(tasks: int = DEFAULT_TASKS) -> DesignSpace:
    """Return the space for workloads with up to so many tasks that have work, whichever they are.

    Every design is a system: a number of a block stands for itself modulo the blocks of its kind that there are, bus i is linked to bus
    ``parent`` modulo i, and entries of ``tasks`` beyond the workload's tasks have no effect. The i-th entry is the i-th task with work,
    in file order. Tasks without work are on the first processor, and what they pass on is in ``input_memory``.

    Raises:
        InputError: If ``tasks`` is no whole number from 1 to `MOST_TASKS`.
    """
    if isinstance(tasks, bool) or not isinstance(tasks, int) or not 1 <= tasks <= MOST_TASKS:
        raise InputError(f"option tasks is {shorten(tasks)}, expected a whole number from 1 to {MOST_TASKS}")
    width = PowerOfTwo(WIDTHS_BYTES[0], WIDTHS_BYTES[-1], default=32, unit="bytes")
    clock = Ordinal(*CLOCKS_MHZ, default=CLOCKS_MHZ[-1])
    on_bus, in_memory = Integer(0, MOST_BUSES - 1), Integer(0, MOST_MEMORIES - 1)
    processor = DesignSpace(bus=on_bus)
    memory = DesignSpace(kind=Categorical("sram", "dram"), width_bytes=width, clock_mhz=clock, bus=on_bus)
    bus = DesignSpace(width_bytes=width, clock_mhz=clock, parent=Integer(0, MOST_BUSES - 2))
    task = DesignSpace(
        on=Categorical("processor", "accelerator"),
        processor=Integer(0, MOST_PROCESSORS - 1),
        unrolling=PowerOfTwo(1, MOST_UNROLLING),
        clock_mhz=Ordinal(*CLOCKS_MHZ, default=CLOCKS_MHZ[0]),
        bus=on_bus,
        memory=in_memory,
        conditions=[
            Condition("processor", when="on == 'processor'"),
            *(Condition(name, when="on == 'accelerator'") for name in ("unrolling", "clock_mhz", "bus")),
        ],
    )
    return DesignSpace(
        processors=Repeated(processor, 1, MOST_PROCESSORS),
        memories=Repeated(memory, 1, MOST_MEMORIES),
        buses=Repeated(bus, 1, MOST_BUSES),
        tasks=Repeated(task, tasks, tasks),
        input_memory=in_memory,
        version="1",
        symmetries=[CanonicalForm(canonical_system, PARAMETERS, version="1")],
    )
