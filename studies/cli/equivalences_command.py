"""``designgym equivalences``: what makes no difference to an environment, found by measuring."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from designgym.studies.cli.errors import FAILED
from designgym.studies.cli.options import (
    AssignmentsOption,
    EnvironmentArgument,
    FidelityOption,
    JsonOption,
    WorkloadOption,
    WorkloadsOption,
    find_environment,
    parse_assignments,
    use_workload_folders,
)
from designgym.studies.cli.progress import Progress
from designgym.studies.cli.tables import format_number, print_table, users_code

if TYPE_CHECKING:
    from designgym.hashing.symmetry import Findings

SamplesOption = Annotated[
    int, typer.Option("--samples", metavar="N", min=1, help="Random designs that are varied; fewer if the budget ends.")
]
BudgetOption = Annotated[int, typer.Option("--budget", metavar="N", min=1, help="Most evaluations.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the random designs.")]
ToleranceOption = Annotated[
    float | None,
    typer.Option(
        "--tolerance", metavar="X", min=0.0,
        help="Relative difference of metrics up to which they are equal; else 1e-9, or what the simulator's noise explains.",
    ),
]  # fmt: skip
MeasurementsOption = Annotated[
    int, typer.Option("--measurements", metavar="N", min=1, help="Evaluations of each design, for a noisy simulator.")
]
DeclaredOption = Annotated[bool, typer.Option("--include-declared", help="Print the rules of what is declared already, too.")]


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("equivalences", epilog="Example: designgym equivalences designgym/DramController-v0 --workload mixed")(equivalences)


def equivalences(
    env_id: EnvironmentArgument,
    workload: WorkloadOption = None,
    workloads: WorkloadsOption = None,
    samples: SamplesOption = 200,
    budget: BudgetOption = 10_000,
    seed: SeedOption = 0,
    fidelity: FidelityOption = 1.0,
    tolerance: ToleranceOption = None,
    measurements: MeasurementsOption = 4,
    option: AssignmentsOption = None,
    include_declared: DeclaredOption = False,
    as_json: JsonOption = False,
) -> int:
    """Find out by measuring what makes no difference, and suggest rules for it.

    Parameters without effect, values that act alike, bounds, sums and products that say all, parameters that may be swapped, one by one
    or several together, groups in any order: always, or where another parameter has some values. Nothing is adopted: a suggestion holds
    on the share of designs stated, for this workload, and wants a reason before you declare it. Rules that are declared already are
    checked on the way; exit code 1 means that one is wrong.
    """
    from designgym.hashing.symmetry import find_equivalences

    use_workload_folders(workloads)
    spec = find_environment(env_id)
    chosen, simulator = spec.workload(workload), spec.installed_simulator(parse_assignments(option))
    with Progress("evaluations at most", budget) as progress, users_code():
        found = find_equivalences(
            simulator, chosen, samples=samples, budget=budget, seed=seed, fidelity=fidelity, tolerance=tolerance,
            measurements=measurements, progress=progress.advance,
        )  # fmt: skip
    if as_json:
        print(json.dumps({"env": spec.id, "workload": chosen.name} | found.to_json(), indent=2, allow_nan=False))
    else:
        _print(f"{spec.id} on {chosen.name}", found, include_declared)
    return FAILED if found.contradictions else 0


def _print(title: str, found: Findings, include_declared: bool) -> None:
    rows = [
        (one.words, "declared already" if one.declared else "new", one.designs, f"{100 * one.upper_95:.2g} %") for one in found.findings
    ]
    if rows:
        print_table(title, ("finding", "status", "designs without a difference", "wrong on at most (95 %)"), rows)
    else:
        print(f"{title}: nothing was found that makes no difference{', so far' if found.undecided else ''}")
    if script := found.script(declared=include_declared):
        traits = f"workloads that are {' and '.join(found.traits)}" if found.traits else "this workload"
        print(f"\nRules to consider, each of which says that it holds for all designs, on {traits}. As Python:\n\n{script}")
    if unwritten := [one.words for one in found.findings if not one.rule and not one.declared]:
        print(f"\nNo rule says, or none that goes together with those above: {'; '.join(unwritten)}.")
    if found.undecided:
        print("\nNot decided, for want of evaluations or designs (raise --budget):")
        for words in found.undecided:
            print(f"  {words}")
    print(
        f"\n{format_number(found.screened)} hypotheses were looked at on {format_number(found.designs)} designs and "
        f"{format_number(found.confirmed)} tried on fresh ones, with {format_number(found.evaluations)} evaluations. "
        "Each bound holds for itself: of many, about one in twenty is exceeded."
    )
    if found.failed:
        print(
            f"{format_number(found.failed)} evaluations failed: two designs that fail tell nothing about each other; "
            "one that fails again and again is not like one that works."
        )
    if found.noise:
        scatter = ", ".join(f"{name} {100 * share:.2g} %" for name, share in found.noise.items())
        print(f"Differences of means that the noise explains were taken for none: {scatter}. Smaller effects are not seen.")
    wrong = len(found.contradictions)
    print(
        f"The declared rules were checked on {format_number(found.declared_pairs)} pairs of designs: {wrong or 'none'} contradicted them."
    )
    for a, b in found.contradictions[:3]:
        print(f"  declared equivalent, but not equal: {json.dumps(a.to_dict())} and {json.dumps(b.to_dict())}")
