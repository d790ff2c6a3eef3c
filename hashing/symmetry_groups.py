"""The elements of a repeated group as designs of their own, each in its place, so that the symmetry finder can look inside of groups."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from designgym.core.design import Design
from designgym.core.groups import Repeated
from designgym.core.space import DesignSpace
from designgym.hashing.symmetry_evidence import Scope

PLACE = "\0place"  # no parameter's name: the number of an element's place, which its variations keep
DRAWS = 1000  # of designs, to find one with an element


class InsideGroup:
    """The elements of a group, each a part of some design around it (a `Scope`).

    Attributes:
        space: That of one element, without its rules.
    """

    def __init__(self, outside: Scope, name: str) -> None:
        group = outside.space.parameters[name]
        assert isinstance(group, Repeated)
        self.space: DesignSpace = group.space
        self._outside, self._name = outside, name
        self._places: list[tuple[Design, int]] = []  # the design around, and the position in it

    def sample(self, rng: np.random.Generator, n: int) -> list[Design]:
        """Return elements of legal designs; fewer than wanted if designs hardly have any."""
        found: list[Design] = []
        for _ in range(DRAWS):
            for around in self._outside.sample(rng, n - len(found)):
                if elements := around[self._name]:
                    position = int(rng.integers(len(elements)))
                    found.append(Design({**elements[position], PLACE: len(self._places)}))
                    self._places.append((around, position))
            if len(found) == n:
                break
        return found

    def whole(self, element: Design) -> Design:
        """Return the design around an element, with that element in its place."""
        values = dict(element)
        around, position = self._places[values.pop(PLACE)]
        elements = around[self._name]
        return Design({**around, self._name: (*elements[:position], Design(values), *elements[position + 1 :])})

    def legal(self, design: Design) -> bool:
        """Return whether the design around is legal."""
        return self._outside.legal(self.whole(design))

    def measure(self, designs: Iterable[Design]) -> None:
        """Measure the designs around."""
        self._outside.measure(map(self.whole, designs))

    def equal(self, a: Design, b: Design) -> bool | None:
        """Return whether the designs around two elements have equal metrics."""
        return self._outside.equal(self.whole(a), self.whole(b))

    def declared(self, a: Design, b: Design) -> bool:
        """Return whether the designs around are declared equivalent."""
        return self._outside.declared(self.whole(a), self.whole(b))
