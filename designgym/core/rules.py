"""What a space knows beyond its parameters: activity, legality and equivalence, each declared in one line of the expression language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from designgym.core.canonical_form import CanonicalForm, canonical_form_from_json
from designgym.core.errors import ExpressionError, InputError, shorten
from designgym.core.expressions import Expression


class _Rule:
    """Base of the declarations; the JSON form is the class name and the constructor's arguments."""

    kind: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        data = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {"kind": self.kind} | {k: v.text if isinstance(v, Expression) else v for k, v in data.items()}


@dataclass(frozen=True, init=False)
class Condition(_Rule):
    """``parameter`` has an effect only if ``when`` holds; a condition on an inactive parameter does not hold."""

    kind: ClassVar[str] = "condition"
    parameter: str
    when: Expression

    def __init__(self, parameter: str, when: str) -> None:
        object.__setattr__(self, "parameter", parameter)
        object.__setattr__(self, "when", Expression(when))


@dataclass(frozen=True, init=False)
class Constraint(_Rule):
    """A design is legal only if ``holds``; otherwise it is infeasible for ``reason``."""

    kind: ClassVar[str] = "constraint"
    holds: Expression
    reason: str

    def __init__(self, holds: str, reason: str) -> None:
        if not reason.strip():
            raise InputError(f"constraint {holds!r} needs a reason in words: it is shown to whoever breaks it")
        object.__setattr__(self, "holds", Expression(holds))
        object.__setattr__(self, "reason", reason)


@dataclass(frozen=True, init=False)
class Rewrite(_Rule):
    """A sound simplification: where ``when`` holds, setting ``parameter`` to the value of ``to`` changes no metric.

    ``when`` may use ``traits``, the workload's declared traits: ``"'read_only' in traits and Scheduler == 'FrFcfsGrp'"``.
    A clamp is a rewrite too: ``Rewrite("ways", to="min(ways, sets)")``.
    """

    kind: ClassVar[str] = "rewrite"
    parameter: str
    to: Expression
    when: Expression

    def __init__(self, parameter: str, to: str, when: str = "True") -> None:
        object.__setattr__(self, "parameter", parameter)
        object.__setattr__(self, "to", Expression(to))
        object.__setattr__(self, "when", Expression(when))


@dataclass(frozen=True, init=False)
class Interchangeable(_Rule):
    """Slots that may swap contents without effect: ``Interchangeable(["core0", "l1_0"], ["core1", "l1_1"])``.

    Each slot is a list of parameters (or one name); the slots' values are sorted jointly.
    """

    kind: ClassVar[str] = "interchangeable"
    slots: tuple[tuple[str, ...], ...]

    def __init__(self, *slots: str | list[str] | tuple[str, ...]) -> None:
        normal = tuple((slot,) if isinstance(slot, str) else tuple(slot) for slot in slots)
        if (
            len(normal) < 2
            or len({len(slot) for slot in normal}) != 1
            or len({n for s in normal for n in s}) != len(normal) * len(normal[0])
        ):
            raise InputError(f"interchangeable slots must be two or more lists of equally many, different names, got {list(slots)}")
        object.__setattr__(self, "slots", normal)


@dataclass(frozen=True)
class Unordered(_Rule):
    """The elements of the repeated group ``parameter`` act alike in any order."""

    kind: ClassVar[str] = "unordered"
    parameter: str


def unevaluable(rule: str, expression: Expression, values: Mapping[str, Any], error: ExpressionError) -> ExpressionError:
    """Return the error of a rule that has no value for some design, with the values that it reads and the remedy."""
    read = ", ".join(f"{name}={shorten(values[name])}" for name in sorted(expression.names) if name in values)
    design = shorten({name: value for name, value in values.items() if name != "traits"}, 300)
    return ExpressionError(
        f"{rule}: {error}, for {read} in the design {design}; write it so that it has a value for every design, "
        f"for instance with a guard such as 'a == 0 or 6 / a >= b'"
    )


Symmetry = Rewrite | Interchangeable | Unordered | CanonicalForm


def rule_from_json(data: Mapping[str, Any]) -> Condition | Constraint | Symmetry:
    """Return the rule of its JSON form.

    Raises:
        InputError: If the form is not one that `to_json` writes.
    """
    match dict(data):
        case {"kind": "condition", "parameter": parameter, "when": when}:
            return Condition(parameter, when)
        case {"kind": "constraint", "holds": holds, "reason": reason}:
            return Constraint(holds, reason)
        case {"kind": "rewrite", "parameter": parameter, "to": to, "when": when}:
            return Rewrite(parameter, to, when)
        case {"kind": "interchangeable", "slots": slots}:
            return Interchangeable(*slots)
        case {"kind": "unordered", "parameter": parameter}:
            return Unordered(parameter)
        case {"kind": "canonical_form", "function": function, "parameters": parameters, "version": version}:
            return canonical_form_from_json(function, parameters, version)
    raise InputError(
        f"unknown rule {dict(data)!r}: expected a condition, constraint, rewrite, interchangeable, unordered or canonical_form rule"
    )
