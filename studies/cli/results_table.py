"""Results of designs as a table: side by side for a few designs, one per row for many."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from designgym.core.describing import described
from designgym.core.metrics import shown_unit
from designgym.studies.cli.tables import design_value, format_cell, note, print_descriptions, print_table, with_unit

if TYPE_CHECKING:
    from designgym.core.metrics import MetricSpec
    from designgym.core.parameter_base import Parameter
    from designgym.core.protocols import Simulator
    from designgym.core.trial import Trial
    from designgym.core.workload import Workload

SIDE_BY_SIDE = 3  # designs that are shown as columns, with everything about them


def print_results(title: str, trials: Sequence[Trial], simulator: Simulator, workload: Workload) -> None:
    """Print trials with units, and what designs amount to if the simulator says so; reasons and errors follow the table of many."""
    metrics = simulator.metrics
    if len(trials) <= SIDE_BY_SIDE:
        meanings = [described(simulator, trial.design, workload) for trial in trials]
        _print_side_by_side(title, trials, metrics, {} if all(meanings) else simulator.space.parameters)
        if all(meanings):
            print_descriptions(meanings, "design ")
    else:
        _print_rows(title, trials, metrics)


def _print_side_by_side(title: str, trials: Sequence[Trial], metrics: Sequence[MetricSpec], parameters: Mapping[str, Parameter]) -> None:
    rows: list[list[Any]] = [
        [name, p.unit, *(design_value(trial.design.to_dict()[name]) for trial in trials)] for name, p in parameters.items()
    ]
    rows.append(["status", "", *(trial.metrics.status for trial in trials)])
    if any(trial.metrics.reasons or trial.metrics.error for trial in trials):
        rows.append(["because", "", *(_why(trial) for trial in trials)])
    for spec in metrics:
        if any(trial.metrics.ok for trial in trials):
            rows.append([spec.name, shown_unit(spec.unit), *(format_cell(trial.metrics.values.get(spec.name)) for trial in trials)])
    rows.append(["obtained", "", *(trial.obtained for trial in trials)])
    rows.append(["cost", "s", *(format_cell(trial.metrics.cost_s) for trial in trials)])
    print_table(title, ["", "unit", *(f"design {number}" for number in range(1, len(trials) + 1))], rows)


def _print_rows(title: str, trials: Sequence[Trial], metrics: Sequence[MetricSpec]) -> None:
    shown = list(metrics)
    if sys.stdout.isatty():  # as many metrics as fit, in the order in which the simulator declares them
        room = shutil.get_terminal_size().columns - len("design  status      obtained      ")
        shown = [
            spec for i, spec in enumerate(metrics) if sum(max(14, len(with_unit(s.name, s.unit)) + 2) for s in metrics[: i + 1]) <= room
        ]
    columns = ["design", "status", *(with_unit(spec.name, spec.unit) for spec in shown), "obtained"]
    rows = [
        [number, trial.metrics.status, *(trial.metrics.values.get(spec.name) for spec in shown), trial.obtained]
        for number, trial in enumerate(trials, 1)
    ]
    print_table(title, columns, rows)
    for number, trial in enumerate(trials, 1):
        if why := _why(trial):
            print(f"design {number}: {trial.metrics.status}: {why}")
    if len(shown) < len(metrics):
        note(f"{len(metrics) - len(shown)} more metrics do not fit: use --jsonl for all of them")


def _why(trial: Trial) -> str:
    return "; ".join(trial.metrics.reasons) or trial.metrics.error
