"""`Network`: the layers of a network, each with how often it occurs; networks that are built in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from designgym.core.errors import InputError
from designgym.simulators.accelerator.layer import Layer

__all__ = ["Network"]


@dataclass(frozen=True)
class Network:
    """Layers in the order of their first use, each with how often it occurs.

    Attributes:
        name: For messages and tables.
        layers: Pairs of a layer and how often it occurs, at least one pair.

    Raises:
        InputError: If there is no layer, or a count is not positive.
    """

    name: str
    layers: tuple[tuple[Layer, int], ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise InputError(f"network {self.name!r} has no layer")
        for layer, count in self.layers:
            if count < 1:
                raise InputError(f"network {self.name!r}: layer {layer.name!r} must occur at least once, got {count!r} times")

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of all layers."""
        return sum(count * layer.macs for layer, count in self.layers)

    def merged(self) -> Network:
        """Return the network in which layers of the same shape are one, by the name of the first of them, with the sum of their counts."""
        first: dict[Layer, Layer] = {}
        counts: dict[Layer, int] = {}
        for layer, count in self.layers:
            shape = replace(layer, name="")
            first.setdefault(shape, layer)
            counts[shape] = counts.get(shape, 0) + count
        return Network(self.name, tuple((first[shape], count) for shape, count in counts.items()))
