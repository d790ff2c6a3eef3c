"""``designgym describe``: everything about one environment."""

from __future__ import annotations

import json
from typing import Any

import typer

from designgym.core.metrics import better
from designgym.studies.cli.options import EnvironmentArgument, JsonOption, find_environment
from designgym.studies.cli.tables import design_value, print_pairs, print_table, size_in_words


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("describe", epilog="Example: designgym describe designgym/DramController-v0")(describe)


def describe(env_id: EnvironmentArgument, as_json: JsonOption = False) -> None:
    """Explain one environment: parameters, rules, metrics, workloads, objectives.

    When each parameter has an effect, what is legal and why, what is equivalent, units and directions, and the options of the
    simulator.
    """
    from designgym.studies.cli.entries import environment_details

    details = environment_details(find_environment(env_id))
    if as_json:
        print(json.dumps(details, indent=2, allow_nan=False))
        return
    _print_summary(details)
    if details["parameters"] is not None:
        _print_space(details)
        rows = [(metric["name"], metric["unit"], better(metric["goal"]), metric["doc"])
                for metric in details["metrics"]]  # fmt: skip
        print()
        print_table("Metrics", ("name", "unit", "direction", "definition"), rows)
    print()
    print_table("Objectives", ("name", "meaning"), _with_default(details["objectives"].items(), details["default_objective"]))
    for text in details["contradictions"]:
        print(f"  attention: {text}")
    print()
    print_table(
        "Workloads",
        ("name",),
        [row[:1] for row in _with_default(((name, "") for name in details["workloads"]), details["default_workload"])],
    )
    if details["options"]:
        print()
        print_table("Options of the simulator (--option KEY=VALUE)", ("key", "meaning"), list(details["options"].items()))


def _print_summary(details: dict[str, Any]) -> None:
    known = details["parameters"] is not None
    print(details["id"])
    print_pairs(
        [
            ("about", details["description"]),
            ("installed", "yes" if details["installed"] else f"no: {details['how_to_install']}"),
            ("simulator", f"{details['simulator']} {details['simulator_version']}" if known else None),
            ("seed", ("has no effect" if details["deterministic"] else "changes results") if known else None),
            ("designs", f"{size_in_words(details['size'])}; version {details['space_version']} of the space" if known else None),
            ("budget", f"{details['budget']} evaluations unless said otherwise"),
        ]
    )


def _print_space(details: dict[str, Any]) -> None:
    conditions = {entry["parameter"]: entry["when"] for entry in details["conditions"]}
    print()
    print_table(
        "Parameters", ("name", "values", "unit", "default", "has an effect"), list(_parameter_rows(details["parameters"], conditions, ""))
    )
    for title, lines in (
        ("A design is legal only if", [f"{_in_group(entry)}{entry['holds']}: {entry['reason']}" for entry in details["constraints"]]),
        ("Equivalent designs are recognised", [entry["words"] for entry in details["symmetries"]]),
    ):
        if lines:
            print(f"\n{title}")
            for line in lines:
                print(f"  {line}")


def _in_group(entry: dict[str, str]) -> str:
    return f"in each of {entry['group']}, " if entry["group"] else ""


def _parameter_rows(parameters: list[dict[str, Any]], conditions: dict[str, str], prefix: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for entry in parameters:
        name = prefix + entry["name"]
        when = f"when {conditions[name]}" if name in conditions else "always"
        inner = entry.get("parameters")
        default = f"{len(entry['default'])} elements" if inner else design_value(entry["default"])
        rows.append((name, entry["words"].removeprefix("one of "), entry["unit"], default, when))
        rows += _parameter_rows(inner or [], conditions, f"{name}[].")
    return rows


def _with_default(pairs: Any, default: str) -> list[tuple[str, str]]:
    return [(f"{name} (default)" if name == default else name, words) for name, words in pairs]
