"""Designs as people read them: groups and orderings in short, and a dash for what has no effect."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.core.groups import Repeated
from designgym.core.parameters import DiscreteParameter
from designgym.studies.figures.units import DASH, TIMES, number

if TYPE_CHECKING:
    import pandas as pd

    from designgym.core.space import DesignSpace

THEN = " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "  # between the items of an ordering
NOTHING = "none"  # a group without elements


def shown_value(value: Any, group: DesignSpace | None = None) -> str:
    """Return a design value as people write it: ``2× conv(k=3,w=64), pool`` for a group, ``a › b`` for an ordering.

    Args:
        value: The value as in a design, or as its JSON data.
        group: Of a repeated group, the space of its elements: parameters without effect are left out then.
    """
    if isinstance(value, float | np.floating):
        return DASH if np.isnan(value) else f"{value:.6g}"
    if isinstance(value, Mapping):
        return _element(value, group)
    if isinstance(value, list | tuple):
        if not any(isinstance(item, Mapping) for item in value):
            return THEN.join(map(str, value)) or NOTHING
        runs = [(text, len(list(equal))) for text, equal in itertools.groupby(shown_value(item, group) for item in value)]
        return ", ".join(text if count == 1 else f"{count}{TIMES} {text}" for text, count in runs)
    return str(value)


def shown_texts(column: pd.Series, group: DesignSpace | None = None) -> pd.Series:
    """Return `shown_value` of a column, one per row; each different value is written once, unless values are structured."""
    import pandas as pd

    try:
        codes, values = pd.factorize(column, use_na_sentinel=False)
    except TypeError:  # groups and orderings
        return column.map(lambda value: shown_value(value, group))
    texts = np.array([shown_value(value, group) for value in values], dtype=object)
    return pd.Series(texts[codes], index=column.index)


def plain_value(value: Any) -> str:
    """Return the same for a terminal, which may have only plain letters: ``2x conv(k=3,w=64), pool``; an ordering as ``a, b``."""
    return shown_value(value).replace(THEN, ", ").replace(TIMES, "x")


def design_texts(row: Mapping[Any, Any], parameters: Sequence[str], space: DesignSpace | None) -> dict[str, str]:
    """Return a design's values as texts, by parameter; numbers that are not whole to four digits, a dash for what has no effect.

    Args:
        row: A row of the frame, with a column ``design.NAME`` per parameter.
        parameters: Their names.
        space: The design space, if it is known.
    """
    values = {name: row[f"design.{name}"] for name in parameters}
    active = space.active(values) if space is not None and space.parameters.keys() <= values.keys() else values.keys()
    return {name: _short(value, group_space(space, name)) if name in active else DASH for name, value in values.items()}


def _short(value: Any, group: DesignSpace | None) -> str:
    return number(float(value)) if isinstance(value, float | np.floating) else shown_value(value, group)


def group_space(space: DesignSpace | None, name: str) -> DesignSpace | None:
    """Return the space of a repeated group's elements; None for another parameter."""
    parameter = space.parameters.get(name) if space is not None else None
    return parameter.space if isinstance(parameter, Repeated) else None


def legend(name: str, group: DesignSpace) -> str:
    """Return what the short names in a group stand for: ``in layers: k = kernel, w = width``; empty if they are not short."""
    names = [name for name in group.parameters if name != _head(group)]
    words = [f"{short} = {name}" for name, short in initials(names).items() if short != name]
    return f"in {name}: {', '.join(words)}" if words else ""


def initials(names: Sequence[str]) -> dict[str, str]:
    """Return a short name for each: the first letters of its words, or the names themselves where two would be alike."""
    short = {name: "".join(word[0].lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", name)) or name for name in names}
    return short if len(set(short.values())) == len(names) else {name: name for name in names}


def _element(element: Mapping[str, Any], space: DesignSpace | None) -> str:
    names = [name for name in element if space is None or name in space.active(element)]
    head = _head(space) if space is not None else next((name for name in names if isinstance(element[name], str)), None)
    short = initials([name for name in element if name != head])
    parts = [f"{short[name]}={shown_value(element[name], group_space(space, name))}" for name in names if name != head]
    inside = f"({','.join(parts)})" if parts or head not in names else ""
    return (str(element[head]) if head is not None and head in names else "") + inside


def _head(space: DesignSpace) -> str | None:
    """Return the parameter that says of what kind an element is: the first one whose values are all words."""
    for name, parameter in space.parameters.items():
        if isinstance(parameter, DiscreteParameter) and all(isinstance(value, str) for value in parameter.values()):
            return name
    return None
