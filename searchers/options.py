"""Options of searchers: declared once, read from Python values or from command-line text, refused with the legal ones listed."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from designgym.core.errors import InputError, UnknownNameError, shorten

_KINDS: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
_WORDS = {bool: "true or false", int: "an integer", float: "a number", str: "text", object: "a Python object"}
_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class Option:
    """One option of a searcher.

    Attributes:
        name: As written in Python and in ``--option name=value``.
        kind: ``bool``, ``int``, ``float`` or ``str``; ``object`` for what only Python can give.
        default: Value when it is not given.
        doc: What it does, in one line.
        low: Smallest value allowed, if bounded.
        high: Largest value allowed, if bounded.
        choices: The values allowed, if few.
        optional: Whether None (``none`` in text) is allowed.
    """

    name: str
    kind: type = object
    default: Any = None
    doc: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    optional: bool = False

    def describe(self) -> str:
        """Return the legal values in words."""
        if self.choices:
            words = "one of " + ", ".join(map(str, self.choices))
        else:
            words = _WORDS[self.kind]
            if self.low is not None and self.high is not None:
                words += f" from {self.low:g} to {self.high:g}"
            elif self.low is not None or self.high is not None:
                words += f", at least {self.low:g}" if self.low is not None else f", at most {self.high:g}"
        return words + (" or none" if self.optional else "")

    def read(self, value: Any, owner: str) -> Any:
        """Return the value in this option's kind; text such as ``"50"`` is converted.

        Raises:
            InputError: If it is not a legal value, naming it and what was expected.
        """
        converted, fits = self._convert(value)
        if fits and converted is not None:
            inside = (self.low is None or converted >= self.low) and (self.high is None or converted <= self.high)
            fits = inside and (not self.choices or converted in self.choices)
        if not fits:
            raise InputError(f"option {self.name!r} of searcher {owner!r} is {shorten(value)}, expected {self.describe()}")
        return converted

    def _convert(self, value: Any) -> tuple[Any, bool]:
        if value is None or (isinstance(value, str) and self.optional and value.lower() == "none"):
            return None, self.optional
        if self.kind is object:
            return value, not isinstance(value, str) or bool(self.choices)
        if self.kind is str or self.kind is bool:
            if self.kind is bool and isinstance(value, str):
                value = _TRUTH.get(value.lower(), value)
            return value, isinstance(value, self.kind)
        if isinstance(value, bool):
            return value, False
        try:
            number = float(value)
        except (TypeError, ValueError):
            return value, False
        if self.kind is float:
            return number, math.isfinite(number)
        return (int(number), True) if math.isfinite(number) and number.is_integer() else (value, False)


def option(default: Any, doc: str, *, low: float | None = None, high: float | None = None, choices: Sequence[Any] = ()) -> Any:
    """Declare an option as a field of a searcher's frozen ``Options`` dataclass; its kind is the field's annotation."""
    return dataclasses.field(default=default, metadata={"doc": doc, "low": low, "high": high, "choices": tuple(choices)})


def declared(options: type) -> tuple[Option, ...]:
    """Return the options that a dataclass of `option` fields declares."""
    return tuple(_annotated(field.name, field.type, field.default, **field.metadata) for field in dataclasses.fields(options))


def from_signature(function: Callable[..., Any], skip: Sequence[str] = ()) -> tuple[Option, ...] | None:
    """Return the options that keyword arguments with defaults amount to; None if the function takes any keyword at all."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return tuple(
        _annotated(parameter.name, parameter.annotation, None if parameter.default is parameter.empty else parameter.default)
        for parameter in parameters
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD) and parameter.name not in skip
    )


def read_options(known: Sequence[Option], given: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Return a value for every known option.

    Raises:
        UnknownNameError: For an option that does not exist; the message lists all that do.
        InputError: For a value that is not legal.
    """
    by_name = {each.name: each for each in known}
    for name in given:
        if name not in by_name:
            legal = "; ".join(f"{each.name} ({each.describe()}, default {each.default})" for each in known) or "none"
            raise UnknownNameError(f"option of searcher {owner!r}", name, by_name, f"(legal options: {legal})")
    return {name: each.read(given[name], owner) if name in given else each.default for name, each in by_name.items()}


def _annotated(name: str, annotation: Any, default: Any, **limits: Any) -> Option:
    """Return an option whose kind is read off an annotation such as ``int | None``, else off the default."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    parts = [part.strip() for part in text.strip("'\"").split("|")]
    named = [part for part in parts if part != "None"]
    kind = _KINDS.get(named[0], object) if len(named) == 1 else object
    if annotation is inspect.Parameter.empty and type(default) in _KINDS.values():
        kind = type(default)
    return Option(name, kind, default, optional="None" in parts or (kind is object and default is None), **limits)
