"""`MaestroValidator`: tables of MAESTRO outputs, evaluated from their mapping texts, and compared row by row."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from designgym.core.errors import InputError, shorten
from designgym.core.validation import ColumnComparison, TableComparison
from designgym.envs.reference_tables import agrees, column_comparison, number_in, read_table

if TYPE_CHECKING:
    from designgym.simulators.accelerator.datacentric.batch import Hardware
    from designgym.simulators.accelerator.datacentric.mapping import Mapping as DataflowMapping
    from designgym.simulators.accelerator.datacentric.mapping_text import MappedLayer
    from designgym.simulators.accelerator.datacentric.shape import ConvShape

TABLES = ("maestro_public.csv",)
TEXT = "mapping_text"
REQUIRED = (TEXT, "num_pes", "noc_bw", "offchip_bw")
OPTIONAL = ("noc_hops", "noc_hop_latency", "simd_lanes")  # 1 where absent
OK, TIMEOUT = "ok", "timeout"
TOLERANCE = 6e-6  # relative, of columns printed with six significant digits
MACS_RATIO = "macs_over_true"
STATUS = "status"
REFUSED = "refused"

_Case = tuple["DataflowMapping", "ConvShape", "Hardware"]


class MaestroValidator:
    """Compares the data-centric model with tables of what MAESTRO prints (a `ReferenceValidator`).

    Whole numbers must be equal; the tolerance of the other columns is relative. The column ``status`` says how MAESTRO ended: ``ok``;
    ``timeout``, of which nothing can be said, so the row is left out; anything else means that it refused the mapping or crashed on it.
    The model must then refuse it too, and nothing else: the comparison's column ``refused`` counts the rows where both agree.
    """

    def tables(self, oracle: Path) -> list[Path]:
        """Return the public tables that are in the folder."""
        return [oracle / name for name in TABLES if (oracle / name).is_file()]

    def compare(self, reference: Path, *, folders: Sequence[Path], oracle: Path | None) -> TableComparison:
        """Evaluate every row of a table and compare its columns, and what is refused.

        Rows that only the model refuses are listed with its reason.

        Raises:
            InputError: If the table cannot be used, naming the row and the column.
        """
        from designgym.simulators.accelerator.datacentric.printed import EXACT, ROUNDED, printed, refusals

        header, rows = read_table(reference)
        if missing := [name for name in REQUIRED if name not in header]:
            raise InputError(f"{reference} lacks the columns {', '.join(missing)}: it needs the mapping and the hardware")
        tolerances = {**dict.fromkeys(EXACT, 0.0), **dict.fromkeys((*ROUNDED, MACS_RATIO), TOLERANCE)}
        compared = [name for name in tolerances if name in header]
        if not compared:
            raise InputError(f"{reference} has no column to compare: expected one or more of {', '.join(tolerances)}")
        places = {i: f"{reference} row {i + 1} (line {line})" for i, (line, row) in enumerate(rows) if row.get(STATUS, OK) != TIMEOUT}
        if not places:
            raise InputError(f"{reference} has no row to compare" + (f": all have status {TIMEOUT!r}" if rows else ""))
        finished = {i: rows[i][1].get(STATUS, OK) == OK for i in places}
        cases = {i: _case(place, rows[i][1], readable=finished[i]) for i, place in places.items()}
        evaluated = [i for i, case in cases.items() if case is not None]
        table, codes = printed([case for case in cases.values() if case is not None])
        reasons = dict(zip(evaluated, refusals(codes), strict=True))
        refused = {i: bool(reasons.get(i, "unreadable")) for i in places}
        found = {name: dict(zip(evaluated, values.tolist(), strict=True)) for name, values in table.items()}
        found[MACS_RATIO] = {i: found["num_macs"][i] / case[1].macs for i, case in cases.items() if case is not None}
        both = [i for i in places if finished[i] and not refused[i]]
        labels = {i: rows[i][1].get("row_id") or f"row {i + 1}" for i in places}
        expected = {
            name: {i: number_in(f"{place}, column {name}", rows[i][1][name]) for i, place in places.items() if finished[i]}
            for name in compared
        }  # fmt: skip
        columns = [
            column_comparison(
                name, [expected[name][i] for i in both], [found[name][i] for i in both], tolerances[name], [labels[i] for i in both]
            )
            for name in compared
        ]
        equal = sum(all(agrees(expected[n][i], found[n][i], tolerances[n]) for n in compared) for i in both)
        agreed = [i for i in places if refused[i] and not finished[i]]
        if any(refused.values()) or not all(finished.values()):
            columns.append(_refused_column([labels[i] for i in places], [refused[i] != finished[i] for i in places]))
        ours: dict[str, list[float | None]] = {name: [None] * len(rows) for name in compared}
        for name, i in itertools.product(compared, both):
            ours[name][i] = found[name][i]
        only_ours = [f"{places[i]}: {reasons[i]}" for i in places if refused[i] and finished[i]]
        return TableComparison(tuple(columns), ours, equal + len(agreed), len(places), refused=tuple(only_ours))


def _refused_column(labels: Sequence[str], agreed: Sequence[bool]) -> ColumnComparison:
    """Return in how many rows both refuse or neither does."""
    wrong = [label for label, same in zip(labels, agreed, strict=True) if not same]
    error = float(bool(wrong))
    return ColumnComparison(REFUSED, len(labels), len(labels) - len(wrong), 0.0, error, error, wrong[0] if wrong else None)


def _case(place: str, row: Mapping[str, str], *, readable: bool) -> _Case | None:
    """Return what a row evaluates; None for a mapping that cannot be read, unless it has to be."""
    hardware = _hardware(place, row)
    try:
        layer = _layer(place, row)
    except InputError:
        if readable:
            raise
        return None
    return layer.mapping, layer.shape, hardware


def _layer(place: str, row: Mapping[str, str]) -> MappedLayer:
    from designgym.simulators.accelerator.datacentric.mapping_text import parse_network

    layers = parse_network(row[TEXT].replace("\\n", "\n"), source=f"{place}, column {TEXT},")
    if len(layers) != 1:
        raise InputError(f"{place}, column {TEXT}: the network has {len(layers)} layers, expected one")
    return layers[0]


def _hardware(place: str, row: Mapping[str, str]) -> Hardware:
    from designgym.simulators.accelerator.datacentric.batch import Hardware

    whole = {name: _whole(f"{place}, column {name}", row[name]) for name in (*REQUIRED[1:], *OPTIONAL) if name in row}
    hops, latency, lanes = (whole.get(name, 1) for name in OPTIONAL)
    return Hardware(whole["num_pes"], whole["noc_bw"], whole["offchip_bw"], hops * latency, lanes)


def _whole(place: str, text: str) -> int:
    value = number_in(place, text)
    if math.isnan(value) or value != int(value) or value < 1:
        raise InputError(f"{place}: got {shorten(text, 40)}, expected a positive whole number")
    return int(value)
