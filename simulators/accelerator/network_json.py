"""Networks as JSON: an object per layer."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.accelerator.layer import Layer

__all__ = ["parse_json", "print_json"]

_FIELDS = [field.name for field in dataclasses.fields(Layer) if field.name != "name"]
_NEEDED = ("k", "c", "r", "s", "p", "q")
_EXAMPLE = '{"name": "conv", "k": 64, "c": 64, "r": 3, "s": 3, "p": 56, "q": 56, "stride": 1}'


def parse_json(text: str, source: str) -> list[tuple[Layer, int]]:
    """Return the layers of a list of objects, or of one: k, c, r, s, p and q, and if wanted name, stride, depthwise (true) and count.

    Args:
        text: The text.
        source: What messages call it: the path of the file.

    Raises:
        InputError: Naming the layer, by its number or name, and the field of what is wrong.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits are other ValueErrors
        raise InputError(f"{source} is not JSON: {error}") from None
    entries = data if isinstance(data, list) else [data]
    return [_layer(entry, f"{source}, layer {number}", number) for number, entry in enumerate(entries, 1)]


def print_json(layers: tuple[tuple[Layer, int], ...]) -> str:
    """Return layers as a list of objects, one per line; `parse_json` reads the same layers from it."""
    objects = []
    for layer, count in layers:
        numbers = {name: int(getattr(layer, name)) for name in _FIELDS if name != "depthwise"}
        objects.append(json.dumps({"name": layer.name, **numbers, "depthwise": bool(layer.depthwise), "count": int(count)}))
    return "[\n" + ",\n".join(objects) + "\n]\n"


def _layer(entry: Any, place: str, number: int) -> tuple[Layer, int]:
    if not isinstance(entry, dict):
        raise InputError(f"{place} is {shorten(entry)}, expected an object such as {_EXAMPLE}")
    if unknown := sorted(set(entry) - {*_FIELDS, "name", "count"}):
        raise UnknownNameError(f"field of {place}", unknown[0], [*_FIELDS, "name", "count"])
    given = {"k": 1, **entry} if entry.get("depthwise") else entry
    if missing := [name for name in _NEEDED if name not in given]:
        raise InputError(f"{place} lacks {', '.join(missing)}: expected an object such as {_EXAMPLE}")
    count = given.get("count", 1)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"{place}: count must be a whole number, 1 or more, got {shorten(count)}")
    depthwise = given.get("depthwise", False)
    if not isinstance(depthwise, bool):
        raise InputError(f"{place}: depthwise must be true or false, got {shorten(depthwise)}")
    name = given.get("name", f"layer{number}")
    if not isinstance(name, str):
        raise InputError(f"{place}: name must be a text, got {shorten(name)}")
    try:
        return Layer(name, depthwise=depthwise, **{size: given[size] for size in (*_NEEDED, "stride") if size in given}), count
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
