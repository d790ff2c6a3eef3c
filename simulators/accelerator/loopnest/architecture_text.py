"""Timeloop's architecture text (YAML, version 0.3): read into an `Architecture`, and printed.

The subset: a tree of `subtree` and `local` lists from the outside in, storage of class DRAM or SRAM, one array (``PE[0..167]``) with one
multiplier per element.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.accelerator.loopnest.architecture import Architecture, StorageLevel

__all__ = ["architecture_text", "read_architecture"]

_NAME = re.compile(r"^\s*([^\[\]]+?)\s*(?:\[\s*(\d+)\s*\.\.\s*(\d+)\s*\])?\s*$")
# Timeloop reads attributes letter by letter, each under one of these names.
_SPELLINGS = {
    "width": ("width", "memory_width", "data_storage_width"), "block": ("block-size", "block_size", "n_words"),
    "word_bits": ("word-bits", "word_width", "datawidth"), "depth": ("depth", "memory_depth", "data_storage_depth"),
    "words": ("entries",), "banks": ("n_banks", "num-banks"), "read_bandwidth": ("read_bandwidth",),
    "write_bandwidth": ("write_bandwidth",), "mesh_x": ("meshX",), "mesh_y": ("meshY",), "technology": ("technology",),
}  # fmt: skip
_MEANINGS = {spelling: meaning for meaning, spellings in _SPELLINGS.items() for spelling in spellings}
_WITHOUT_EFFECT = {
    "type", "latency", "n_ports", "num-ports", "n_rdwr_ports", "n_rd_ports", "n_wr_ports", "num_ports", "read_ports", "write_ports",
    "global_cycle_seconds", "tag", "network-word-bits",
}  # fmt: skip
_MULTIPLIERS = re.compile(r"mac|compute")


class _Node(NamedTuple):
    """A part of the tree."""

    name: str
    instances: int
    kind: str
    attributes: Mapping[str, Any]


def read_architecture(text: str) -> Architecture:
    """Return the architecture of a text.

    Raises:
        InputError: If the text cannot be used, naming the entry.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"the architecture is not YAML: {' '.join(str(error).split())}") from None
    root = content.get("architecture") if isinstance(content, Mapping) else None
    if not isinstance(root, Mapping):
        raise InputError(f"expected a tree under 'architecture', got {shorten(content)}")
    top = _list(root, "subtree", "architecture")
    if len(top) != 1:
        raise InputError(f"architecture: {len(top)} branches under subtree, expected one")
    nodes = list(_walk(top[0], 1, "architecture"))
    storage = [node for node in nodes if not _MULTIPLIERS.search(node.kind)][::-1]
    multipliers = [node for node in nodes if _MULTIPLIERS.search(node.kind)]
    if len(multipliers) != 1 or len(storage) < 2:
        raise InputError(
            f"expected two or more levels of storage and one class of multiplier, got {len(storage)} and {len(multipliers)}: "
            f"{', '.join(f'{node.name} ({node.kind})' for node in nodes) or 'nothing'}"
        )
    mac = multipliers[0]
    if mac.instances != storage[0].instances:
        raise InputError(f"{mac.name}: {mac.instances} multipliers below {storage[0].instances} of {storage[0].name}: expected one each")
    inside = [node for node in storage if node.instances == mac.instances]
    array = len(inside) if mac.instances > 1 else 1
    if any(node.instances != 1 for node in storage[array:]) or storage[:array] != inside[:array]:
        counts = ", ".join(f"{node.instances} of {node.name}" for node in storage[::-1])
        raise InputError(f"expected one array, below levels that are there once, got {counts}: arrays of arrays are not supported")
    meshes = {node.name: _columns(node) for node in [*storage[:array], mac]}
    if len(set(meshes.values())) > 1:
        found = ", ".join(f"{name} {columns}" for name, columns in meshes.items())
        raise InputError(
            f"the parts of an element have different meshX, columns of the array ({found}; all in one row if not given): expected one"
        )
    levels = tuple(_level(node) for node in storage)
    name = str(top[0].get("name", "architecture"))
    return Architecture(name, levels, array, mac.instances, meshes[mac.name], _whole(mac, "word_bits", 16))


def architecture_text(architecture: Architecture) -> str:
    """Return the architecture as Timeloop reads it."""
    local = [_written(level, None) for level in reversed(architecture.levels[architecture.array :])]
    inner = [_written(level, architecture.mesh_x) for level in reversed(architecture.levels[: architecture.array])]
    inner.append({"name": "mac", "class": "intmac", "attributes": {"datawidth": architecture.mac_bits, "meshX": architecture.mesh_x}})
    element = {"name": f"PE[0..{architecture.pes - 1}]", "local": inner}
    tree = {"name": architecture.name, "local": local, "subtree": [element]}
    text: str = yaml.safe_dump({"architecture": {"version": 0.3, "subtree": [tree]}}, sort_keys=False)
    return text


def _walk(entry: Any, instances: int, place: str) -> Iterator[_Node]:
    name, count = _named(entry, place)
    if lost := sorted(set(_attributes(entry, name)) - {"technology"}):
        raise InputError(f"{name}: Timeloop does not hand {lost[0]} of a subtree down to its parts: write it in their own attributes")
    for local in _list(entry, "local", name):
        local_name, local_count = _named(local, name)
        kind = local.get("class")
        if not isinstance(kind, str):
            raise InputError(f"{local_name}: class must be a text such as SRAM, DRAM or intmac, got {shorten(kind)}")
        yield _Node(local_name, instances * count * local_count, kind, _attributes(local, local_name))
    below = _list(entry, "subtree", name)
    if len(below) > 1:
        raise InputError(f"{name}: {len(below)} branches under subtree, expected one: Timeloop's tree has no branches")
    for branch in below:
        yield from _walk(branch, instances * count, name)


def _named(entry: Any, place: str) -> tuple[str, int]:
    if not isinstance(entry, Mapping):
        raise InputError(f"an entry of {place} is {shorten(entry)}, expected keys such as name, local and subtree")
    found = _NAME.match(str(entry.get("name", "")))
    if found is None or (found[2] and int(found[3]) < int(found[2])):
        raise InputError(f"an entry of {place} has the name {shorten(entry.get('name'))}, expected a text such as 'DRAM' or 'PE[0..167]'")
    return found[1], 1 + int(found[3]) - int(found[2]) if found[2] else 1


def _attributes(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the attributes by their meaning; those without effect are left out."""
    given = entry.get("attributes") or {}
    if not isinstance(given, Mapping):
        raise InputError(f"{name}: attributes are {shorten(given)}, expected keys and values")
    result: dict[str, Any] = {}
    for key, value in given.items():
        if key in _WITHOUT_EFFECT:
            continue
        meaning = _MEANINGS.get(key)
        if meaning is None:
            known = sorted([*_MEANINGS, *_WITHOUT_EFFECT])
            raise InputError(f"{name}: {UnknownNameError('attribute', key, known)} (attributes that could change a result are not ignored)")
        if meaning in result:
            raise InputError(f"{name}: {key} says again what {' or '.join(_SPELLINGS[meaning])} says, expected it once")
        result[meaning] = value
    return result


def _list(entry: Mapping[str, Any], key: str, name: str) -> list[Any]:
    value = entry.get(key) or []
    if not isinstance(value, list):
        raise InputError(f"{name}: {key} is {shorten(value)}, expected a list")
    return value


def _number(node: _Node, key: str, default: float) -> float:
    value = node.attributes.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise InputError(f"{node.name}: {key} must be a number, got {shorten(value)}")
    return value


def _whole(node: _Node, key: str, default: int) -> int:
    value = _number(node, key, default)
    if value != int(value) or value < 1:
        raise InputError(f"{node.name}: {key} must be a positive whole number, got {shorten(value)}")
    return int(value)


def _columns(node: _Node) -> int:
    """Return the columns of the array that the instances of a part form: one row of them, unless a mesh is given."""
    rows = _whole(node, "mesh_y", 1)
    columns = _whole(node, "mesh_x", max(node.instances // rows, 1))
    if "mesh_y" in node.attributes and rows * columns != node.instances:
        raise InputError(f"{node.name}: {columns} columns (meshX) and {rows} rows (meshY) are not {node.instances} instances")
    return columns


def _level(node: _Node) -> StorageLevel:
    word_bits = _whole(node, "word_bits", 16)
    if not any(word in node.kind for word in ("DRAM", "SRAM", "regfile", "smartbuffer", "storage")):
        raise InputError(f"{node.name}: unknown class {node.kind!r}, expected DRAM, SRAM (also smartbuffer_SRAM), regfile or a multiplier")
    dram = "DRAM" in node.kind or node.attributes.get("technology") == "DRAM"
    if "block" in node.attributes:
        block = _whole(node, "block", 1)
        if (width := _whole(node, "width", block * word_bits)) != block * word_bits:
            raise InputError(f"{node.name}: a width of {width} bits is not {block} words (block-size) of {word_bits} bits")
    else:
        width = _whole(node, "width", word_bits)
        if width % word_bits:
            raise InputError(f"{node.name}: a width of {width} bits is not a whole number of words of {word_bits} bits")
        block = width // word_bits
    depth = _whole(node, "depth", 1) if "depth" in node.attributes else None
    if "words" in node.attributes:
        words = _whole(node, "words", 1)
        if depth is not None or words % block:
            raise InputError(
                f"{node.name}: entries are the words of a level, got {words}: expected whole rows of {block}, and no depth beside"
            )
        depth = words // block
    if depth is None and not dram:
        raise InputError(f"{node.name}: depth is missing, expected the number of rows")
    return StorageLevel(
        node.name, "DRAM" if dram else "SRAM", depth, block, word_bits,
        _number(node, "read_bandwidth", math.inf), _number(node, "write_bandwidth", math.inf), _whole(node, "banks", 1),
    )  # fmt: skip


def _written(level: StorageLevel, mesh_x: int | None) -> dict[str, Any]:
    attributes: dict[str, Any] = {"width": level.row_bits, "block-size": level.block, "word-bits": level.word_bits}
    if level.depth is not None:
        attributes["depth"] = level.depth
    if level.banks > 1:
        attributes["n_banks"] = level.banks
    attributes |= {key: getattr(level, key) for key in ("read_bandwidth", "write_bandwidth") if getattr(level, key) < math.inf} | (
        {} if mesh_x is None else {"meshX": mesh_x}
    )
    return {"name": level.name, "class": level.technology, "attributes": attributes}
