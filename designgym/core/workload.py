"""What a design is evaluated on. A workload is known by its digest, so that results are never confused between workloads."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from designgym.core.errors import InputError, shorten


@dataclass(frozen=True)
class Workload:
    """A named workload.

    Attributes:
        name: As users write it.
        data: What the simulator receives (a trace, a network, a request mix ...).
        traits: Declared properties that canonical rules may use, such as ``read_only``.
        digest: Hash of the content; two workloads with the same digest give the same results. Computed from ``data`` unless given.
    """

    name: str
    data: Any = None
    traits: frozenset[str] = frozenset()
    digest: str = field(default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "traits", frozenset(self.traits))
        if not self.digest:
            object.__setattr__(self, "digest", content_digest(self.data))


def content_digest(data: Any) -> str:
    """Return a stable hex digest of plain data, arrays, dataclasses, files (by content), or of anything with a ``digest``.

    Raises:
        InputError: If the data is of a kind whose content cannot be read; the remedy is a ``digest`` attribute.
    """
    hasher = blake3()
    _feed(hasher, data)
    return hasher.hexdigest(length=16)


def _feed(hasher: Any, data: Any) -> None:
    own = getattr(data, "digest", None)
    if isinstance(own, str):
        hasher.update(b"digest%d:" % len(own) + own.encode())
    elif data is None or isinstance(data, str | int | float | bool):
        hasher.update(json.dumps(data).encode() + b";")
    elif isinstance(data, bytes):
        hasher.update(b"bytes%d:" % len(data) + data)
    elif isinstance(data, np.ndarray) and not data.dtype.hasobject:
        hasher.update(f"array{data.dtype.descr}{data.shape}:".encode() + np.ascontiguousarray(data).tobytes())
    elif isinstance(data, np.generic):
        _feed(hasher, data.item())
    elif isinstance(data, Path):
        if not data.is_file():
            raise InputError(f"workload file {str(data)!r} does not exist or is not a file")
        hasher.update(b"file:" + data.read_bytes())
    elif isinstance(data, Mapping):
        hasher.update(b"map%d:" % len(data))
        for key in sorted(data, key=lambda key: (str(key), type(key).__name__)):
            _feed(hasher, key)
            _feed(hasher, data[key])
    elif isinstance(data, list | tuple | range):
        hasher.update(b"list%d:" % len(data))
        for item in data:
            _feed(hasher, item)
    elif dataclasses.is_dataclass(data) and not isinstance(data, type):
        _feed(hasher, {f.name: getattr(data, f.name) for f in dataclasses.fields(data)})
    else:
        raise InputError(
            f"workload data {shorten(data)} has no content digest: give it a `digest` string attribute, "
            "or build it from plain data, numpy arrays, dataclasses or pathlib paths"
        )
