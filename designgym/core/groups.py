"""Structured parameters: orderings, and groups of parameters that repeat (the layers of an architecture)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from designgym.core.design import Design
from designgym.core.discrete import check_choices
from designgym.core.errors import InputError, InvalidDesignError, shorten
from designgym.core.parameter_base import Column, Encoded, Parameter, Scalar

if TYPE_CHECKING:
    from designgym.core.space import DesignSpace


@dataclass(frozen=True, init=False)
class Permutation(Parameter):
    """An ordering of given items, for instance the loop order of a mapping. Its value is a tuple of all items."""

    kind: ClassVar[str] = "permutation"
    items: tuple[Scalar, ...]
    default: tuple[Scalar, ...]
    unit: str = ""

    def __init__(self, *items: Scalar, default: tuple[Scalar, ...] | list[Scalar] | None = None) -> None:
        if len(set(check_choices(self.kind, items))) != len(items):
            raise InputError(f"items of a permutation must differ, 1, 1.0 and True being equal, got {list(items)}")
        object.__setattr__(self, "items", items)
        object.__setattr__(self, "unit", "")
        object.__setattr__(self, "default", items if default is None else self.validate(default))

    def validate(self, value: Any) -> tuple[Scalar, ...]:
        """Return the ordering as a tuple of the items as declared."""
        if isinstance(value, list | tuple | np.ndarray):
            left = list(self.items)
            ordered: list[Scalar] = []
            for item in value:
                item = item.item() if isinstance(item, np.generic) else item
                match = next((x for x in left if type(x) is type(item) and x == item), None)
                if match is None:
                    break
                left.remove(match)
                ordered.append(match)
            else:
                if not left:
                    return tuple(ordered)
        raise InputError(f"got {shorten(value)}, expected {self.describe()}")

    def size(self) -> float:
        """Return the factorial of the number of items."""
        return math.factorial(len(self.items))

    def columns(self, name: str) -> list[Column]:
        """Return one sort key per item."""
        return [Column(f"{name}[{item}]", "key", 0) for item in self.items]

    def encode(self, value: Any) -> list[float]:
        """Return each item's position, scaled into [0, 1]."""
        positions = {item: i for i, item in enumerate(value)}
        return [(positions[item] + 0.5) / len(self.items) for item in self.items]

    def decode(self, x: Encoded) -> tuple[Scalar, ...]:
        """Return the items sorted by their keys (ties in declaration order)."""
        return tuple(self.items[i] for i in np.argsort(np.asarray(x), kind="stable"))

    def neighbours(self, value: Any) -> Iterator[tuple[Scalar, ...]]:
        """Yield the orderings with two adjacent items swapped."""
        for i in range(len(value) - 1):
            yield (*value[:i], value[i + 1], value[i], *value[i + 2 :])

    def mutate(self, value: Any, rng: np.random.Generator) -> tuple[Scalar, ...]:
        """Swap two items or move one elsewhere."""
        items = list(value)
        if len(items) < 2:
            return tuple(items)
        i, j = (int(k) for k in rng.choice(len(items), size=2, replace=False))
        if rng.random() < 0.5:
            items[i], items[j] = items[j], items[i]
        else:
            items.insert(j, items.pop(i))
        return tuple(items)

    def crossover(self, a: Any, b: Any, rng: np.random.Generator) -> tuple[Scalar, ...]:
        """Keep a slice of ``a`` in place and fill the rest in ``b``'s order (order crossover)."""
        start, stop = sorted(int(k) for k in rng.integers(len(a) + 1, size=2))
        rest = iter([item for item in b if item not in a[start:stop]])
        return tuple(a[i] if start <= i < stop else next(rest) for i in range(len(a)))

    def describe(self) -> str:
        """Return the items in words."""
        return f"an ordering of all of {list(self.items)}"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return super().to_json() | {"items": list(self.items), "default": list(self.default)}


@dataclass(frozen=True, init=False)
class Repeated(Parameter):
    """A group of parameters that occurs ``low`` to ``high`` times. Its value is a tuple of designs of ``space``.

    A mutation changes, inserts, removes or swaps one element; with probability ``resample`` it draws the whole group anew, as
    AutoML-Zero (Real et al. 2020) does with the instructions of a function. Small steps do not leave a plateau that is wide.
    """

    kind: ClassVar[str] = "repeated"
    space: DesignSpace
    low: int
    high: int
    default: tuple[Design, ...] = field(compare=False)
    resample: float = 0.0
    unit: str = ""

    def __init__(self, space: DesignSpace, low: int, high: int, *, default: Any = None, resample: float = 0.0) -> None:
        if not hasattr(space, "parameters"):
            raise InputError(f"what is repeated is {shorten(space)}, expected a DesignSpace of one element's parameters")
        if not (0 <= low <= high and high >= 1):
            raise InputError(f"`0 <= low <= high` and `high >= 1` must hold, got low={low}, high={high}")
        if isinstance(resample, bool) or not isinstance(resample, int | float) or not 0 <= resample <= 1:
            raise InputError(f"resample is {shorten(resample)}, expected the probability that a mutation draws all elements anew, 0 to 1")
        for name, value in (("space", space), ("low", low), ("high", high), ("resample", float(resample)), ("unit", "")):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "default", self.validate([space.default()] * low if default is None else default))

    def validate(self, value: Any) -> tuple[Design, ...]:
        """Return the group as a tuple of designs; all problems of all elements are reported at once."""
        if not isinstance(value, list | tuple) or not self.low <= len(value) <= self.high:
            raise InputError(f"got {shorten(value)}, expected {self.describe()}")
        problems: list[str] = []
        elements: list[Design] = []
        for i, element in enumerate(value):
            try:
                if not isinstance(element, Mapping):
                    raise InputError(f"got {shorten(element)}, expected a mapping of {', '.join(self.space.parameters)}")
                elements.append(_validated(self.space, element) if isinstance(element, Design) else self.space.validate(element))
            except InvalidDesignError as error:
                problems += [f"element {i}: {problem}" for problem in error.problems]
            except InputError as error:
                problems.append(f"element {i}: {error}")
        if problems:
            raise InputError("; ".join(problems))
        return tuple(elements)

    def size(self) -> float:
        """Return the number of sequences of all allowed lengths."""
        inner = self.space.size()
        try:
            return sum(inner**count for count in range(self.low, self.high + 1))
        except OverflowError:
            return math.inf

    def sample(self, rng: np.random.Generator) -> tuple[Design, ...]:
        """Draw a length uniformly, then each element."""
        return tuple(self.space.sample(rng, int(rng.integers(self.low, self.high + 1))))

    def columns(self, name: str) -> list[Column]:
        """Return the length's column, then those of all ``high`` possible elements."""
        inner = self.space.columns
        return [Column(f"{name}.length", "ordinal", self.high - self.low + 1)] + [
            Column(f"{name}[{i}].{column.name}", column.kind, column.cells) for i in range(self.high) for column in inner
        ]

    def encode(self, value: Any) -> list[float]:
        """Return the length, the elements, and 0.5 for elements that are absent."""
        width = len(self.space.columns)
        encoded = [(len(value) - self.low + 0.5) / (self.high - self.low + 1)]
        if value:
            encoded += self.space.encode(value).ravel().tolist()
        return encoded + [0.5] * (width * (self.high - len(value)))

    def decode(self, x: Encoded) -> tuple[Design, ...]:
        """Return the elements that the length column says are present."""
        lengths = self.high - self.low + 1
        count = self.low + min(max(int(float(x[0]) * lengths), 0), lengths - 1)
        width = len(self.space.columns)
        rows = np.asarray(x[1 : 1 + count * width], dtype=np.float64).reshape(count, width)
        return tuple(self.space.decode(rows)) if count else ()

    def neighbours(self, value: Any) -> Iterator[tuple[Design, ...]]:
        """Yield groups with one element changed by a step, removed, or repeated."""
        for i, element in enumerate(value):
            for changed in self.space.neighbours(element):
                yield (*value[:i], changed, *value[i + 1 :])
            # of a run of equal elements, whichever is removed, the same group is left
            if len(value) > self.low and (i == 0 or element != value[i - 1]):
                yield (*value[:i], *value[i + 1 :])
        if len(value) < self.high:
            yield (*value, value[-1] if value else self.space.default())

    def mutate(self, value: Any, rng: np.random.Generator) -> tuple[Design, ...]:
        """Change, insert, remove or swap an element, or draw all anew."""
        if self.resample and rng.random() < self.resample:
            return self.sample(rng)
        elements = list(value)
        moves = (["change"] if elements else []) + (["insert"] if len(elements) < self.high else [])
        moves += (["remove"] if len(elements) > self.low else []) + (["swap"] if len(elements) > 1 else [])
        match moves[int(rng.integers(len(moves)))]:
            case "insert":
                elements.insert(int(rng.integers(len(elements) + 1)), self.space.sample(rng, 1)[0])
            case "remove":
                elements.pop(int(rng.integers(len(elements))))
            case "swap":
                i, j = (int(k) for k in rng.choice(len(elements), size=2, replace=False))
                elements[i], elements[j] = elements[j], elements[i]
            case _:
                i = int(rng.integers(len(elements)))
                elements[i] = self.space.mutate(elements[i], rng)
        return tuple(elements)

    def crossover(self, a: Any, b: Any, rng: np.random.Generator) -> tuple[Design, ...]:
        """Join a prefix of ``a`` to a suffix of ``b``, cut to the allowed length."""
        joined = (*a[: int(rng.integers(len(a) + 1))], *b[int(rng.integers(len(b) + 1)) :])[: self.high]
        missing = self.low - len(joined)
        return joined if missing <= 0 else (*joined, *itertools.islice(itertools.cycle(a or b), missing))

    def describe(self) -> str:
        """Return the allowed lengths in words."""
        return f"a list of {self.low} to {self.high} mappings of {', '.join(self.space.parameters)}"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, the inner space included."""
        default = [element.to_dict() for element in self.default]
        data = {"kind": self.kind, "space": self.space.to_json(), "low": self.low, "high": self.high, "default": default}
        return data | ({"resample": self.resample} if self.resample else {})


@lru_cache(maxsize=1 << 16)
def _validated(space: DesignSpace, element: Design) -> Design:
    """Return a validated element; those of a mutant or a canonical form are mostly its parent's."""
    return space.validate(element)
