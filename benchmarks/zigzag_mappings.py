"""Our mapper and ZigZag's on the same layers and chips: ZigZag's best mapping, evaluated by our model, beside ours.

Run: DESIGNGYM_ZIGZAG_PYTHON=.../bin/python python benchmarks/zigzag_mappings.py [--evaluations N] [--seeds N]

ZigZag gets the chip in its own form: the same sizes, bandwidths and energies per access. Its loop orders are uneven: each tensor has
limits of its own between memories. So its mapping is written for our model with the scratchpads in the order of their limits, and with the
global buffer twice, once for each tensor in it; both have the whole bandwidth. ZigZag's own cycles also contain loading and unloading.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from loopnest import LAYERS, eyeriss

from designgym.core.program_results import RefusedError
from designgym.simulators.accelerator.external.zigzag import PACKAGE
from designgym.simulators.accelerator.external.zigzag_runner import zigzag_layer
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture, StorageLevel
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
from designgym.simulators.accelerator.loopnest.costs import evaluate
from designgym.simulators.accelerator.loopnest.energy import TimeloopEnergies
from designgym.simulators.accelerator.loopnest.eyeriss import DATAFLOW
from designgym.simulators.accelerator.loopnest.fit import fit
from designgym.simulators.accelerator.loopnest.mapper import Mapper
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping, Loops
from designgym.simulators.accelerator.loopnest.problem import DIMS, TENSORS
from designgym.simulators.accelerator.networks import layer

CHIPS = {"16 x 16": eyeriss(256, 16, 16, 192, 12, 16384), "8 x 8": eyeriss(64, 8, 64, 64, 64, 4096)}
"""Of powers of two: ZigZag may put a dimension on the array by halves, which our model cannot."""

RUNNER = Path(__file__).with_name("zigzag_mapping_runner.py")
OPERANDS = {"Weights": "W", "Inputs": "I", "Outputs": "O"}
MEMORIES = {"Weights": "I2", "Inputs": "I1", "Outputs": "O"}  # ZigZag's names of operands in hardware
OF_ZIGZAG = {"K": "M", "C": "C", "G": "C", "FY": "R", "FX": "S", "OY": "P", "OX": "Q"}
UNLIMITED_WORDS = 1 << 14  # per cycle, for a memory without a limit
DRAM_BITS = 1 << 45

Loop = tuple[str, int]


class NotExpressibleError(Exception):
    """A mapping that our model has no form for."""


def memory(level: StorageLevel, kept: frozenset[str], in_array: bool) -> dict[str, Any]:
    """Return a level in ZigZag's form, with one port for reading and one for writing. An access moves a row."""
    bits = 16 * int(min(level.read_bandwidth, UNLIMITED_WORDS))
    access_pj = TimeloopEnergies().access_pj(level) * bits / level.row_bits  # of the whole width: ZigZag charges the part that is used
    names = [MEMORIES[tensor] for tensor in TENSORS if tensor in kept]
    read = [f"{name}, {way}" for name in names for way in (("tl", "th") if name == "O" else ("tl",))]
    write = [f"{name}, {way}" for name in names for way in (("fh", "fl") if name == "O" else ("fh",))]
    ports = [
        {"name": f"{kind[0]}_port_1", "type": kind, "bandwidth_min": level.row_bits, "bandwidth_max": bits, "allocation": allocation}
        for kind, allocation in (("read", read), ("write", write))
    ]
    return {
        "size": DRAM_BITS if level.depth is None else level.depth * level.row_bits, "r_cost": access_pj, "w_cost": access_pj, "area": 0,
        "latency": 1, "operands": names, "ports": ports, "served_dimensions": [] if in_array else ["D1", "D2"],
    }  # fmt: skip


def asked(of: Layer, chip: Architecture) -> dict[str, Any]:
    """Return ZigZag's answer."""
    memories = {
        level.name: memory(level, kept, index < chip.array) for index, (level, kept) in enumerate(zip(chip.levels, DATAFLOW, strict=True))
    }
    array = {"unit_energy": TimeloopEnergies().mac_pj(chip.mac_bits), "unit_area": 0, "dimensions": ["D1", "D2"]}
    job = {
        "accelerator": {"name": "chip", "memories": memories, "operational_array": {**array, "sizes": [chip.mesh_x, chip.mesh_y]}},
        "mapping": [{"name": "default", "memory_operand_links": {OPERANDS[tensor]: MEMORIES[tensor] for tensor in TENSORS}}],
        "layer": zigzag_layer(
            {"k": of.k, "c": of.c, "r": of.r, "s": of.s, "p": of.p, "q": of.q, "stride": of.stride, "depthwise": of.depthwise},
            {"I": 16, "W": 16, "O": 16, "O_final": 16},
        ),
    }
    return PACKAGE.run(RUNNER, job, python=PACKAGE.python(None), timeout_s=3600)


def translated(answer: dict[str, Any], of: Layer, chip: Architecture) -> tuple[LoopMapping, Architecture]:
    """Return the mapping, and the chip with the levels that it needs."""
    spatial = [(OF_ZIGZAG[dim], n) for dim, n in answer["spatial"]]
    if any(n != int(n) for _, n in spatial) or len({dim for dim, _ in spatial}) != len(spatial):
        raise NotExpressibleError("factors on the array that are no whole numbers")
    (order,) = {tuple((OF_ZIGZAG[dim], int(n)) for level in levels for dim, n in level) for levels in answer["temporal"].values()}
    limits = {tensor: np.cumsum([len(level) for level in answer["temporal"][name]]) for tensor, name in OPERANDS.items()}
    by_tensor = {next(iter(kept)): level for level, kept in zip(chip.levels[: chip.array], DATAFLOW, strict=False)}
    pads = sorted((int(limits[tensor][0]), tensor) for tensor in TENSORS)
    shared = sorted((int(limits[tensor][1]), tensor) for tensor in DATAFLOW[chip.array])
    if pads[-1][0] > shared[0][0]:
        raise NotExpressibleError("a tensor stays in a scratchpad for longer than another in the global buffer")
    levels: list[StorageLevel] = []
    loops: list[list[Loop]] = []
    keep: list[frozenset[str]] = []
    done = array = 0
    places = [(limit, tensor, by_tensor[tensor]) for limit, tensor in pads] + [(n, t, chip.levels[chip.array]) for n, t in shared]
    for number, (limit, tensor, level) in enumerate(places):
        if number == len(pads):
            array = len(levels)
        parts = _parts(order[done:limit])
        for extra, part in enumerate(parts):
            last = extra == len(parts) - 1
            levels.append(
                StorageLevel(
                    f"{number}.{extra}", level.technology, level.depth, level.block, 16, level.read_bandwidth, level.write_bandwidth
                )
            )
            loops.append(part)
            keep.append(frozenset({tensor}) if last else frozenset())
        done = limit
    outermost = _parts(order[done:])
    for extra, part in enumerate(outermost):
        levels.append(StorageLevel(f"DRAM{extra}", "DRAM", block=chip.levels[-1].block))
        loops.append(part)
        keep.append(frozenset(TENSORS) if extra == len(outermost) - 1 else frozenset())
    mapping = LoopMapping(tuple(map(_loops, loops)), _loops(spatial), min(len(spatial), 1), tuple(keep))
    return mapping, Architecture("zigzag's", tuple(levels), array, chip.pes, chip.mesh_x)


def _parts(loops: tuple[Loop, ...]) -> list[list[Loop]]:
    """Cut loops where a dimension comes again: a level of ours has one loop of each."""
    parts: list[list[Loop]] = [[]]
    for dim, n in loops:
        if dim in {other for other, _ in parts[-1]}:
            parts.append([])
        parts[-1].append((dim, n))
    return parts


def _loops(loops: list[Loop]) -> Loops:
    factors = {dim: int(n) for dim, n in loops}
    order = "".join(dim for dim, _ in loops)
    return Loops(tuple(factors.get(dim, 1) for dim in DIMS), order + "".join(dim for dim in DIMS if dim not in order))


def compared(of: Layer, chip: Architecture, evaluations: int, seeds: int) -> tuple[list[float], str]:
    """Return figures of ZigZag's mapping relative to ours, not a number where there are none, and why."""
    started, products = time.perf_counter(), []
    for seed in range(seeds):
        found = Mapper("edp", evaluations=evaluations, seed=seed, keep=DATAFLOW).map(of, chip)
        products.append(found.energy_pj * found.cycles)
    own_s, best = (time.perf_counter() - started) / seeds, math.exp(float(np.log(products).mean()))
    try:
        answer = asked(of, chip)
    except RefusedError as error:
        return [math.nan] * 5 + [own_s], str(error)
    printed = [answer["energy_pj"] * answer["cycles"] / best]
    costs, why = _in_our_model(answer, of, chip)
    if costs is None:
        return [*printed, math.nan, math.nan, math.nan, answer["seconds"], own_s], why
    energy_pj, cycles = costs
    return [*printed, energy_pj * cycles / best, answer["energy_pj"] / energy_pj, answer["cycles"] / cycles, answer["seconds"], own_s], ""


def _in_our_model(answer: dict[str, Any], of: Layer, chip: Architecture) -> tuple[tuple[float, float] | None, str]:
    """Return energy in pJ and cycles by our model, or None and why there are none."""
    try:
        mapping, own = translated(answer, of, chip)
    except NotExpressibleError as error:
        return None, str(error)
    if problems := mapping.problems(of):
        return None, f"imperfect factors: {problems[0]}"
    batch, hardware = MappingBatch.of([mapping], of), HardwareBatch.of(own)
    if not bool(fit(batch, hardware).holds[0]):
        return None, "does not fit by our rules"
    costs = evaluate(batch, hardware)
    return (float(costs.energy_pj[0]), float(costs.cycles[0])), ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluations", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    heads = ("EDP as printed", "by our model", "pJ, its / our", "cycles, its / our", "s, ZigZag", "s, ours")
    print(f"\n{'best of ZigZag (EDP: ours = 1)':<43}" + "".join(f"{head:>18}" for head in heads))
    every = []
    for network, name in LAYERS:
        for chip_name, chip in CHIPS.items():
            found, why = compared(layer(network, name), chip, arguments.evaluations, arguments.seeds)
            every.append(found)
            print(f"{network + '/' + name:<33}{chip_name:<10}" + "".join(f"{value:>18.3f}" for value in found) + f"  {why}", flush=True)
    print(f"{'geometric mean of what there is':<43}" + "".join(f"{value:>18.3f}" for value in np.exp(np.nanmean(np.log(every), axis=0))))


if __name__ == "__main__":
    main()
