"""How to repeat a study: its definition as the Python file that makes it, and the versions of what took part."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from designgym.envs import BUILT_IN

PACKAGES = ("designgym", "numpy", "numba", "pandas", "optuna", "xgboost-cpu", "xgboost", "botorch", "torch", "ray", "plotly")


def commands_of(definition: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the lines that repeat a study, from its stored definition: a Python file and the commands to run and draw it."""
    name = definition["name"]
    file = re.sub(r"\W+", "_", name).strip("_").lower() or "study"
    objective = definition["objective"]
    workloads = [workload for workload, _ in definition["workloads"]]
    own = definition["env"] not in BUILT_IN
    lines = [f"# {file}.py", "import designgym as dg", ""]
    if own:  # the store knows the environment's id, not which file registered it
        lines += [
            f"# {definition['env']} is not part of designgym: below, FILE.py is the Python file that registers it;",
            "# if an installed package does, import that here instead, and leave --plugin out",
            "",
        ]
    lines += ["study = dg.Study(", f"    {name!r},", f"    env={definition['env']!r},"]
    lines.append(f"    workload={workloads[0]!r}," if len(workloads) == 1 else f"    workloads={workloads!r},")
    lines.append(f"    objective={_objective(objective)},")
    lines.append(f"    searchers=[{', '.join(_searcher(searcher) for searcher in definition['searchers'])}],")
    lines.append(f"    budget={definition['budget']}, seeds={definition['seeds']!r},")
    lines.append(f"    batch={definition['batch']}, duplicate_cap={definition['duplicate_cap']},")
    if definition["env_options"]:
        lines.append(f"    options={definition['env_options']!r},")
    lines.append(f"    functional={definition['functional']!r},")
    if definition["fidelity"] != 1.0 or definition["simulator_seed"]:
        lines.append(f"    fidelity={definition['fidelity']!r}, simulator_seed={definition['simulator_seed']},")
    lines += [f"    {name}={definition[name]!r}," for name in ("measurements", "agreement") if name in definition]
    lines.append(")" + (f"  # with the Ray Tune scheduler {definition['scheduler']}" if definition["scheduler"] else ""))
    run = f"designgym run {file}.py{' --plugin FILE.py' if own else ''}"
    return (*lines, "", "# then, in a shell", run, f"designgym report {_quoted(name)} --html {file}.html")


def versions() -> dict[str, str]:
    """Return the versions of Python, of designgym and of the libraries installed here, without importing them."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # an optional library that is not installed took no part
    return found


def _objective(objective: Mapping[str, Any]) -> str:
    if objective["name"]:
        return repr(objective["name"])
    bounds = {expression: f"{sign} {limit!r}" for expression, sign, limit in objective["subject_to"]}
    subject_to = f", subject_to={bounds!r}" if bounds else ""
    expressions = [(term[0], term[1], term[2]) for term in objective["terms"]]
    match objective["kind"]:
        case "SingleObjective":
            expression, goal, label = expressions[0]
            named = f", name={label!r}" if label else ""
            return f"dg.{'minimize' if goal == 'min' else 'maximize'}({expression!r}{subject_to}{named})"
        case "TargetObjective":
            return f"dg.target({objective['targets']!r}, bonus={objective['bonus']!r}{subject_to})"
        case "WeightedObjective":
            return f"dg.weighted({objective['weights']!r}, scales={objective['scales']!r}{subject_to})"
        case "ParetoObjective":
            maximised = [expression for expression, goal, _ in expressions if goal == "max"]
            more = f", maximize={maximised!r}" if maximised else ""
            return f"dg.pareto({', '.join(repr(e) for e, _, _ in expressions)}, reference={objective['reference']!r}{more}{subject_to})"
    return f"...,  # {objective['words']}"


def _searcher(recipe: Mapping[str, Any]) -> str:
    if not recipe["options"]:
        return repr(recipe["name"])
    return f"dg.searchers.recipe({recipe['name']!r}, {', '.join(f'{key}={value!r}' for key, value in recipe['options'].items())})"


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name) else json.dumps(name)
