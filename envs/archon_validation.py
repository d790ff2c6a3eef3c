"""`ArchonValidator`: the simulated responder against the published figures that it was fitted to, per task and model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from designgym.core.errors import UnknownNameError
from designgym.core.validation import ColumnComparison, TableComparison

GROUPS = (
    "coverage", "compositions", "layers", "pool sizes", "fusers", "small models", "selection", "verifier ceilings", "particles", "plans",
)  # fmt: skip


class ArchonValidator:
    """Compares the responder with figures that come with it, a table for each group of them (a `ReferenceValidator`).

    A fit, not a test: coverage of repeated sampling shall be within 2 points, gains and all else within 3.
    """

    built_in = True

    def tables(self, oracle: Path) -> list[Path]:
        """Return the groups of figures, by name."""
        return [Path(group) for group in GROUPS]

    def compare(self, reference: Path, *, folders: Sequence[Path], oracle: Path | None) -> TableComparison:
        """Compare a group of figures.

        Raises:
            InputError: If there is no such group: figures of others cannot be given.
        """
        from designgym.simulators.archon.responder import fit_table

        group = str(reference)
        if group not in GROUPS:
            raise UnknownNameError("group of published figures", group, GROUPS, "(other figures cannot be given)")
        rows = fit_table()
        rows = rows[rows["group"] == group].reset_index(drop=True)
        columns = []
        for (task, model), part in rows.groupby(["task", "model"], sort=False):
            errors = part["difference_pct"].abs()
            relative = errors / part["figure_pct"].abs().where(part["figure_pct"] != 0)
            columns.append(
                ColumnComparison(
                    f"{task}, {model} (points)", len(part), int(part["within"].sum()), float(part["tolerance_pct"].iloc[0]),
                    round(float(errors.max()), 2), round(float(relative.max()), 4), str(part["composition"].iloc[int(errors.argmax())]),
                )
            )  # fmt: skip
        lines = [json.dumps(row) for row in rows.to_dict("records")]
        return TableComparison(
            tuple(columns), {"simulated_pct": rows["simulated_pct"].tolist()}, int(rows["within"].sum()), len(rows), lines
        )
