"""Timeloop's mapping text (YAML): read into a `LoopMapping` for an architecture, and printed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping, Loops
from designgym.simulators.accelerator.loopnest.problem import DIMS, TENSORS, bounds

__all__ = ["mapping_text", "read_mapping"]

_KINDS = {"temporal": "temporal", "spatial": "spatial", "datatype": "datatype", "bypass": "datatype", "bypassing": "datatype"}
_KEYS = ("target", "type", "factors", "permutation", "split", "keep", "bypass")
_FACTOR = re.compile(r"([A-Za-z])\s*=?\s*(\d+)")
_BATCH = "N"


def read_mapping(text: str, architecture: Architecture, layer: Layer) -> LoopMapping:
    """Return the mapping of a text whose entries name levels of the architecture.

    Levels without an entry have no loops, and keep every tensor. A factor of 0 is what is left of the layer's bound. Dimensions that a
    permutation does not name come after those that it does.

    Raises:
        InputError: If the text cannot be used, naming the entry.
    """
    temporal: dict[int, Loops] = {}
    kept: dict[int, frozenset[str]] = {}
    left: list[tuple[int | None, int]] = []
    array: tuple[Loops, int] | None = None
    for number, entry in enumerate(_entries(text), start=1):
        place = f"mapping entry {number}"
        if not isinstance(entry, Mapping):
            raise InputError(f"{place} is {shorten(entry)}, expected keys such as target, type and factors")
        if unknown := [key for key in entry if key not in _KEYS]:
            raise InputError(f"{place}: {UnknownNameError('key', unknown[0], _KEYS)} (keys that could change a result are not ignored)")
        target, kind = entry.get("target"), entry.get("type")
        place = f"{place} ({target} {kind})"
        if target not in architecture.names:
            raise InputError(f"{place}: {UnknownNameError('target', target, architecture.names)}")
        level = architecture.names.index(str(target))
        match _KINDS.get(str(kind)):
            case "datatype":
                if level in kept:
                    raise InputError(f"{place}: a second entry of this kind for the same target, expected one")
                kept[level] = _keep(entry, place)
            case "temporal":
                if level in temporal:
                    raise InputError(f"{place}: a second entry of this kind for the same target, expected one")
                temporal[level], zeros = _loops(entry, place)
                left += [(level, dim) for dim in zeros]
            case "spatial":
                loops, zeros = _loops(entry, place)
                left += [(None, dim) for dim in zeros]
                if level != architecture.array:
                    if loops.iterations > 1 or zeros:
                        raise InputError(f"{place}: the only array lies below {architecture.names[architecture.array]!r}, none below this")
                elif array is not None:
                    raise InputError(f"{place}: a second entry of this kind for the same target, expected one")
                else:
                    array = loops, _split(entry, place)
            case _:
                raise InputError(f"{place}: {UnknownNameError('type', kind, _KINDS)}")
    levels = range(len(architecture.levels))
    spatial, split = array or (_no_loops(), 0)
    every = [temporal.get(level, _no_loops()) for level in levels]
    every, spatial = _filled(every, spatial, left, layer)
    mapping = LoopMapping(tuple(every), spatial, split, tuple(kept.get(level, frozenset(TENSORS)) for level in levels))
    if problems := mapping.problems(layer):
        raise InputError(f"the mapping is of another layer: {'; '.join(problems)}")
    return mapping


def mapping_text(mapping: LoopMapping, architecture: Architecture) -> str:
    """Return the mapping as Timeloop reads it.

    Raises:
        InputError: If it has another number of levels than the architecture.
    """
    if len(mapping.temporal) != len(architecture.levels):
        raise InputError(f"the mapping has {len(mapping.temporal)} levels, architecture {architecture.name!r} {len(architecture.levels)}")
    entries: list[dict[str, Any]] = []
    for name, kept in zip(architecture.names, mapping.keep, strict=True):
        passed = [tensor for tensor in TENSORS if tensor not in kept]
        entries.append({"target": name, "type": "datatype", "keep": [t for t in TENSORS if t in kept], "bypass": passed})
    for level, (name, loops) in enumerate(zip(architecture.names, mapping.temporal, strict=True)):
        if level == architecture.array:
            entries.append({"target": name, "type": "spatial", **_written(mapping.spatial), "split": mapping.split})
        entries.append({"target": name, "type": "temporal", **_written(loops)})
    text: str = yaml.safe_dump({"mapping": entries}, sort_keys=False)
    return text


def _entries(text: str) -> Sequence[Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"the mapping is not YAML: {' '.join(str(error).split())}") from None
    entries = content.get("mapping") if isinstance(content, Mapping) else content
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
        raise InputError(f"expected a list of entries under 'mapping', got {shorten(entries)}")
    return entries


def _keep(entry: Mapping[str, Any], place: str) -> frozenset[str]:
    lists: dict[str, list[str]] = {}
    for key in ("keep", "bypass"):
        names = entry.get(key) or []
        names = names.split() if isinstance(names, str) else names
        if not isinstance(names, list):
            raise InputError(f"{place}: {key} must be a list of tensors, got {shorten(names)}")
        if unknown := [name for name in names if name not in TENSORS]:
            raise InputError(f"{place}: {UnknownNameError(f'tensor in {key}', unknown[0], TENSORS)}")
        lists[key] = names
    if both := sorted(set(lists["keep"]) & set(lists["bypass"])):
        raise InputError(f"{place}: {both[0]} is both kept and bypassed")
    return frozenset(TENSORS) - set(lists["bypass"])


def _loops(entry: Mapping[str, Any], place: str) -> tuple[Loops, list[int]]:
    """Return the loops, and the dimensions whose factor is what is left."""
    text = entry.get("factors", "")
    factors: dict[str, int] = {}
    pairs = _FACTOR.findall(text) if isinstance(text, str) else []
    if not isinstance(text, str) or _FACTOR.sub("", text).replace(",", "").strip():
        raise InputError(f"{place}: factors must be a text such as 'C4 M2 R1 S1 N1 P7 Q1', got {shorten(text)}")
    for dim, number in pairs:
        if dim not in DIMS + _BATCH:
            raise InputError(f"{place}: {UnknownNameError('dimension in factors', dim, DIMS + _BATCH)}")
        if dim in factors:
            raise InputError(f"{place}: factor {dim} is there twice")
        factors[dim] = int(number)
    if factors.pop(_BATCH, 1) > 1:
        raise InputError(f"{place}: a factor of N, the batch, other than 1 is not supported: map one input at a time")
    order = entry.get("permutation", "")
    letters = "".join(map(str, order)) if isinstance(order, list) else str(order)
    letters = re.sub(r"[\s,]", "", letters)
    if len(set(letters)) != len(letters) or set(letters) - set(DIMS + _BATCH):
        raise InputError(f"{place}: permutation must name dimensions among {DIMS + _BATCH} once each, got {shorten(order)}")
    letters = letters.replace(_BATCH, "")
    letters += "".join(dim for dim in DIMS if dim not in letters)
    zeros = [d for d, dim in enumerate(DIMS) if factors.get(dim, 1) == 0]
    return Loops(tuple(max(factors.get(dim, 1), 1) for dim in DIMS), letters), zeros


def _split(entry: Mapping[str, Any], place: str) -> int:
    """Return how many of the order's entries lie along X, the batch's not counted: all of them, unless the text says."""
    order = re.sub(r"[\s,]", "", "".join(map(str, entry.get("permutation", ""))))
    split = entry.get("split", len(DIMS) + 1)
    if not isinstance(split, int) or isinstance(split, bool) or not 0 <= split <= len(DIMS) + 1:
        raise InputError(f"{place}: split must be a whole number from 0 to {len(DIMS) + 1}, got {shorten(split)}")
    return min(split - order[:split].count(_BATCH), len(DIMS))


def _no_loops() -> Loops:
    return Loops((1,) * len(DIMS))


def _filled(temporal: list[Loops], spatial: Loops, left: list[tuple[int | None, int]], layer: Layer) -> tuple[list[Loops], Loops]:
    """Put what is left of the layer's bounds in the place of factors of 0."""
    for number, (level, dim) in enumerate(left):
        if any(dim == other for _, other in left[:number]):
            raise InputError(f"two factors of {DIMS[dim]} are 0, which stands for what is left: give one of them")
        others = spatial.factors[dim]
        for loops in temporal:
            others *= loops.factors[dim]
        bound = bounds(layer)[dim]
        if bound % others:
            raise InputError(f"a factor of {DIMS[dim]} is 0, but the others multiply to {others}, which does not divide {bound}")
        of = spatial if level is None else temporal[level]
        full = Loops(tuple(bound // others if d == dim else f for d, f in enumerate(of.factors)), of.order)
        if level is None:
            spatial = full
        else:
            temporal[level] = full
    return temporal, spatial


def _written(loops: Loops) -> dict[str, str]:
    factors = dict(zip(DIMS, loops.factors, strict=True)) | {_BATCH: 1}
    return {"factors": " ".join(f"{dim}{factor}" for dim, factor in factors.items()), "permutation": loops.order + _BATCH}
