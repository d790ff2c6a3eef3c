"""Comparing an embedded simulator with reference outputs: what an environment offers to ``designgym validate``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ColumnComparison:
    """How far one column of a reference table is off.

    Attributes:
        column: Name in the reference.
        rows: Rows with a value in the reference.
        equal_rows: Those that differ by no more than ``tolerance``.
        tolerance: In the column's unit, usually half a unit of the last digit that the reference prints; relative where the validator
            says so.
        max_abs_error: Largest absolute difference, in the column's unit; infinite if our simulation failed somewhere.
        max_rel_error: Largest difference relative to the reference value, where that is not 0.
        worst_row: The row with the largest absolute difference, in words; None if there are no rows.
    """

    column: str
    rows: int
    equal_rows: int
    tolerance: float
    max_abs_error: float
    max_rel_error: float
    worst_row: str | None


@dataclass(frozen=True)
class TableComparison:
    """The comparison of one reference table.

    Attributes:
        columns: One entry per compared column.
        ours: By compared column, our value for each row of the table as it stands in the file, in order; None where there is none.
        equal_rows: Rows of which every compared column is equal.
        rows: Rows that were compared, refused ones among them.
        lines: Of a reference that is not a table but JSON lines: these with our results in place of those that are there.
        refused: Rows that cannot be simulated though they can be read, such as a mapping that exceeds a buffer: in words, with the
            reason. They are in no column and not equal.
    """

    columns: tuple[ColumnComparison, ...]
    ours: Mapping[str, Sequence[float | None]]
    equal_rows: int
    rows: int
    lines: Sequence[str] | None = None
    refused: Sequence[str] = ()


class ReferenceValidator(Protocol):
    """An environment's way to compare its simulator with reference outputs.

    One that has an attribute ``built_in`` that is true compares with published figures that come with it, and needs no folder.
    """

    def tables(self, oracle: Path) -> list[Path]:
        """Return the public reference tables of this environment in a folder of reference outputs; empty if there are none."""
        ...

    def compare(self, reference: Path, *, folders: Sequence[Path], oracle: Path | None) -> TableComparison:
        """Simulate every row of a reference table (CSV), or what else the validator takes, and compare.

        Args:
            reference: The table.
            folders: Where the workloads that it names are looked up first.
            oracle: Folder of reference outputs, whose workloads are looked up next; None if there is none.

        Raises:
            InputError: If the table cannot be used, naming the row and the column.
        """
        ...
