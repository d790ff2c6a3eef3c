"""``designgym evaluate``: results of given designs."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from designgym.studies.cli.design_files import DesignFile
from designgym.studies.cli.errors import FAILED
from designgym.studies.cli.option_groups import OfDesigns, takes
from designgym.studies.cli.progress import Progress
from designgym.studies.cli.results_table import print_results
from designgym.studies.cli.tables import users_code

if TYPE_CHECKING:
    from designgym.core.evaluator import Evaluator
    from designgym.core.trial import Trial

BATCH = 256  # designs handed to the simulator at a time: enough to fill the cores, few enough for results to appear soon

NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Measure every design, even one whose result is known.")]
JsonLinesOption = Annotated[bool, typer.Option("--jsonl", help="Print one JSON line per design, in order.")]


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    example = "Example: designgym evaluate designgym/DramController-v0 --designs designs.jsonl --workload cloud-like --jsonl"
    app.command("evaluate", epilog=example)(evaluate)


@takes(OfDesigns)
def evaluate(given: OfDesigns, no_cache: NoCacheOption = False, jsonl: JsonLinesOption = False) -> int:
    """Evaluate given designs.

    All designs are checked before the first is evaluated. Designs that are declared equivalent are measured once; nothing is merged on
    mere similarity. A design that breaks a rule is infeasible, with the reasons, which is a result; exit code 1 means that an evaluation
    failed or ran out of time.
    """
    evaluator, file = given.evaluator(cache=None if no_cache else "local")
    trials = _trials(evaluator, file, bar=not (jsonl and sys.stdout.isatty()))
    failed = 0
    if jsonl:
        for trial in trials:
            failed += trial.metrics.status in ("failed", "timeout")
            print(json.dumps(as_json(trial), allow_nan=False))
    else:
        finished = list(trials)
        failed = sum(trial.metrics.status in ("failed", "timeout") for trial in finished)
        print_results(f"{given.env_id} on {evaluator.workload.name}", finished, evaluator.simulator, evaluator.workload)
    return FAILED if failed else 0


def as_json(trial: Trial) -> dict[str, Any]:
    """Return a trial as it is printed on a line of JSON."""
    metrics = trial.metrics
    line: dict[str, Any] = {
        "design": trial.design.to_dict(), "status": metrics.status, "metrics": dict(metrics.values),
        "obtained": trial.obtained, "cost_s": metrics.cost_s,
    }  # fmt: skip
    if metrics.reasons:
        line["reasons"] = list(metrics.reasons)
    if metrics.error:
        line["error"] = metrics.error
    return line


def _trials(evaluator: Evaluator, file: DesignFile, *, bar: bool) -> Iterator[Trial]:
    """Yield the trials in order, batch by batch, with a progress bar if ``bar``."""
    designs, total = file.validate(evaluator.simulator.space)
    with Progress("designs", total, bar=bar) as progress:
        while batch := list(itertools.islice(designs, BATCH)):
            with users_code():
                trials = evaluator.evaluate(batch)
            yield from trials
            sys.stdout.flush()  # results appear as they are obtained, also in a pipe
            progress.advance(len(batch))
