"""Whether a design is one of a space: asked for every design that is evaluated, so without what `DesignSpace.validate` does beyond that."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any

from designgym.core.continuous import Float
from designgym.core.design import Design
from designgym.core.discrete import DiscreteParameter
from designgym.core.errors import InputError
from designgym.core.groups import Repeated
from designgym.core.parameter_base import Parameter

if TYPE_CHECKING:
    from designgym.core.space import DesignSpace

LISTED = 4096  # values up to which a parameter's are kept as a set
ELEMENTS_KEPT = 1 << 14


class Membership:
    """Tells whether mappings hold exactly a space's parameters, each with one of its values; legality is a separate question."""

    def __init__(self, space: DesignSpace) -> None:
        self._checks = [(name, *_quick(parameter), parameter) for name, parameter in space.parameters.items()]

    def __call__(self, design: Mapping[str, Any]) -> bool:
        """Return whether `DesignSpace.validate` would accept the design, with nothing left out."""
        if len(design) != len(self._checks):
            return False
        try:
            for name, kind, values, parameter in self._checks:
                value = design[name]
                if value.__class__ is not kind or value not in values:
                    parameter.validate(value)  # the thorough way: of an equal number of another kind, or of other kinds of parameters
        except (KeyError, InputError):
            return False
        return True


class _Interval:
    """The numbers between two bounds."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def __contains__(self, value: Any) -> bool:
        return self._low <= value <= self._high


class _Groups:
    """The groups of a repeated parameter. Elements are few different ones, met in one design after another: known ones are kept."""

    def __init__(self, parameter: Repeated) -> None:
        self._low, self._high, self._is_element = parameter.low, parameter.high, Membership(parameter.space)
        self._known: set[str] = set()  # literal forms, which the keys of designs need as well

    def __contains__(self, group: Any) -> bool:
        if not self._low <= len(group) <= self._high:
            return False
        known = self._known
        for element in group:
            if not isinstance(element, Design):
                return False
            literal = element.literal
            if literal not in known:
                if not self._is_element(element):
                    return False
                if len(known) >= ELEMENTS_KEPT:
                    known.clear()
                known.add(literal)
        return True


def _quick(parameter: Parameter) -> tuple[type | None, Container[Any]]:
    """Return the one type of a parameter's values, and what contains them; nothing where that would not tell all values apart."""
    if type(parameter) is Float:
        return float, _Interval(parameter.low, parameter.high)
    if type(parameter) is Repeated:
        return tuple, _Groups(parameter)
    if isinstance(parameter, DiscreteParameter):
        values = parameter.values()
        if isinstance(values, range):
            return int, values
        kinds = {type(value) for value in values}
        if len(kinds) == 1 and len(values) <= LISTED:
            return kinds.pop(), frozenset(values)
    return None, ()
