"""Designs as FARSI names them: blocks by name, connections and mapping by number."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.soc.blocks import Bus, Memory, ProcessingElement
from designgym.simulators.soc.genome import WIDTHS_BYTES
from designgym.simulators.soc.soc import Soc
from designgym.simulators.soc.workload import SocWorkload

__all__ = ["farsi_soc"]

PROCESSOR = "A53_pe"
BASE_CLOCK_HZ = 1e8  # the number behind a name is a multiple of it
_PE = re.compile(r"(?P<task>.+)_IP0_(?P<unrolling>\d+)_(?P<clock>\d+)_pe")
_MEMORY = re.compile(r"(?P<kind>[LG])MEM_(?P<width>\d+)_(?P<clock>\d+)_mem")
_BUS = re.compile(r"LMEM_ic_(?P<width>\d+)_(?P<clock>\d+)_ic")
_KINDS = {"L": "sram", "G": "dram"}
_ENTRIES = ("pes", "mems", "buses", "pe_to_bus", "mem_to_bus", "bus_links", "task_to_pe", "task_to_mem")


def farsi_soc(design: str | Mapping[str, Any], workload: SocWorkload) -> Soc:
    """Return the system of a design.

    Args:
        design: ``pes``, ``mems`` and ``buses`` (names of blocks), ``pe_to_bus`` and ``mem_to_bus`` (numbers of buses), ``bus_links``
            (pairs of them), ``task_to_pe`` and ``task_to_mem`` (numbers by task); or their JSON.
        workload: The workload, whose tasks accelerators are named after.

    Raises:
        InputError: Naming the entry that cannot be used.
    """
    if isinstance(design, str):
        try:
            design = json.loads(design)
        except json.JSONDecodeError as error:
            raise InputError(f"got {shorten(design)}, expected JSON: {error.msg}") from None
    if not isinstance(design, Mapping):
        raise InputError(f"got {shorten(design)}, expected an object with {', '.join(_ENTRIES)}")
    if missing := [name for name in _ENTRIES if name not in design]:
        raise InputError(f"the design lacks {', '.join(missing)}")
    for name in _ENTRIES[:6]:
        if not isinstance(design[name], list):
            raise InputError(f"{name} is {shorten(design[name])}, expected a list")
    for name in _ENTRIES[6:]:
        if not isinstance(design[name], Mapping):
            raise InputError(f"{name} is {shorten(design[name])}, expected an object: a number by task")
    for link in design["bus_links"]:
        if not isinstance(link, list) or len(link) != 2:
            raise InputError(f"bus_links has {shorten(link)}, expected pairs of buses")
    soc = Soc(
        tuple(_pe(name, workload) for name in design["pes"]),
        tuple(_memory(name, workload) for name in design["mems"]),
        tuple(_bus(name, workload) for name in design["buses"]),
        tuple(design["pe_to_bus"]),
        tuple(design["mem_to_bus"]),
        tuple((a, b) for a, b in design["bus_links"]),
        dict(design["task_to_pe"]),
        dict(design["task_to_mem"]),
    )
    soc.check(workload.graph)
    return soc


def _pe(name: object, workload: SocWorkload) -> ProcessingElement:
    if name == PROCESSOR:
        return workload.blocks.processor()
    found = _matched(_PE, name, f"{PROCESSOR}, or an accelerator such as TASK_IP0_UNROLLING_CLOCK_pe")
    tasks = {task.name: task for task in workload.graph.tasks}
    if found["task"] not in tasks:
        raise UnknownNameError(f"task of the accelerator {name!r}:", found["task"], tasks)
    task, unrolling = tasks[found["task"]], int(found["unrolling"])
    if unrolling not in (known := workload.blocks.unrollings(task)):
        raise InputError(f"accelerator {name!r} has an unrolling of {unrolling}, expected one of {', '.join(map(str, known)) or 'none'}")
    return workload.blocks.accelerator(task, unrolling, int(found["clock"]) * BASE_CLOCK_HZ)


def _memory(name: object, workload: SocWorkload) -> Memory:
    found = _matched(_MEMORY, name, "a memory such as LMEM_WIDTH_CLOCK_mem")
    return workload.blocks.memory(_KINDS[found["kind"]], _width(name, found["width"]), int(found["clock"]) * BASE_CLOCK_HZ)


def _bus(name: object, workload: SocWorkload) -> Bus:
    found = _matched(_BUS, name, "a bus such as LMEM_ic_WIDTH_CLOCK_ic")
    return workload.blocks.bus(_width(name, found["width"]), int(found["clock"]) * BASE_CLOCK_HZ)


def _width(name: object, number: str) -> int:
    if int(number) >= len(WIDTHS_BYTES):
        raise InputError(f"block {name!r} has width number {number}, expected 0 to {len(WIDTHS_BYTES) - 1}")
    return WIDTHS_BYTES[int(number)]


def _matched(pattern: re.Pattern[str], name: object, expected: str) -> re.Match[str]:
    found = pattern.fullmatch(name) if isinstance(name, str) else None
    if found is None or found["clock"].strip("0") == "":
        raise InputError(f"got block {shorten(name)}, expected {expected}")
    return found
