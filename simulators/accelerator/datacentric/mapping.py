"""`Mapping`: a dataflow in data-centric directives (Kwon et al., MICRO 2019): what each level of sub-units works on, and in which order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral

from designgym.core.errors import InputError
from designgym.simulators.accelerator.datacentric.shape import DIMENSIONS

__all__ = ["MAX_LEVELS", "Directive", "Mapping"]

MAX_LEVELS = 4
"""MAESTRO has networks for four levels and ends at a fifth."""

_NAMES = (*DIMENSIONS, "Y'", "X'")


@dataclass(frozen=True)
class Directive:
    """``TemporalMap(size, offset) dimension`` or ``SpatialMap(size, offset) dimension``.

    Attributes:
        dimension: One of K, C, R, S, Y, X; ``Y'`` and ``X'`` count rows and columns of the output.
        size: Elements of the dimension that a sub-unit holds at a time.
        offset: By how many elements it moves on, in time or from one sub-unit to the next.
        spatial: Whether sub-units share the dimension.

    Raises:
        InputError: For another dimension, or a size or offset below 1.
    """

    dimension: str
    size: int
    offset: int
    spatial: bool = False

    def __post_init__(self) -> None:
        if self.dimension not in _NAMES:
            raise InputError(f"dimension {self.dimension!r} of a directive is none of {', '.join(_NAMES)}")
        for name in ("size", "offset"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
                raise InputError(f"{name} of a directive on {self.dimension} must be a positive integer, got {value!r}")

    def __str__(self) -> str:
        return f"{'SpatialMap' if self.spatial else 'TemporalMap'}({self.size},{self.offset}) {self.dimension};"


@dataclass(frozen=True)
class Mapping:
    """Levels of directives, outermost first, with the cluster sizes between them.

    Attributes:
        levels: The directives of each level, outermost loop first.
        clusters: Sub-units of each level but the first, whose number is what the PEs are enough for.

    Raises:
        InputError: If there is not one cluster size less than levels, a level is empty or names a dimension twice, or output coordinates
            lack the filter's directive in their level, which says how many inputs an output takes.
    """

    levels: tuple[tuple[Directive, ...], ...]
    clusters: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.levels) <= MAX_LEVELS or len(self.clusters) != len(self.levels) - 1:
            raise InputError(
                f"a mapping has 1 to {MAX_LEVELS} levels and a cluster size between each two, got {len(self.levels)} levels and "
                f"{len(self.clusters)} cluster sizes"
            )
        for size in self.clusters:
            if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
                raise InputError(f"a cluster size must be a positive integer, got {size!r}")
        for number, level in enumerate(self.levels):
            named = [directive.dimension[0] for directive in level]
            if not level:
                raise InputError(f"level {number} of the mapping (0 is the outermost) has no directive")
            if twice := [name for name in dict.fromkeys(named) if named.count(name) > 1]:
                raise InputError(f"level {number} of the mapping (0 is the outermost) maps dimension {twice[0]} twice")
            for directive in level:
                window = {"Y'": "R", "X'": "S"}.get(directive.dimension)
                if window and window not in named:
                    raise InputError(
                        f"level {number} of the mapping (0 is the outermost) maps {directive.dimension} without {window}: "
                        f"add a directive on {window}, whose size tells how many inputs an output takes"
                    )

    @property
    def units_needed(self) -> int:
        """PEs of one cluster of the outermost level; a smaller array cannot run the mapping."""
        return math.prod(self.clusters)

    def directives(self) -> Iterator[Directive]:
        """Yield all directives, outermost level first."""
        for level in self.levels:
            yield from level
