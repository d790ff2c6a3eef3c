"""Whether rules that the symmetry finder suggests can be declared together, found out by declaring them; and the text to paste."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from designgym.core.canonical_form import CanonicalForm
from designgym.core.design import Design
from designgym.core.errors import DesignGymError
from designgym.core.groups import Repeated
from designgym.core.parameters import Parameter
from designgym.core.rules import Condition, Interchangeable, Rewrite, Unordered
from designgym.core.space import DesignSpace

KINDS = (Condition, Rewrite, Interchangeable, Unordered, CanonicalForm)
TRIED = 50  # designs that rules are tried on

Rules = Mapping[str, Sequence[str]]  # the text of each rule, by the group that it is for


def with_rules(space: DesignSpace, rules: Rules) -> DesignSpace:
    """Return the space with rules added, which are Python texts; raises `InputError` if they cannot be declared together."""
    return _with_rules(space, rules, "")


def fits(space: DesignSpace, rules: Rules, designs: Iterable[Design], traits: frozenset[str]) -> bool:
    """Return whether rules can be declared together: no circle of conditions, and every design has one form, which is its own."""
    try:
        adopted = with_rules(space, rules)
        for design in designs:
            form = adopted.canonical(design, traits)
            if adopted.canonical(form, traits) != form:
                return False
    except DesignGymError:
        return False
    return True


def script(rules: Rules, notes: Mapping[str, str]) -> str:
    """Return Python that defines the lists ``conditions`` and ``symmetries``; those of a group have its name before that.

    Args:
        rules: The texts.
        notes: What is to be known about some rules, by their text.
    """
    body: list[str] = []
    arguments: list[str] = []
    for group, texts in rules.items():
        prefix = "".join(character if character.isalnum() else "_" for character in group) + "_" if group else ""
        if group:
            body.append(f"# for the space of one element of {group!r}")
        for name in ("conditions", "symmetries"):
            lines = []
            for text in texts:
                definition, _, line = text.rpartition("\n\n")
                if line.startswith("Condition(") == (name == "conditions"):
                    if definition:
                        body.append(f"\n{definition}\n\n")
                    lines.append(f"    {line},{f'  # {notes[text]}' if text in notes else ''}")
            if lines:
                body += [f"{prefix}{name} = [", *lines, "]"]
                arguments += [] if group else [f"{name}={name}"]
    if not body:
        return ""
    text = "\n".join(body)
    used = sorted(kind.__name__ for kind in KINDS if f"{kind.__name__}(" in text)
    heads = ["from functools import cache"] if "@cache" in text else []
    heads.append(f"from designgym import {', '.join(used)}")
    ending = [f"# DesignSpace(..., {', '.join(arguments)})"] if arguments else []
    return "\n".join(["\n".join(heads) + "\n", text, *ending]).replace("\n\n\n\n", "\n\n\n")


def _with_rules(space: DesignSpace, rules: Rules, path: str) -> DesignSpace:
    def inner(name: str, parameter: Parameter) -> Parameter:
        group = f"{path}.{name}" if path else name
        if not isinstance(parameter, Repeated) or not any(other == group or other.startswith(f"{group}.") for other in rules):
            return parameter
        return Repeated(_with_rules(parameter.space, rules, group), parameter.low, parameter.high, default=parameter.default)

    new = [_rule(text) for text in rules.get(path, ())]
    return DesignSpace(
        {name: inner(name, parameter) for name, parameter in space.parameters.items()},
        version=space.version,
        conditions=[*space.conditions, *(rule for rule in new if isinstance(rule, Condition))],
        constraints=space.constraints,
        symmetries=[*space.symmetries, *(rule for rule in new if not isinstance(rule, Condition))],
    )


@functools.lru_cache(maxsize=1024)
def _rule(text: str) -> Any:
    """Return the rule of a text of ours, by running it just as somebody would who pastes it."""
    known: dict[str, Any] = {kind.__name__: kind for kind in KINDS} | {"cache": functools.cache, "__name__": "suggested"}
    definition, _, line = text.rpartition("\n\n")
    exec(definition, known)
    return eval(line, known)


def differing(space: DesignSpace, rules: Rules, rng: np.random.Generator, traits: frozenset[str]) -> list[tuple[Design, Design]]:
    """Return random designs whose form, under rules, is legal and not the design itself, each with that form."""
    adopted = with_rules(space, rules)
    pairs = [(design, adopted.canonical(design, traits)) for design in space.sample(rng, TRIED)]
    return [(a, b) for a, b in pairs if a != b and not space.violations(b)]
