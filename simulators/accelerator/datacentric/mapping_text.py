"""MAESTRO's mapping language: ``Network``, ``Layer`` and ``Dataflow`` with ``TemporalMap``, ``SpatialMap`` and ``Cluster``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from designgym.core.errors import InputError, shorten
from designgym.simulators.accelerator.datacentric.mapping import Directive, Mapping
from designgym.simulators.accelerator.datacentric.shape import DIMENSIONS, ConvShape

__all__ = ["MappedLayer", "parse_network", "print_network"]

_TOKEN = re.compile(r"[A-Za-z_][\w.\-]*'?|\d+(?![\w.])|[{}(),;:]|\S")
_NAME = re.compile(r"[A-Za-z_][\w.\-]*'?")
_LARGEST = (1 << 31) - 1  # MAESTRO's integers
_TYPES = {"CONV": False, "DSCONV": True}


@dataclass(frozen=True)
class MappedLayer:
    """A layer of a network in the mapping language: its name, its shape, and how it is mapped."""

    name: str
    shape: ConvShape
    mapping: Mapping


def parse_network(text: str, *, source: str = "mapping") -> list[MappedLayer]:
    """Return the layers of a network.

    ``Sz(d)`` is the size of dimension d, ``Constant NAME NUMBER`` names a number, ``//`` begins a comment. A layer without ``Dataflow``
    has that of the layer before it. ``N: 1`` among the dimensions is accepted, since there is no batch.

    Args:
        text: The text.
        source: What messages call it: the path of a file, for instance.

    Raises:
        InputError: Naming the line, what was found and what was expected.
    """
    return _Parser(text, source).network()


def print_network(layers: Iterable[MappedLayer], name: str = "network") -> str:
    """Return a network in the mapping language; `parse_network` reads the same layers from it."""
    lines = [f"Network {name} {{"]
    for layer in layers:
        shape = layer.shape
        sizes = ", ".join(f"{dimension}: {size}" for dimension, size in zip(DIMENSIONS, shape.sizes, strict=True))
        lines += [
            f"Layer {layer.name} {{",
            f"Type: {'DSCONV' if shape.depthwise else 'CONV'}",
            f"Stride {{ X: {shape.stride_x}, Y: {shape.stride_y} }}",
            f"Dimensions {{ {sizes} }}",
            "Dataflow {",
        ]
        for number, level in enumerate(layer.mapping.levels):
            lines += [f"Cluster({layer.mapping.clusters[number - 1]},P);"] if number else []
            lines += [str(directive) for directive in level]
        lines += ["}", "}"]
    return "\n".join([*lines, "}", ""])


class _Parser:
    """Reads tokens one after the other; every token knows its line."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._tokens = [
            (token, number)
            for number, line in enumerate(text.splitlines(), 1)
            for token in _TOKEN.findall(line.partition("//")[0])
        ]  # fmt: skip
        self._at = 0
        self._constants: dict[str, int] = {}

    def network(self) -> list[MappedLayer]:
        while self._accept("Constant"):
            name = self._name("a name of a constant")
            self._accept(":")
            self._constants[name] = self._number({})
            self._accept(";")
        self._expect("Network")
        if self._peek() != "{":
            self._name("a name of the network")
        self._expect("{")
        layers: list[MappedLayer] = []
        while not self._accept("}"):
            layers.append(self._layer(layers[-1].mapping if layers else None))
        if self._peek():
            self._fail("the end of the text")
        if not layers:
            raise InputError(f"{self._source}: the network has no layer: expected Layer NAME {{ ... }}")
        return layers

    def _layer(self, before: Mapping | None) -> MappedLayer:
        self._expect("Layer")
        line = self._line()
        name = self._name("a name of the layer") if self._peek() != "{" else "layer"
        self._expect("{")
        depthwise: bool | None = None
        strides: dict[str, int] = {}
        sizes: dict[str, int] = {}
        mapping = None
        seen: set[str] = set()
        while not self._accept("}"):
            at = self._line()
            word = self._take("Type, Stride, Dimensions, Dataflow or }")
            if word in seen:
                raise InputError(f"{self._source} line {at}: layer {name!r} has {word} twice")
            seen.add(word)
            if word == "Type":
                self._accept(":")
                kind = self._take("CONV or DSCONV")
                if kind not in _TYPES:
                    raise InputError(f"{self._source} line {at}: layers of type {shorten(kind)} are not supported, only CONV and DSCONV")
                depthwise = _TYPES[kind]
                self._accept(";")
            elif word == "Stride":
                strides = self._block(("X", "Y"))
            elif word == "Dimensions":
                sizes = self._block((*DIMENSIONS, "N"))
            elif word == "Dataflow":
                mapping = self._dataflow(sizes, at)
            else:
                self._at -= 1
                self._fail("Type, Stride, Dimensions, Dataflow or }")
        if depthwise is None:
            raise InputError(f"{self._source} line {line}: layer {name!r} has no type: expected Type: CONV or Type: DSCONV")
        if sizes.pop("N", 1) != 1:
            raise InputError(f"{self._source} line {line}: layer {name!r} has a batch: only N: 1 is supported")
        required = DIMENSIONS[1:] if depthwise else DIMENSIONS
        if missing := [d for d in required if d not in sizes]:
            raise InputError(f"{self._source} line {line}: layer {name!r} has no size of {', '.join(missing)} among its dimensions")
        mapping = mapping or before
        if mapping is None:
            raise InputError(f"{self._source} line {line}: layer {name!r} has no Dataflow, and there is no layer before it to take it from")
        try:
            k, c, r, s, y, x = (sizes.get(d, 1) for d in DIMENSIONS)
            shape = ConvShape(k, c, r, s, y, x, strides.get("Y", 1), strides.get("X", 1), depthwise)
        except InputError as error:
            raise InputError(f"{self._source} line {line}: layer {name!r}: {error}") from None
        return MappedLayer(name, shape, mapping)

    def _block(self, names: tuple[str, ...]) -> dict[str, int]:
        self._expect("{")
        found: dict[str, int] = {}
        while not self._accept("}"):
            at, name = self._line(), self._take(f"one of {', '.join(names)}, or }}")
            if name not in names:
                raise InputError(f"{self._source} line {at}: got {shorten(name)}, expected one of {', '.join(names)}")
            if name in found:
                raise InputError(f"{self._source} line {at}: {name} is there twice")
            self._accept(":")
            found[name] = self._number({})
            if not self._accept(","):
                self._accept(";")
        self._accept(";")
        return found

    def _dataflow(self, sizes: dict[str, int], line: int) -> Mapping:
        self._expect("{")
        levels: list[list[Directive]] = [[]]
        clusters: list[int] = []
        while not self._accept("}"):
            at, word = self._line(), self._take("TemporalMap, SpatialMap, Cluster or }")
            if word not in ("TemporalMap", "SpatialMap", "Cluster"):
                self._at -= 1
                self._fail("TemporalMap, SpatialMap, Cluster or }")
            self._expect("(")
            first = self._number(sizes)
            self._expect(",")
            if word == "Cluster":
                if self._take("P or L") not in ("P", "L"):
                    self._at -= 1
                    self._fail("P or L, the kind of cluster")
                self._expect(")")
                clusters.append(first)
                levels.append([])
            else:
                offset = self._number(sizes)
                self._expect(")")
                dimension = self._take("a dimension")
                if dimension[0] in {directive.dimension[0] for directive in levels[-1]}:
                    raise InputError(
                        f"{self._source} line {at}: level {len(levels) - 1} of the mapping (0 is the outermost) maps "
                        f"dimension {dimension[0]} twice"
                    )
                try:
                    levels[-1].append(Directive(dimension, first, offset, word == "SpatialMap"))
                except InputError as error:
                    raise InputError(f"{self._source} line {at}: {error}") from None
            self._accept(";")
        self._accept(";")
        try:
            return Mapping(tuple(map(tuple, levels)), tuple(clusters))
        except InputError as error:
            raise InputError(f"{self._source} line {line}: {error}") from None

    def _number(self, sizes: dict[str, int]) -> int:
        at, token = self._line(), self._take("a number")
        if token == "Sz":
            self._expect("(")
            name = self._take("a dimension")
            self._expect(")")
            if name not in sizes:
                raise InputError(f"{self._source} line {at}: Sz({name}): no size of {name} is given before, in Dimensions")
            return sizes[name]
        if token in self._constants:
            return self._constants[token]
        if not (token.isascii() and token.isdigit()) or token.strip("0") == "":
            raise InputError(f"{self._source} line {at}: got {shorten(token)}, expected a positive whole number or Sz(dimension)")
        if len(token) > 20 or int(token) > _LARGEST:
            raise InputError(f"{self._source} line {at}: got {shorten(token)}, expected at most {_LARGEST}")
        return int(token)

    def _name(self, expected: str) -> str:
        if not _NAME.fullmatch(self._peek()):
            self._fail(expected)
        return self._take(expected)

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _line(self) -> int:
        return self._tokens[min(self._at, len(self._tokens) - 1)][1] if self._tokens else 1

    def _take(self, expected: str) -> str:
        token = self._peek()
        if not token:
            self._fail(expected)
        self._at += 1
        return token

    def _accept(self, token: str) -> bool:
        found = self._peek() == token
        self._at += found
        return found

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            self._fail(repr(token))

    def _fail(self, expected: str) -> NoReturn:
        found = shorten(self._peek()) if self._peek() else "the end of the text"
        raise InputError(f"{self._source} line {self._line()}: got {found}, expected {expected}")
