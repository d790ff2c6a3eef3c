"""Whether the rules of a design space can mean what they say; asked once, when the space is made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from designgym.core.canonical_form import CanonicalForm
from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.groups import Repeated
from designgym.core.rules import Condition, Interchangeable, Rewrite, Unordered

if TYPE_CHECKING:
    from designgym.core.space import DesignSpace


def check_rules(space: DesignSpace) -> None:
    """Refuse rules about parameters that do not exist, or that cannot mean what they say; see `DesignSpace`."""
    names = set(space.parameters)
    for condition in space.conditions:
        _require_parameter(space, condition.parameter, "condition")
        condition.when.require(names, "parameter")
        _check_compared(space, condition)
    for constraint in space.constraints:
        constraint.holds.require(names, "parameter")
    for rule in space.symmetries:
        if isinstance(rule, Rewrite):
            _require_parameter(space, rule.parameter, "rewrite")
            rule.to.require(names | {"traits"}, "parameter")
            rule.when.require(names | {"traits"}, "parameter")
        elif isinstance(rule, Interchangeable):
            for name in (name for slot in rule.slots for name in slot):
                _require_parameter(space, name, "interchangeable")
            for first, *others in zip(*rule.slots, strict=True):
                # by their JSON: dataclass equality takes 1, 1.0 and True for one
                if len({json.dumps(space.parameters[name].to_json()) for name in (first, *others)}) > 1:
                    raise InputError(f"interchangeable parameters {[first, *others]} must be declared alike")
        elif isinstance(rule, Unordered):
            _require_parameter(space, rule.parameter, "unordered")
            if not isinstance(space.parameters[rule.parameter], Repeated):
                raise InputError(f"unordered parameter {rule.parameter!r} must be a Repeated group")
        elif isinstance(rule, CanonicalForm):
            for name in rule.parameters:
                _require_parameter(space, name, "canonical form")


def _check_compared(space: DesignSpace, condition: Condition) -> None:
    """Refuse a condition on a value that its parent never has: a slip of the pen would make a parameter silently dead, or undead."""
    for name, value in condition.when.compared():
        parent = space.parameters[name]
        if not parent.can_equal(value):
            raise InputError(
                f"condition {condition.when.text!r} of parameter {condition.parameter!r} asks whether {name!r} is {shorten(value)}, "
                f"which it never is: {name!r} is {parent.describe()}"
            )


def _require_parameter(space: DesignSpace, name: str, rule: str) -> None:
    if name not in space.parameters:
        raise UnknownNameError(f"parameter of a {rule} rule", name, space.parameters)
