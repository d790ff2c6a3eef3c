"""``designgym envs``: the list of environments."""

from __future__ import annotations

import json
from typing import Any

import typer

from designgym.studies.cli.options import JsonOption
from designgym.studies.cli.tables import counted, print_pairs, size_in_words, with_unit


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("envs", epilog="Example: designgym envs --json")(envs)


def envs(as_json: JsonOption = False) -> None:
    """List the environments.

    For each one: parameters and the number of designs, metrics with units, workloads, objectives, the simulator, and whether it is
    installed.
    """
    import designgym.envs
    from designgym.studies.cli.entries import environment_entry

    entries = [environment_entry(spec) for spec in designgym.envs.environments()]
    if as_json:
        print(json.dumps(entries, indent=2, allow_nan=False))
        return
    for number, entry in enumerate(entries):
        if number:
            print()
        _print_entry(entry)


def _print_entry(entry: dict[str, Any]) -> None:
    known = entry["parameters"] is not None
    size = f"{size_in_words(entry['size'])} design{'' if entry['size'] == 1 else 's'}"
    print(entry["id"])
    print_pairs(
        [
            ("  about", entry["description"]),
            ("  installed", "yes" if entry["installed"] else f"no: {entry['how_to_install']}"),
            ("  size", f"{size} of {counted(len(entry['parameters']), 'parameter')}" if known else None),
            ("  parameters", [parameter["name"] for parameter in entry["parameters"] or ()]),
            ("  metrics", [with_unit(metric["name"], metric["unit"]) for metric in entry["metrics"] or ()]),
            ("  workloads", [f"{name} (default)" if name == entry["default_workload"] else name for name in entry["workloads"]]),
            ("  objectives", [f"{name} (default)" if name == entry["default_objective"] else name for name in entry["objectives"]]),
            ("  simulator", f"{entry['simulator']} {entry['simulator_version']}" if known else None),
        ]
    )
