"""A study's results as tables for people: its best designs with units, its runs, its searchers."""

from __future__ import annotations

import math
import textwrap
import time
from typing import TYPE_CHECKING

from designgym.core.metrics import MetricSpec, shown_unit
from designgym.hashing.evidence import Evidence
from designgym.studies.calibration import calibration_words
from designgym.studies.cli.tables import (
    counted,
    design_value,
    format_cell,
    format_quantity,
    note,
    print_descriptions,
    print_pairs,
    print_table,
    with_unit,
)

if TYPE_CHECKING:
    import pandas as pd

    from designgym.studies.results import StudyResult

BEST_SHOWN = 5
SAID = 200  # characters shown of what went wrong
CELL = 32  # characters shown of a parameter's value beside those of other designs: a program or an architecture may fill pages


def print_best(result: StudyResult, count: int = BEST_SHOWN) -> None:
    """Print the best different behaviours on each workload, side by side; for several objectives, the front."""
    for number, workload in enumerate(result.workloads):
        if number:
            print()
        _print_best(result, count, workload)


def _print_best(result: StudyResult, count: int, workload: str) -> None:
    from designgym.core.objectives import ParetoObjective

    several = isinstance(result.objective, ParetoObjective)
    best = result.front(workload) if several else result.best(count, workload)
    where = f" on {workload}" if len(result.workloads) > 1 else ""
    if not best:
        print(f"no design has a result{where}" + ("" if result.finished else " yet"))
        return
    shown = best[:count]
    rows: list[list[object]] = []
    told = all(trial.description for trial in shown)
    for name, parameter in () if told else result.space.parameters.items():
        rows.append([name, parameter.unit, *(_in_cell(design_value(trial.design.to_dict()[name])) for trial in shown)])
    known = [spec["name"] for spec in result.definition["metrics"]]
    rows += [[label, "objective", *(trial.shown[label] for trial in shown)] for label in shown[0].shown if label not in known]
    rows += [[name, shown_unit(shown[0].units[name]), *(trial.metrics[name] for trial in shown)] for name in known]
    if not all(trial.feasible for trial in shown):
        rows.append(["keeps constraints", "", *("yes" if trial.feasible else "no" for trial in shown)])
    rows.append(["obtained", "", *(trial.obtained for trial in shown)])
    rows.append(["found by", "", *(trial.run for trial in shown)])
    title = (f"{len(best)} design{'s' * (len(best) > 1)} on the Pareto front" if several else "best designs") + where
    print_table(
        title + (f", the first {len(shown)}" if several and len(best) > len(shown) else ""),
        ["", "unit", *map(str, range(1, len(shown) + 1))],
        [[format_cell(cell) if i > 1 else cell for i, cell in enumerate(row)] for row in rows],
    )
    if told:
        print_descriptions([trial.description for trial in shown])
        note("shown is what has an effect; JSON has the designs as they were proposed")
    else:
        _print_long_values(result, shown[0].design.to_dict())


def _in_cell(value: object) -> object:
    return value if not isinstance(value, str) or len(value) <= CELL else value[: CELL - 1] + "…"


def _print_long_values(result: StudyResult, design: dict[str, object]) -> None:
    """Print the values of the first design that its column has no room for."""
    texts = {name: str(design_value(design[name])) for name in result.space.parameters}
    for name, text in texts.items():
        if len(text) > CELL:
            print(textwrap.fill(f"1, {name}: {text}", 120, subsequent_indent="    ", break_long_words=False))


def print_summary(result: StudyResult) -> None:
    """Print the study in a few lines and its runs in a table."""
    definition, frame = result.definition, result.frame
    units = frame.attrs["units"]
    saved = sum(report.saved_s for report in result.reports)
    calibrated = calibration_words(result.decisions) if definition["functional"] == "auto" else [definition["functional"]]
    audit = Evidence.total(result.fingerprints)
    duplicates = int(frame["duplicate"].sum())
    simulated = int(frame["obtained"].isin(["measured", "audited"]).sum())
    print_pairs(
        [
            ("study", result.name),
            ("environment", definition["env"]),
            ("workload", ", ".join(name for name, _ in definition["workloads"])),
            ("objective", definition["objective"]["words"]),
            ("attention", "; ".join(result.objective.contradictions(MetricSpec(**spec) for spec in definition["metrics"]))),
            ("simulator", " version ".join(definition["simulator"])),
            ("fingerprints", "; ".join(calibrated)),
            ("audit", audit.words() if audit.wanted and audit.probes else None),
            ("", _stops(result)),
            ("trials", f"{len(frame):,}, of which {counted(duplicates, 'duplicate')} without cost to the budget"),
            ("simulated", f"{counted(simulated, 'behaviour')}, {format_quantity(saved, 's')} saved"),
            (
                "GPUs",
                f"{format_quantity(result.gpu_s, 's')} occupied, {format_quantity(result.saved_gpu_s, 's')} saved" if result.gpus else "",
            ),
            ("infeasible", _with_first(frame, frame["status"] == "infeasible", "reasons")),
            ("breaks a bound", _broken(result)),
            ("no value", _with_first(frame, _valueless(frame), "reasons")),
            ("failed", _with_first(frame, _failed(frame), "error")),
        ]
    )
    print()
    terms = [term.label for term in result.objective.terms]
    columns = [
        "run",
        "status",
        "evaluations",
        "duplicates",
        "simulated",
        *(f"best {with_unit(t, units.get(f'metrics.{t}', ''))}" for t in terms),
    ]
    volume = any(report.hypervolume is not None for report in result.reports)
    rows = [
        [
            report.run, run.status, report.evaluations, report.duplicates, report.measured,
            *(report.best_shown.get(term) for term in terms), *([report.hypervolume] if volume else []), run.stop_reason,
        ]
        for run, report in zip(result.runs, result.reports, strict=True)
    ]  # fmt: skip
    print_table("runs", [*columns, *(["hypervolume / reference"] if volume else []), "ended because"], rows)
    _print_audits(result)


def _stopped(result: StudyResult) -> list[tuple[str, Evidence]]:
    """Return the runs in which fingerprints were on and then stopped."""
    pairs = zip(result.runs, result.fingerprints, strict=True)
    return [(run.plan.run, evidence) for run, evidence in pairs if evidence.wanted and evidence.stopped_because]


def _stops(result: StudyResult) -> str | None:
    """Return in how many runs fingerprints were stopped, and why."""
    stopped = _stopped(result)
    if not stopped:
        return None
    first = Evidence.total(evidence for _, evidence in stopped).stopped_because
    return f"stopped in {len(stopped):,} of {counted(len(result.runs), 'run')}, for instance: {first}"


def _why(evidence: Evidence) -> str:
    if not evidence.trusted:
        return "false merges"  # the counts stand beside it
    return evidence.stopped_because or ("not stopped, in doubt: all hits are measured" if evidence.in_doubt else "-")


def _print_audits(result: StudyResult) -> None:
    """Print what the audits of each run found, if any found that fingerprints lie, or they were stopped."""
    if not (_stopped(result) or any(evidence.false_merges for evidence in result.fingerprints)):
        return
    print()
    print_table(
        "fingerprints",
        ["run", "probes", "functional hits", "audits", "false merges", "rate at most [%]", "stopped because"],
        [
            [run.plan.run, e.probes, e.hits, e.audits, e.false_merges, 100 * e.upper_95 if e.audits else None, _why(e)]
            for run, e in zip(result.runs, result.fingerprints, strict=True)
        ],
    )


def ago(moment_s: float) -> str:
    """Return a moment in words: ``5 min ago``."""
    if not moment_s:
        return "never"
    seconds = max(0.0, time.time() - moment_s)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def all_failed(result: StudyResult) -> bool:
    """Return whether something was evaluated and nothing came of it, not even that a design is infeasible."""
    frame = result.frame
    return bool(len(frame)) and bool((_failed(frame) | _valueless(frame)).all())


def _failed(frame: pd.DataFrame) -> pd.Series[bool]:
    return frame["status"].isin(["failed", "timeout"])


def _valueless(frame: pd.DataFrame) -> pd.Series[bool]:
    """Return which trials have metrics of which the objective has no value."""
    return (frame["status"] == "ok") & (frame["score"] == -math.inf)


def _broken(result: StudyResult) -> str | None:
    """Return how many trials have a result that breaks a bound of the objective."""
    frame = result.frame
    broken = frame[(frame["status"] == "ok") & ~frame["feasible"] & ~_valueless(frame)]
    if not len(broken):
        return None
    designs = counted(broken["key_canonical"].nunique(), "distinct design")
    return f"{len(broken):,} of {len(frame):,} trials, {designs}: not within {', '.join(map(str, result.objective.bounds))}"


def _with_first(frame: pd.DataFrame, which: pd.Series[bool], column: str) -> str | None:
    """Return how many trials ended so, and what the first of them said."""
    said = frame.loc[which, column]
    return f"{len(said):,} of {len(frame):,} trials, the first: {' '.join(said.iloc[0].split())[:SAID]}" if len(said) else None
