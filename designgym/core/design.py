"""A design: one point of a design space, as an immutable mapping from parameter names to plain values."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, Mapping
from typing import Any

import orjson


class Design(Mapping[str, Any]):
    """An immutable, hashable mapping. Made by a `DesignSpace`, which vouches for its values.

    Values are ``str``, ``int``, ``float`` and ``bool``; a permutation is a tuple, a repeated group a tuple of designs.
    Every parameter of the space is present; those that are inactive hold a value that has no effect.
    """

    __slots__ = ("_literal", "_values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)
        self._literal: str | None = None

    @property
    def literal(self) -> str:
        """The canonical JSON text: sorted names, no spaces, shortest round-trip numbers. Equal designs have equal text."""
        if self._literal is None:
            self._literal = _encode(self._values)
        return self._literal

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists and scalars, ready for JSON."""
        return {name: _plain(value) for name, value in self._values.items()}

    def replace(self, **changes: Any) -> dict[str, Any]:
        """Return a plain mapping with some values changed, to be validated by the space."""
        return self.to_dict() | changes

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> ItemsView[str, Any]:
        """Return the view of the mapping inside, which is quicker than the one that `Mapping` makes."""
        return self._values.items()

    def __hash__(self) -> int:
        return hash(self.literal)

    def __eq__(self, other: object) -> bool:
        return self.literal == other.literal if isinstance(other, Design) else NotImplemented

    def __repr__(self) -> str:
        return f"Design({', '.join(f'{name}={_plain(value)!r}' for name, value in self._values.items())})"

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return Design, (self._values,)


def _plain(value: Any) -> Any:
    if isinstance(value, Design):
        return value.to_dict()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _design_to_dict(value: Any) -> Any:
    if isinstance(value, Design):
        return value.to_dict()
    raise TypeError(f"{type(value).__name__} is not a plain design value")


def _design_to_text(value: Any) -> orjson.Fragment:
    if isinstance(value, Design):
        return orjson.Fragment(value.literal)  # made once for an element, however many designs and forms hold it
    raise TypeError(f"{type(value).__name__} is not a plain design value")


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_design_to_dict)


def _encode(values: dict[str, Any]) -> str:
    """Return canonical JSON; by orjson, several times quicker, unless a number or a text is beyond what it takes."""
    try:
        return orjson.dumps(values, _design_to_text, orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        return _ENCODER.encode(values)
