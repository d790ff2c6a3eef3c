"""``designgym search``: one searcher, one run, without Ray; kept only where a store is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from designgym.studies.cli.errors import DONE, FAILED, Interrupted
from designgym.studies.cli.option_groups import OnWorkload, takes
from designgym.studies.cli.options import AssignmentsOption, JsonOption, parse_assignments
from designgym.studies.cli.tables import note, users_code

if TYPE_CHECKING:
    from designgym.studies.results import StudyResult


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    example = "Example: designgym search designgym/DramController-v0 --searcher tpe --budget 200 --seed 0 --workload cloud-like"
    app.command("search", epilog=example)(search)


@takes(OnWorkload)
def search(
    given: OnWorkload,
    searcher: Annotated[
        str, typer.Option("--searcher", metavar="NAME", help="Searcher, for instance random, tpe, evolution, botorch.")
    ] = "random",
    budget: Annotated[
        int | None, typer.Option("--budget", metavar="N", help="Different behaviours to try; the environment's default otherwise.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the searcher: same seed, same search.")] = 0,
    objective: Annotated[str | None, typer.Option("--objective", metavar="NAME", help="Named objective of the environment.")] = None,
    option: AssignmentsOption = None,
    env_option: Annotated[
        list[str] | None, typer.Option("--env-option", metavar="KEY=VALUE", help="Option of the environment's simulator; may be repeated.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", help="Designs that the searcher is asked for at once.")] = 8,
    functional: Annotated[
        str | None,
        typer.Option(
            "--functional",
            metavar="auto|on|off|shared",
            help="Whether designs are fingerprinted; as the environment declares otherwise. auto finds out once whether that pays, by "
            "measured times: on another machine the same seed may give other trials then. shared: on, and one for all runs of the study.",
        ),
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", metavar="URL", help="Keep the trials in this store, and go on from what is in it.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Name of the study in the store.")] = None,
    as_json: JsonOption = False,
) -> int:
    """Run one searcher on an environment. ``--option`` is for the searcher; exit code 1 means that nothing came of it.

    Ctrl-C ends it with what was found so far, and exit code 130.
    """
    from designgym.searchers import recipe
    from designgym.studies.cli.study_tables import all_failed, print_best, print_summary
    from designgym.studies.results import StudyResult
    from designgym.studies.store import open_store
    from designgym.studies.store_opening import MEMORY
    from designgym.studies.study import Study

    spec = given.environment()
    chosen = recipe(searcher, **parse_assignments(option))
    title = name or f"{spec.id.rpartition('/')[2]} {chosen.label}"[:100].replace("/", "-")
    study = Study(
        title, spec, workload=given.workload, objective=objective, searchers=chosen, budget=budget, seeds=[seed], batch=batch,
        functional=functional, options=parse_assignments(env_option),  # type: ignore[arg-type]
    )  # fmt: skip
    interrupted = False
    with open_store(store or MEMORY) as opened:
        try:
            with users_code():
                result = study.run(backend="local", store=opened, progress=not as_json)
        except KeyboardInterrupt:
            if opened.find(study.name) is None:
                raise  # before anything was evaluated
            interrupted, result = True, StudyResult.load(opened, study.name, study.definition.workloads)
    if as_json:
        print(json.dumps(search_json(result, seed, interrupted=interrupted), allow_nan=False))
    else:
        print_summary(result)
        print()
        print_best(result)
    if interrupted:
        done = f"{sum(report.evaluations for report in result.reports):,} of {study.definition.budget:,} evaluations were made"
        kept = f"they are in {store}; the same command goes on from there" if store else "none is kept: that takes --store FILE"
        raise Interrupted(f"{done}; {kept}")
    if store is not None and not as_json:
        note(f"kept in {store}: designgym show {title!r} --store {store}")
    return FAILED if all_failed(result) else DONE


def search_json(result: StudyResult, seed: int, *, interrupted: bool = False) -> dict[str, Any]:
    """Return a search as JSON data: what was asked, the best design, and all trials in order; and whether Ctrl-C ended it."""
    from designgym.studies.exports import finite

    definition, run = result.definition, next(run for run in result.runs if run.plan.seed == seed)
    report = next(report for report in result.reports if report.run == run.plan.run)
    frame = result.frame[result.frame["run"] == run.plan.run]
    best = result.best()
    names = [spec["name"] for spec in definition["metrics"]]
    trials = [
        {
            "number": row["number"], "design": {name: row[f"design.{name}"] for name in result.space.parameters}, "status": row["status"],
            "metrics": {name: row[f"metrics.{name}"] for name in names} if row["status"] == "ok" else {}, "score": finite(row["score"]),
            "feasible": row["feasible"], "obtained": row["obtained"], "duplicate": row["duplicate"], "cost_s": row["cost_s"],
        } | ({"reasons": [row["reasons"]]} if row["reasons"] else {}) | ({"error": row["error"]} if row["error"] else {})
        for row in frame.to_dict("records")
    ]  # fmt: skip
    return {
        "env": definition["env"], "workload": run.plan.workload, "objective": definition["objective"]["name"],
        "objective_words": definition["objective"]["words"], "searcher": run.plan.searcher, "options": dict(run.plan.options), "seed": seed,
        "budget": definition["budget"], "units": {spec["name"]: spec["unit"] for spec in definition["metrics"]},
        "best": best[0].to_json() if best else None,
        **{name: value for name, value in report.to_json().items() if name not in ("run", "budget", "trials")}, "trials": trials,
        "interrupted": interrupted,
    }  # fmt: skip
