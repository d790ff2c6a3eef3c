"""Systems of designs as FARSI names them: the inverse of `farsi_soc`, from the arrays that are simulated."""

from __future__ import annotations

from typing import Any

import numpy as np

from designgym.simulators.soc.blocks import MEMORY_KINDS
from designgym.simulators.soc.farsi_design import BASE_CLOCK_HZ, PROCESSOR
from designgym.simulators.soc.genome import CLOCKS_MHZ, WIDTHS_BYTES
from designgym.simulators.soc.soc import SocBatch
from designgym.simulators.soc.systems import BlockFigures
from designgym.simulators.soc.workload import SocWorkload

__all__ = ["farsi_design"]

_CLOCKS = tuple(round(clock * 1e6 / BASE_CLOCK_HZ) for clock in CLOCKS_MHZ)
_SPEEDS = {
    width * clock * 1e6: (w, c) for w, width in reversed([*enumerate(WIDTHS_BYTES)]) for clock, c in zip(CLOCKS_MHZ, _CLOCKS, strict=True)
}
"""Number of a width, and clock, by rate; the narrowest where several have the same: only the rate has an effect."""


def farsi_design(batch: SocBatch, number: int, workload: SocWorkload, figures: BlockFigures) -> dict[str, Any]:
    """Return a system of a batch as `farsi_soc` reads it, tasks in file order.

    PEs and memories that no task uses are left out, as in our own models: in FARSI, what is connected keeps a bus from being removed.

    Args:
        batch: Of one of the spaces.
        number: Of the system in it.
        workload: What it runs.
        figures: Of the workload's blocks.
    """
    names = workload.graph.names
    task_pe, task_memory = batch.task_pe[number].tolist(), batch.task_memory[number].tolist()
    pes, memories = sorted(set(task_pe)), sorted(set(task_memory))
    buses, links = int(batch.counts[number, 2]), int(batch.counts[number, 3])
    kinds = {"sram": "L", "dram": "G"}
    return {
        "pes": [_pe(batch, number, p, task_pe, workload, figures) for p in pes],
        "mems": [
            "{}MEM_{}_{}_mem".format(kinds[MEMORY_KINDS[batch.memory_kind[number, m]]], *_SPEEDS[float(batch.memory_rate[number, m])])
            for m in memories
        ],
        "buses": ["LMEM_ic_{}_{}_ic".format(*_SPEEDS[float(batch.bus_rate[number, s])]) for s in range(buses)],
        "pe_to_bus": batch.pe_bus[number, pes].tolist(),
        "mem_to_bus": batch.memory_bus[number, memories].tolist(),
        "bus_links": batch.links[number, :links].tolist(),
        "task_to_pe": {name: pes.index(pe) for name, pe in zip(names, task_pe, strict=True)},
        "task_to_mem": {name: memories.index(memory) for name, memory in zip(names, task_memory, strict=True)},
    }


def _pe(batch: SocBatch, number: int, p: int, task_pe: list[int], workload: SocWorkload, figures: BlockFigures) -> str:
    if not batch.pe_per_m2[number, p]:
        return PROCESSOR
    on_it = [i for i, task in enumerate(figures.tasks.tolist()) if task_pe[task] == p]
    if not on_it:  # an accelerator for nothing: any will do
        return _accelerator(workload, int(figures.tasks[int(np.flatnonzero(figures.unrollings)[0])]), 0, 0)
    same = (figures.rate[on_it[0]] == batch.pe_rate[number, p]) & (figures.per_j[on_it[0]][:, None] == batch.pe_per_j[number, p])
    unrolling, clock = np.argwhere(same)[0].tolist()
    return _accelerator(workload, int(figures.tasks[on_it[0]]), unrolling, clock)


def _accelerator(workload: SocWorkload, task: int, unrolling: int, clock: int) -> str:
    of = workload.graph.tasks[task]
    return f"{of.name}_IP0_{workload.blocks.unrollings(of)[unrolling]}_{_CLOCKS[clock]}_pe"
