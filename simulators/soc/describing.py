"""Structured designs in words: the buses with what is on them, as far as anything uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from designgym.simulators.soc.workload import SocWorkload

__all__ = ["system_in_words"]


def system_in_words(canonical: Mapping[str, Any], workload: SocWorkload) -> str:
    """Return a system, given as a design in canonical form on the workload: a line for each bus, and below it one for each block.

    >>> from designgym.simulators.soc.library import SocWorkloads
    >>> from designgym.simulators.soc.space import system_space
    >>> space, edges = system_space(), SocWorkloads().get("edge_detection")
    >>> print(system_in_words(space.canonical(space.default(), edges.traits), edges.data).splitlines()[0])
    bus 0: 25.6 GB/s
    """
    graph = workload.graph
    tasks = [task for task in graph.tasks if task.processor_cycles]
    entries = list(zip(tasks, canonical["tasks"], strict=False))
    idle = [task.name for task in graph.tasks if not task.processor_cycles]
    lines: dict[int, list[str]] = {bus: [] for bus in range(len(canonical["buses"]))}
    for p, processor in enumerate(canonical["processors"]):
        runs = [task.name for task, entry in entries if entry["on"] == "processor" and entry["processor"] == p]
        lines[processor["bus"]].append(f"processor {p}: {_joined(runs) or 'only input and output'}")
    for task, entry in entries:
        if entry["on"] == "accelerator":
            unrollings = workload.blocks.unrollings(task)
            factor = entry["unrolling"] if entry["unrolling"] in unrollings else max(unrollings, default=0)
            lines[entry["bus"]].append(f"accelerator: {task.name}, unrolled {factor} x, {entry['clock_mhz']} MHz")
    for m, memory in enumerate(canonical["memories"]):
        kept = [name for name in idle if name != graph.sink and canonical["input_memory"] == m]
        kept += [task.name for task, entry in entries if entry["memory"] == m]
        lines[memory["bus"]].append(f"{memory['kind']} {m}, {_rate(memory)}: output of {_joined(kept)}")
    text = []
    for b, bus in enumerate(canonical["buses"]):
        text.append(f"bus {b}: {_rate(bus)}" + (f", on bus {bus['parent']}" if b else ""))
        text += [f"  {line}" for line in lines[b]]
    return "\n".join(text)


def _rate(block: Mapping[str, Any]) -> str:
    return f"{block['width_bytes'] * block['clock_mhz'] / 1e3:g} GB/s"


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names)
