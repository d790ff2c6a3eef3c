"""A study's trials as a pandas frame: one row per trial, design and metrics as columns, units beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from designgym.studies.records import loads

if TYPE_CHECKING:
    import pandas as pd

    from designgym.studies.store import Store

LEADING = (
    "study", "env", "workload", "run", "searcher", "searcher_options", "run_seed", "number", "obtained", "duplicate", "status", "score",
    "feasible", "reasons", "error", "cost_s", "wall_s", "started_at_s", "worker", "simulator", "simulator_version", "space_version",
    "workload_digest", "fidelity", "seed", "key_literal", "key_canonical", "key_functional",
)  # fmt: skip
SECONDS = ("cost_s", "wall_s", "started_at_s")


def study_frame(store: Store, study: str) -> pd.DataFrame:
    """Return the trials of a study, by run and number.

    Columns are those of `LEADING`, then ``design.<parameter>`` and ``metrics.<metric>`` (NaN where there is no result). Units are in
    ``frame.attrs["units"]``. ``reasons`` is text, joined by "; "; structured parameters are lists.
    """
    import pandas as pd

    definition = store.definition(study)
    parts = [_part(rows, study, definition) for rows in store.trial_batches(study)]
    if not parts:
        frame = _part([], study, definition).astype({"duplicate": "bool", "feasible": "bool", "number": "int64", "score": "float64"})
    elif len(parts) == 1:
        frame = parts[0]
    else:  # columns without a value in one part have none of its types, so the whole is looked at again
        frame = pd.concat(parts, ignore_index=True).infer_objects()
    frame.attrs["units"] = units_of(definition)
    return frame


def _part(rows: Sequence[Mapping[str, Any]], study: str, definition: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    designs = [loads(row["design"], "a design") for row in rows]
    results = [loads(row["metrics"], "a result") for row in rows]
    constant = {"study": study, "env": definition["env"]}
    columns: dict[str, Any] = {}
    for name in LEADING:
        if name in constant:
            columns[name] = [constant[name]] * len(rows)
        elif name == "reasons":
            columns[name] = ["; ".join(loads(row[name], "a reason")) for row in rows]
        else:
            columns[name] = [row[name] for row in rows]
    for parameter in definition["space"]["parameters"]:
        columns[f"design.{parameter}"] = [design.get(parameter) for design in designs]
    for spec in definition["metrics"]:
        values = [result.get(spec["name"]) for result in results]
        columns[f"metrics.{spec['name']}"] = pd.array(values, dtype="float64") if not rows else pd.Series(values, dtype="float64")
    return pd.DataFrame(columns)


def units_of(definition: Mapping[str, Any]) -> dict[str, str]:
    """Return the unit of every column that has one."""
    units = dict.fromkeys(SECONDS, "s")
    units |= {f"design.{name}": data["unit"] for name, data in definition["space"]["parameters"].items() if data.get("unit")}
    return units | {f"metrics.{spec['name']}": spec["unit"] for spec in definition["metrics"]}
