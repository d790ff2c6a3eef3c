"""`MaestroValidator`: tables of MAESTRO outputs, evaluated from their mapping texts, and compared row by row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from designgym.core.errors import InputError, shorten
from designgym.core.validation import TableComparison
from designgym.envs.reference_tables import agrees, number_in, read_table, relative_comparison

if TYPE_CHECKING:
    from designgym.simulators.accelerator.datacentric.batch import Hardware
    from designgym.simulators.accelerator.datacentric.mapping_text import MappedLayer

TABLES = ("maestro_public.csv",)
TEXT = "mapping_text"
REQUIRED = (TEXT, "num_pes", "noc_bw", "offchip_bw")
OPTIONAL = ("noc_hops", "noc_hop_latency", "simd_lanes")  # 1 where absent
TOLERANCE = 6e-6  # relative, of columns printed with six significant digits
MACS_RATIO = "macs_over_true"


class MaestroValidator:
    """Compares the data-centric model with tables of what MAESTRO prints (a `ReferenceValidator`).

    Whole numbers must be equal; the tolerance of the other columns is relative. A row whose ``status`` is there and not ``ok`` is left out.
    """

    def tables(self, oracle: Path) -> list[Path]:
        """Return the public tables that are in the folder."""
        return [oracle / name for name in TABLES if (oracle / name).is_file()]

    def compare(self, reference: Path, *, folders: Sequence[Path], oracle: Path | None) -> TableComparison:
        """Evaluate every row of a table and compare its columns.

        Raises:
            InputError: If the table cannot be used, naming the row and the column.
        """
        from designgym.simulators.accelerator.datacentric.printed import EXACT, ROUNDED, printed

        header, rows = read_table(reference)
        if missing := [name for name in REQUIRED if name not in header]:
            raise InputError(f"{reference} lacks the columns {', '.join(missing)}: it needs the mapping and the hardware")
        tolerances = {**dict.fromkeys(EXACT, 0.0), **dict.fromkeys((*ROUNDED, MACS_RATIO), TOLERANCE)}
        compared = [name for name in tolerances if name in header]
        if not compared:
            raise InputError(f"{reference} has no column to compare: expected one or more of {', '.join(tolerances)}")
        places = {i: f"{reference} row {i + 1} (line {line})" for i, (line, row) in enumerate(rows) if row.get("status", "ok") == "ok"}
        if not places:
            raise InputError(f"{reference} has no row to compare" + (": none has status 'ok'" if rows else ""))
        layers, hardware = {}, {}
        for i, place in places.items():
            layers[i], hardware[i] = _layer(place, rows[i][1]), _hardware(place, rows[i][1])
        expected = {name: [number_in(f"{place}, column {name}", rows[i][1][name]) for i, place in places.items()] for name in compared}
        table, _ = printed([(layers[i].mapping, layers[i].shape, hardware[i]) for i in places])
        found: dict[str, list[float]] = {name: values.tolist() for name, values in table.items()}
        found[MACS_RATIO] = [macs / layers[i].shape.macs for i, macs in zip(places, found["num_macs"], strict=True)]
        labels = [rows[i][1].get("row_id") or f"row {i + 1}" for i in places]
        columns = tuple(relative_comparison(name, expected[name], found[name], tolerances[name], labels) for name in compared)
        equal = [all(agrees(expected[n][j], found[n][j], tolerances[n]) for n in compared) for j in range(len(places))]
        ours: dict[str, list[float | None]] = {name: [None] * len(rows) for name in compared}
        for name in compared:
            for i, value in zip(places, found[name], strict=True):
                ours[name][i] = None if math.isnan(value) else value
        return TableComparison(columns, ours, sum(equal), len(places))


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
