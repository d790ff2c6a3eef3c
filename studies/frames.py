"""A study's trials as a pandas frame: one row per trial, design and metrics as columns, units beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from designgym.studies.records import StoredRun, dumps, loads

if TYPE_CHECKING:
    import pandas as pd

    from designgym.studies.store import Store

LEADING = (
    "study", "env", "workload", "run", "searcher", "searcher_options", "run_seed", "number", "obtained", "duplicate", "status", "score",
    "feasible", "reasons", "error", "cost_s", "wall_s", "started_at_s", "worker", "simulator", "simulator_version", "space_version",
    "workload_digest", "fidelity", "seed", "key_literal", "key_canonical", "key_functional",
)  # fmt: skip
OF_RUN = (
    "study", "env", "workload", "run", "searcher", "searcher_options", "run_seed", "simulator", "simulator_version", "space_version",
    "workload_digest", "fidelity", "seed",
)  # fmt: skip
SECONDS = ("cost_s", "wall_s", "started_at_s")


def study_frame(store: Store, study: str) -> pd.DataFrame:
    """Return the trials of a study, by run and number.

    Columns are those of `LEADING`, then ``design.<parameter>`` and ``metrics.<metric>`` (NaN where there is no result). Units are in
    ``frame.attrs["units"]``. ``reasons`` is text, joined by "; "; structured parameters are lists.
    """
    import pandas as pd

    definition = store.definition(study)
    runs = store.runs(study)  # a study that goes on may have more of them a moment later
    shared, exact = _shared(runs, definition), _has_long_bounds(definition)
    parts = [_part(columns, shared, definition, exact) for columns in store.trial_columns(runs)]
    if not parts:
        nothing: dict[str, list[Any]] = {name: [] for name in (*LEADING, "run_id", "design", "metrics") if name not in shared}
        frame = _part(nothing, shared, definition, exact)
        frame = frame.astype({"duplicate": "bool", "feasible": "bool", "number": "int64", "score": "float64"})
    elif len(parts) == 1:
        frame = parts[0]
    else:  # columns without a value in one part have none of its types, so the whole is looked at again
        frame = pd.concat(parts, ignore_index=True).infer_objects()
    frame.attrs["units"] = units_of(definition)
    return frame


def _shared(runs: Sequence[StoredRun], definition: Mapping[str, Any]) -> pd.DataFrame:
    """Return what the trials of a run have in common: a row per run, under its number in the store."""
    import pandas as pd

    rows = [
        {
            "study": definition["name"], "env": definition["env"], "workload": run.plan.workload, "run": run.plan.run,
            "searcher": run.plan.searcher, "searcher_options": dumps(dict(run.plan.options)), "run_seed": run.plan.seed,
            "simulator": run.context.simulator, "simulator_version": run.context.simulator_version,
            "space_version": run.context.space_version, "workload_digest": run.plan.workload_digest, "fidelity": run.context.fidelity,
            "seed": run.context.simulator_seed,
        }
        for run in runs
    ]  # fmt: skip
    return pd.DataFrame(rows, index=[run.id for run in runs], columns=OF_RUN)


def _part(columns: Mapping[str, list[Any]], shared: pd.DataFrame, definition: Mapping[str, Any], exact: bool) -> pd.DataFrame:
    import pandas as pd

    parameters = list(definition["space"]["parameters"])
    designs, results = _parsed(columns["design"], "a design", exact=exact), _parsed(columns["metrics"], "a result")
    own: dict[str, Any] = {name: columns[name] for name in LEADING if name not in OF_RUN}
    own["reasons"] = ["" if text == "[]" else "; ".join(loads(text, "a reason")) for text in columns["reasons"]]
    own |= {f"design.{name}": [design.get(name) for design in designs] for name in parameters}
    for spec in definition["metrics"]:
        values = [result.get(spec["name"]) for result in results]
        own[f"metrics.{spec['name']}"] = pd.array(values, dtype="float64") if not values else pd.Series(values, dtype="float64")
    of_runs = shared.loc[columns["run_id"]].reset_index(drop=True)
    frame = pd.concat([of_runs, pd.DataFrame(own)], axis=1)
    return frame[[*LEADING, *(name for name in own if name not in LEADING)]]


def _parsed(texts: Sequence[str], what: str, *, exact: bool = False) -> list[dict[str, Any]]:
    """Return the data of JSON texts. A fast parser takes whole numbers of more than 64 bits for floats, unless ``exact``."""
    if not exact:
        try:
            return [orjson.loads(text) for text in texts]
        except ValueError:
            pass  # the other one is more patient, and says what is wrong
    return [loads(text, what) for text in texts]


def _has_long_bounds(definition: Mapping[str, Any]) -> bool:
    """Return whether a design may have a whole number of more than 64 bits: then its space has one too, as a bound or a choice."""
    return re.search(r"\d{19}", dumps(definition["space"])) is not None


def units_of(definition: Mapping[str, Any]) -> dict[str, str]:
    """Return the unit of every column that has one."""
    units = dict.fromkeys(SECONDS, "s")
    units |= {f"design.{name}": data["unit"] for name, data in definition["space"]["parameters"].items() if data.get("unit")}
    return units | {f"metrics.{spec['name']}": spec["unit"] for spec in definition["metrics"]}
