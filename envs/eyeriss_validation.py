"""`EyerissValidator`: tables of Timeloop outputs, evaluated from their architectures and mapping texts, and compared row by row."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.core.errors import InputError, shorten
from designgym.core.validation import ColumnComparison, TableComparison
from designgym.envs.reference_tables import number_in, read_table

if TYPE_CHECKING:
    from designgym.simulators.accelerator.loopnest.architecture import Architecture
    from designgym.simulators.accelerator.loopnest.costs import Costs
    from designgym.simulators.accelerator.loopnest.mapping import LoopMapping

TABLES = ("timeloop_public.csv",)
SHAPE = ("C", "M", "R", "S", "P", "Q", "stride")
REQUIRED = (*SHAPE, "num_pes", "meshX", "arch_json", "mapping_yaml")
LEVELS_JSON = "levels_json"
COUNTS = ("inst", "reads", "updates", "fills")

_Row = dict[str, str]


@dataclass(frozen=True)
class _Case:
    """A row that can be evaluated."""

    name: str
    architecture: Architecture
    mapping: LoopMapping
    printed: Mapping[str, float]  # by compared quantity


@dataclass(frozen=True)
class _Quantity:
    """A compared number: how it is computed, and by how much the printed one may differ, absolutely and relatively."""

    value: Callable[[Costs, int], float]
    absolute: float
    relative: float = 0.0


class EyerissValidator:
    """Compares the loop-nest model with tables of what Timeloop prints (a `ReferenceValidator`).

    Counts per level and tensor come from the column ``levels_json`` and are shown as one line per kind: ``reads``, ``updates``,
    ``fills``, ``inst`` (instances in use), each the sum over all levels and tensors of a row, which is equal only if each of
    them is; and ``total_pJ``, the energy.
    """

    def tables(self, oracle: Path) -> list[Path]:
        """Return the public tables that are in the folder."""
        return [oracle / name for name in TABLES if (oracle / name).is_file()]

    def compare(self, reference: Path, *, folders: Sequence[Path], oracle: Path | None) -> TableComparison:
        """Evaluate every row of a table and compare its columns; rows whose mappings do not fit are refused, the others go on.

        Raises:
            InputError: If the table cannot be used, naming the row and the column, or no mapping fits.
        """
        from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
        from designgym.simulators.accelerator.loopnest.costs import evaluate

        header, rows = read_table(reference)
        if missing := [name for name in REQUIRED if name not in header]:
            raise InputError(f"{reference} lacks the columns {', '.join(missing)}: it needs the layer, the architecture and the mapping")
        quantities = _quantities()
        compared = [name for name in quantities if name in header]
        if not compared and LEVELS_JSON not in header:
            raise InputError(f"{reference} has no column to compare: expected one or more of {', '.join((*quantities, LEVELS_JSON))}")
        places = [f"{reference} row {number + 1} (line {line})" for number, (line, _) in enumerate(rows)]
        read = [_case(place, row, compared) for place, (_, row) in zip(places, rows, strict=True)]
        if not read:
            raise InputError(f"{reference} has no row to compare")
        refused = [case for case in read if isinstance(case, str)]
        fitting = [number for number, case in enumerate(read) if isinstance(case, _Case)]
        if not fitting:
            raise InputError(refused[0])
        cases = [case for case in read if isinstance(case, _Case)]
        layers = [_layer("", rows[number][1]) for number in fitting]
        costs = evaluate(MappingBatch.of([case.mapping for case in cases], layers), HardwareBatch.of([case.architecture for case in cases]))
        ours = {name: [quantities[name].value(costs, number) for number in range(len(cases))] for name in compared}
        columns = [_column(name, cases, ours[name], quantities[name]) for name in compared]
        equal = [all(_error(case, name, ours[name][i], quantities[name]) <= 0 for name in compared) for i, case in enumerate(cases)]
        if LEVELS_JSON in header:
            details = [_levels(places[number], rows[number][1], costs, i) for i, number in enumerate(fitting)]
            for what in (*COUNTS, "total_pJ"):
                columns.append(_detail_column(what, cases, details))
            equal = [fine and all(error <= tolerance for _, _, error, tolerance, _ in details[i]) for i, fine in enumerate(equal)]
        shown: dict[str, list[float | None]] = {name: [None] * len(rows) for name in compared}
        for name in compared:
            for number, value in zip(fitting, ours[name], strict=True):
                shown[name][number] = value
        return TableComparison(tuple(columns), shown, sum(equal), len(rows), refused=tuple(refused))


def _quantities() -> dict[str, _Quantity]:
    """Return what is compared, by column; the tolerances are half a unit of the last printed digit, and a little for binary rounding."""
    return {
        "cycles": _Quantity(lambda costs, i: float(costs.cycles[i]), 0),
        "energy_uJ": _Quantity(lambda costs, i: float(costs.energy_pj[i]) * 1e-6, 0.006),
        "pJ_per_mac": _Quantity(lambda costs, i: float(costs.energy_pj[i] / costs.macs[i]), 0, 1e-6),
        "utilisation": _Quantity(lambda costs, i: float(costs.utilisation[i]), 0.0051),
        "macs": _Quantity(lambda costs, i: float(costs.macs[i]), 0),
    }


def _case(place: str, row: _Row, compared: Sequence[str]) -> _Case | str:
    """Return a row's architecture and mapping, or in words why they do not fit each other; raises `InputError` for what cannot be read."""
    from designgym.simulators.accelerator.loopnest.fit import refusals
    from designgym.simulators.accelerator.loopnest.mapping_text import read_mapping

    layer = _layer(place, row)
    architecture = _architecture(place, row)
    try:
        mapping = read_mapping(row["mapping_yaml"].replace("\\n", "\n"), architecture, layer)
    except InputError as error:
        raise InputError(f"{place}, column mapping_yaml: {error}") from None
    if reasons := refusals(mapping, layer, architecture):
        return f"{place}: the mapping does not fit the architecture: {'; '.join(reasons)}"
    printed = {name: number_in(f"{place}, column {name}", row[name]) for name in compared}
    return _Case(row.get("row_id") or place.rsplit("/", 1)[-1], architecture, mapping, printed)


def _layer(place: str, row: _Row) -> Any:
    from designgym.simulators.accelerator.layer import Layer

    c, m, r, s, p, q, stride = (_whole(f"{place}, column {name}", row[name]) for name in SHAPE)
    try:
        return Layer(row.get("layer", "layer"), m, c, r, s, p, q, stride=stride)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def _architecture(place: str, row: _Row) -> Architecture:
    from designgym.simulators.accelerator.loopnest.eyeriss import Buffer, eyeriss_like

    place = f"{place}, column arch_json"
    try:
        data = json.loads(row["arch_json"])
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON: {error}") from None
    buffers: dict[str, Buffer] = {}
    for name, block in (("psum", 1), ("weights", 1), ("ifmap", 1), ("glb", 4)):
        found = data.get(name) if isinstance(data, dict) else None
        if not isinstance(found, dict) or not {"depth", "rbw", "wbw"} <= found.keys():
            raise InputError(f"{place}: {name} is {shorten(found)}, expected its depth, rbw and wbw")
        buffers[name] = Buffer(found["depth"], block, found["rbw"], found["wbw"], found.get("banks", 1))
    pes, mesh_x = (_whole(f"{place.rsplit(',', 1)[0]}, column {name}", row[name]) for name in ("num_pes", "meshX"))
    try:
        return eyeriss_like(pes=pes, mesh_x=mesh_x, **buffers)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def _whole(place: str, text: str) -> int:
    value = number_in(place, text)
    if not math.isfinite(value) or value != int(value):
        raise InputError(f"{place}: got {shorten(text, 40)}, expected a whole number")
    return int(value)


_Detail = tuple[str, str, float, float, float]  # kind, where, absolute error, tolerance, printed


def _levels(place: str, row: _Row, costs: Costs, number: int) -> list[_Detail]:
    """Return the differences of a row's counts and energies per level and tensor."""
    from designgym.simulators.accelerator.loopnest.eyeriss import LEVELS
    from designgym.simulators.accelerator.loopnest.problem import TENSORS

    place = f"{place}, column {LEVELS_JSON}"
    try:
        printed = json.loads(row[LEVELS_JSON])
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON: {error}") from None
    result: list[_Detail] = []
    for level, name in enumerate(LEVELS):
        for t, tensor in enumerate(TENSORS):
            found = printed.get(name, {}).get(tensor) if isinstance(printed, dict) else None
            if found is None:
                found = dict.fromkeys(("reads", "updates", "fills", "total_pJ"), 0.0)  # the tensor bypasses the level
            if not isinstance(found, dict):
                raise InputError(f"{place}: {tensor} of {name} is {shorten(found)}, expected its counts")
            values = {"reads": costs.reads, "updates": costs.updates, "fills": costs.fills, "total_pJ": costs.level_pj}
            mine = {what: float(array[level, t, number]) for what, array in values.items()}
            mine["inst"] = float(costs.instances[level, number])
            for what, theirs in found.items():
                if what in mine:
                    value = number_in(f"{place}, {what} of {tensor} in {name}", str(theirs))
                    tolerance = 0.0051 + 1e-8 * value if what == "total_pJ" else 0.0
                    result.append((what, f"{tensor} in {name}", abs(mine[what] - value), tolerance, value))
    return result


def _error(case: _Case, name: str, ours: float, quantity: _Quantity) -> float:
    """Return by how much a number is off beyond its tolerance; nothing if the reference has none."""
    printed = case.printed[name]
    return 0.0 if math.isnan(printed) else abs(ours - printed) - quantity.absolute - quantity.relative * abs(printed)


def _column(name: str, cases: Sequence[_Case], ours: Sequence[float], quantity: _Quantity) -> ColumnComparison:
    found = [(c, abs(v - c.printed[name]), c.printed[name]) for c, v in zip(cases, ours, strict=True) if not math.isnan(c.printed[name])]
    equal = sum(
        _error(case, name, value, quantity) <= 0 for case, value in zip(cases, ours, strict=True) if not math.isnan(case.printed[name])
    )
    tolerance = quantity.absolute or quantity.relative * max((abs(printed) for _, _, printed in found), default=0.0)
    worst = max(found, key=lambda entry: entry[1], default=None)
    relative = max((error / abs(printed) for _, error, printed in found if printed), default=0.0)
    return ColumnComparison(
        name, len(found), equal, tolerance, worst[1] if worst else 0.0, relative, worst[0].name if worst else None
    )  # fmt: skip


def _detail_column(what: str, cases: Sequence[_Case], details: Sequence[list[_Detail]]) -> ColumnComparison:
    """Return the comparison of one kind of figure over all levels and tensors; a row is equal if all of its figures are."""
    of_rows = [[entry for entry in row if entry[0] == what] for row in details]
    every = [(case.name, entry) for case, row in zip(cases, of_rows, strict=True) for entry in row]
    name, worst = max(every, key=lambda pair: pair[1][2], default=("", (what, "", 0.0, 0.0, 0.0)))
    return ColumnComparison(
        f"{LEVELS_JSON}: {what}",
        sum(bool(row) for row in of_rows),
        sum(bool(row) and all(error <= tolerance for _, _, error, tolerance, _ in row) for row in of_rows),
        max((tolerance for _, (_, _, _, tolerance, _) in every), default=0.0),
        worst[2],
        max((error / printed for _, (_, _, error, _, printed) in every if printed), default=0.0),
        f"{name}: {worst[1]}",
    )
