"""``designgym hash``: the equivalence keys of designs."""

from __future__ import annotations

import itertools
import json
from typing import Annotated

import typer

from designgym.core.describing import described
from designgym.studies.cli.option_groups import OfDesigns, takes
from designgym.studies.cli.tables import users_code

DescribeOption = Annotated[
    bool,
    typer.Option("--describe", help="Add what each design amounts to, without what has no effect; empty if the simulator does not say."),
]

BATCH = 256  # designs probed at a time


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("hash", epilog="Example: designgym hash designgym/DramController-v0 --designs designs.jsonl")(hash_designs)


@takes(OfDesigns)
def hash_designs(given: OfDesigns, describe: DescribeOption = False) -> None:
    """Print the equivalence keys of designs.

    One JSON line per design, in order: literal (the same design), canonical (declared equivalent: equal metrics), functional (the same
    behaviour on a small probe: probably equal metrics), null where there is no probe or the design is illegal.
    """
    evaluator, file = given.evaluator(cache=None)
    checked, _ = file.validate(evaluator.simulator.space)
    while batch := list(itertools.islice(checked, BATCH)):
        with users_code():
            made = evaluator.keys(batch, probe=True)
        for design, keys in zip(batch, made, strict=True):
            line = {"literal": keys.literal, "canonical": keys.canonical, "functional": keys.functional}
            if describe:
                line["description"] = described(evaluator.simulator, design, evaluator.workload)
            print(json.dumps(line))
