"""``designgym hash``: the equivalence keys of designs."""

from __future__ import annotations

import itertools
import json

import typer

from designgym.studies.cli.design_files import DesignFile
from designgym.studies.cli.options import (
    AssignmentsOption,
    DesignsOption,
    EnvironmentArgument,
    FidelityOption,
    SeedOption,
    WorkloadOption,
    WorkloadsOption,
    find_environment,
    parse_assignments,
    use_workload_folders,
)
from designgym.studies.cli.tables import users_code

BATCH = 256  # designs probed at a time


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("hash", epilog="Example: designgym hash designgym/DramController-v0 --designs designs.jsonl")(hash_designs)


def hash_designs(
    env_id: EnvironmentArgument,
    designs: DesignsOption,
    workload: WorkloadOption = None,
    workloads: WorkloadsOption = None,
    fidelity: FidelityOption = 1.0,
    seed: SeedOption = 0,
    option: AssignmentsOption = None,
) -> None:
    """Print the equivalence keys of designs.

    One JSON line per design, in order: literal (the same design), canonical (declared equivalent: equal metrics), functional (the same
    behaviour on a small probe: probably equal metrics), null where there is no probe or the design is illegal.
    """
    from designgym.envs.evaluators import make_evaluator

    use_workload_folders(workloads)
    spec, options, file = find_environment(env_id), parse_assignments(option), DesignFile.read(designs)
    evaluator = make_evaluator(spec, workload=workload, cache=None, functional="off", fidelity=fidelity, seed=seed, options=options)
    checked, _ = file.validate(evaluator.simulator.space)
    while batch := list(itertools.islice(checked, BATCH)):
        with users_code():
            made = evaluator.keys(batch, probe=True)
        for keys in made:
            print(json.dumps({"literal": keys.literal, "canonical": keys.canonical, "functional": keys.functional}))
