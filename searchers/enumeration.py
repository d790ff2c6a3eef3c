"""A space as a numbered list of designs, made one at a time, and a shuffle of the numbers that needs no memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.groups import Permutation, Repeated
from designgym.core.parameters import DiscreteParameter, Float, Parameter
from designgym.core.space import DesignSpace


class Enumeration:
    """All value combinations of a space, numbered from 0; illegal ones included, conditions not applied.

    Args:
        space: The space.
        levels: Number of values of a continuous parameter, spread evenly from bound to bound (on its scale).
    """

    def __init__(self, space: DesignSpace, levels: int) -> None:
        self._axes = [(name, *_axis(parameter, levels)) for name, parameter in space.parameters.items()]
        self.size = math.prod(size for _, size, _ in self._axes)

    def design(self, index: int) -> Design:
        """Return the design of that number; the last parameter changes fastest."""
        values: dict[str, Any] = {}
        for name, size, value in reversed(self._axes):
            index, digit = divmod(index, size)
            values[name] = value(digit)
        return Design({name: values[name] for name, _, _ in self._axes})


def _axis(parameter: Parameter, levels: int) -> tuple[int, Callable[[int], Any]]:
    """Return the number of values of a parameter, and the value of a number."""
    if isinstance(parameter, DiscreteParameter):
        values = parameter.values()
        return len(values), lambda i: values[i]
    if isinstance(parameter, Float):
        count = levels if parameter.size() > 1 else 1
        return count, lambda i: parameter.decode([i / (count - 1) if count > 1 else 0.5])
    if isinstance(parameter, Permutation):
        return math.factorial(len(parameter.items)), lambda i: _ordering(parameter.items, i)
    if isinstance(parameter, Repeated):
        inner = Enumeration(parameter.space, levels)
        counts = [inner.size**length for length in range(parameter.low, parameter.high + 1)]
        return sum(counts), lambda i: _group(parameter, inner, i)
    raise InputError(f"a parameter of kind {parameter.kind!r} cannot be enumerated: search the space with another searcher than 'grid'")


def _ordering(items: tuple[Any, ...], index: int) -> tuple[Any, ...]:
    """Return the ordering of that number in lexicographic order (factorial number system)."""
    left, ordered = list(items), []
    for remaining in range(len(items) - 1, -1, -1):
        position, index = divmod(index, math.factorial(remaining))
        ordered.append(left.pop(position))
    return tuple(ordered)


def _group(parameter: Repeated, inner: Enumeration, index: int) -> tuple[Design, ...]:
    """Return the sequence of that number, shorter ones first."""
    length = parameter.low
    while index >= inner.size**length:
        index -= inner.size**length
        length += 1
    elements = []
    for _ in range(length):
        index, digit = divmod(index, inner.size)
        elements.append(inner.design(digit))
    return tuple(reversed(elements))


class Shuffle:
    """A pseudo-random order of ``range(size)``: a four-round Feistel network on the bits, walked until the number is in range.

    Each call takes under 4 walks on average and no memory, whatever the size (Black and Rogaway 2002, "Ciphers with arbitrary
    finite domains").
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._half = max(1, ((size - 1).bit_length() + 1) // 2)
        self._mask = (1 << self._half) - 1
        self._prefix = f"designgym shuffle {seed} {size} ".encode()

    def __call__(self, position: int) -> int:
        """Return the number at a position."""
        number = position
        while True:
            left, right = number >> self._half, number & self._mask
            for turn in range(4):
                left, right = right, left ^ self._round(turn, right)
            number = left << self._half | right
            if number < self._size:
                return number

    def _round(self, turn: int, value: int) -> int:
        digest = blake3(self._prefix + f"{turn} {value}".encode()).digest(length=self._half // 8 + 1)
        return int.from_bytes(digest, "little") & self._mask
