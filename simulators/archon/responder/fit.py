"""Fits the responder's parameters to the published figures: ``python -m designgym.simulators.archon.responder.fit [BENCHMARK ...]``.

It takes about five minutes on one core and rewrites ``rewards.csv``, ``neighbours.csv``, ``difficulties.csv``,
``mechanisms.csv`` and ``roles.csv`` beside this file; with names of Archon's benchmarks, only their rows of the last two.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import pandas as pd

from designgym.core.errors import UnknownNameError
from designgym.simulators.archon.responder import mechanisms as fitted
from designgym.simulators.archon.responder import profiles, repeated_sampling, world
from designgym.simulators.archon.responder.fit_difficulties import fit_difficulties
from designgym.simulators.archon.responder.fit_mechanisms import fit_benchmark
from designgym.simulators.archon.responder.fit_neighbours import fit_neighbours, fit_rewards
from designgym.simulators.archon.responder.mechanisms import NUMBERS, Mechanisms
from designgym.simulators.archon.responder.scenarios import ARCHON
from designgym.simulators.archon.responder.tables import FOLDER, table

__all__ = ["main", "write_mechanisms"]


def forget() -> None:
    """Drop everything that was read from files."""
    for cached in (table, world.rule, world.reward_row, repeated_sampling.known_chances, profiles.models, fitted.mechanisms):
        cached.cache_clear()


def write_mechanisms(found: Mapping[str, Mechanisms]) -> None:
    """Write the mechanisms of benchmarks, leaving those of others as they are."""
    numbers = [(name, parameter, getattr(m, parameter)) for name, m in found.items() for parameter in NUMBERS]
    roles = [(name, model, role.fuse, role.judge, role.read) for name, m in found.items() for model, role in m.roles.items()]
    for file, rows, columns in (
        ("mechanisms", numbers, ["benchmark", "parameter", "value"]),
        ("roles", roles, ["benchmark", "model", "fuse", "judge", "read"]),
    ):
        new = pd.DataFrame(rows, columns=columns)
        path = FOLDER / f"{file}.csv"
        old = pd.read_csv(path) if path.exists() else new[:0]
        both = pd.concat([old[~old["benchmark"].isin(list(found))], new]) if len(old) else new
        place = {name: i for i, name in enumerate(ARCHON)}
        both.sort_values("benchmark", key=lambda names: names.map(place), kind="stable").to_csv(path, index=False, float_format="%.4g")


def main(names: Sequence[str]) -> None:
    """Fit all, or the named benchmarks, and print how near they come; raises `InputError` for an unknown name."""
    for name in names:
        if name not in ARCHON:
            raise UnknownNameError("benchmark of Archon", name, ARCHON)
    if not names:
        fit_difficulties()
        forget()
        fit_rewards()
        fit_neighbours()
        forget()
        fit_difficulties()  # again, as the spread of MATH-500 is fitted with the particles
        forget()
    for name in names or ARCHON:
        found, rows = fit_benchmark(name)
        write_mechanisms({name: found})
        rows["off"] = (rows["simulated_pct"] - rows["figure_pct"]).abs()
        print(name)
        print(rows.groupby("group", sort=False)["off"].agg(["size", "median", "max"]).round(2).to_string(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
