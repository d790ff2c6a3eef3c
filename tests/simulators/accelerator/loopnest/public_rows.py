"""Rows of Timeloop's reference table as nests of the scalar model, read by a few lines that share nothing with the product's reader."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

from tests.simulators.accelerator.loopnest.scalar_model import DIMS, TENSORS, ScalarCounts, ScalarLevel, ScalarNest

TABLE = Path(__file__).resolve().parents[5] / "shared" / "oracle" / "timeloop_public.csv"
LEVELS = {"psum_spad": "psum", "weights_spad": "weights", "ifmap_spad": "ifmap", "shared_glb": "glb", "DRAM": ""}  # innermost first


def rows() -> list[dict[str, str]]:
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


def mapping_text(row: dict[str, str]) -> str:
    return row["mapping_yaml"].replace("\\n", "\n")


def sram_pj(depth: int, bits: int) -> float:
    return (1 + 5 / 99.5 * (depth * bits / 8192 - 0.5)) * bits / 16


def nest(row: dict[str, str]) -> ScalarNest:
    entries = [dict(_lines(block)) for block in mapping_text(row).split("- target: ")[1:]]
    architecture = json.loads(row["arch_json"])
    levels = []
    for name, key in LEVELS.items():
        of = [entry for entry in entries if entry["target"] == name]
        loops = next(entry for entry in of if entry["type"] == "temporal")
        kept = next(entry for entry in of if entry["type"] == "datatype")["keep"]
        block = 4 if name in ("shared_glb", "DRAM") else 1
        buffer: dict[str, Any] = architecture[key] if key else {"rbw": math.inf, "wbw": math.inf}
        energy = sram_pj(buffer["depth"], 16 * block) if key else 200.0 * block
        levels.append(
            ScalarLevel(
                name, _factors(loops["factors"]), _order(loops), frozenset(kept.split()), buffer["rbw"], buffer["wbw"], block, energy
            )
        )
    array = next(entry for entry in entries if entry["type"] == "spatial")
    return ScalarNest(levels, 3, _factors(array["factors"]), _order(array), int(row["meshX"]), int(row["stride"]))


def differences(row: dict[str, str], ours: ScalarCounts) -> list[str]:
    """Return what differs from the printed figures: counts exactly, energies by more than the printed digits."""
    found = [f"{name} {mine} {row[name]}" for name, mine in (("cycles", ours.cycles), ("macs", ours.macs)) if mine != int(row[name])]
    if abs(ours.energy_pj * 1e-6 - float(row["energy_uJ"])) > 0.006:
        found.append(f"energy_uJ {ours.energy_pj * 1e-6} {row['energy_uJ']}")
    printed: dict[str, Any] = json.loads(row["levels_json"])
    for c, name in enumerate(LEVELS):
        for tensor in TENSORS:
            if (tensor in printed[name]) != (tensor in ours.reads[c]):
                found.append(f"{name} {tensor} is kept in one only")
            elif tensor in printed[name]:
                theirs = printed[name][tensor]
                mine = {"reads": ours.reads[c][tensor], "updates": ours.updates[c][tensor], "fills": ours.fills[c][tensor]}
                mine["inst"] = ours.instances[c]
                found += [f"{name} {tensor} {what} {value} {theirs[what]}" for what, value in mine.items() if value != theirs[what]]
                if abs(ours.level_pj[c][tensor] - theirs["total_pJ"]) > 0.0051 + 1e-8 * theirs["total_pJ"]:
                    found.append(f"{name} {tensor} total_pJ {ours.level_pj[c][tensor]} {theirs['total_pJ']}")
    return found


def _lines(block: str) -> list[tuple[str, str]]:
    key, pairs = "target", [("target", block.split("\n")[0].strip())]
    for line in block.split("\n")[1:]:
        text = line.strip()
        if text.startswith("- "):
            pairs[-1] = (key, f"{pairs[-1][1]} {text[2:]}")
        elif ":" in text:
            key, _, value = text.partition(":")
            pairs.append((key, value.strip()))
    return pairs


def _factors(text: str) -> dict[str, int]:
    found = {part[0]: int(part[1:]) for part in text.split()}
    return {dim: found[dim] for dim in DIMS}


def _order(entry: dict[str, str]) -> str:
    return entry["permutation"].replace("N", "")
