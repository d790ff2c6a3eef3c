"""What every kind of parameter has in common.

A parameter knows its values and nothing else: it normalises and refuses values, draws, moves and encodes them. Names, conditions
and constraints belong to the `DesignSpace`. Encodings are in [0, 1]: a discrete value is the middle of its cell, so that decoding
uniform numbers draws uniform values and ``decode(encode(v)) == v``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from designgym.core.errors import InputError, shorten

Scalar = str | int | float | bool
ColumnKind = Literal["categorical", "ordinal", "float", "key"]
Encoded = Sequence[float]  # the part of an encoded design that belongs to one parameter


@dataclass(frozen=True)
class Column:
    """One column of an encoded design.

    Attributes:
        name: Parameter name, with ``[i]`` and ``.inner`` parts for permutations and repeated groups.
        kind: ``categorical`` (no order), ``ordinal`` (ordered cells), ``float``, or ``key`` (a sort key of a permutation).
        cells: Number of distinct values; 0 for ``float`` and ``key``.
    """

    name: str
    kind: ColumnKind
    cells: int


class Parameter:
    """Base of all parameter kinds. Subclasses are frozen dataclasses, so equal fields mean equal parameters."""

    kind: ClassVar[str]
    default: Any
    unit: str

    def validate(self, value: Any) -> Any:
        """Return ``value`` as a plain Python value of this parameter.

        Raises:
            InputError: If the value is not one of this parameter's, naming it and what was expected.
        """
        raise NotImplementedError

    def can_equal(self, constant: object) -> bool:
        """Return whether an expression can find a value of this parameter equal to a constant; 1, 1.0 and True are equal there."""
        try:
            self.validate(int(constant) if isinstance(constant, bool) else constant)
        except InputError:
            return False
        return True

    def size(self) -> float:
        """Return the number of values, ``math.inf`` for a continuum."""
        raise NotImplementedError

    def sample(self, rng: np.random.Generator) -> Any:
        """Return a value drawn uniformly (log-uniformly if declared so)."""
        return self.decode(rng.random(len(self.columns(""))).tolist())

    def columns(self, name: str) -> list[Column]:
        """Return the columns that this parameter takes in an encoded design."""
        raise NotImplementedError

    def encode(self, value: Any) -> list[float]:
        """Return the value as numbers in [0, 1], one per column."""
        raise NotImplementedError

    def decode(self, x: Encoded) -> Any:
        """Return the value whose cell holds ``x`` (clipped into [0, 1])."""
        raise NotImplementedError

    def neighbours(self, value: Any) -> Iterator[Any]:
        """Yield the values one smallest step away."""
        raise NotImplementedError

    def mutate(self, value: Any, rng: np.random.Generator) -> Any:
        """Return a different value near this one (the same one only if there is no other)."""
        raise NotImplementedError

    def crossover(self, a: Any, b: Any, rng: np.random.Generator) -> Any:
        """Return a child value of two parents: one of the two, unless the kind knows better."""
        return a if rng.random() < 0.5 else b

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: the kind and its fields."""
        data: dict[str, Any] = {"kind": self.kind, "default": self.default}
        if self.unit:
            data["unit"] = self.unit
        return data

    def describe(self) -> str:
        """Return the legal values in words, for messages and tables."""
        raise NotImplementedError


def refusal(value: Any, expected: str) -> InputError:
    """Return the error for a value that is not one of a parameter's."""
    return InputError(f"got {shorten(value)}, expected {expected}")
