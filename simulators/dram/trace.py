"""The workload of a memory controller: which request arrives when."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from blake3 import blake3
from numpy.typing import ArrayLike, NDArray

from designgym.core.errors import InputError

__all__ = ["Trace"]


@dataclass(frozen=True, eq=False)
class Trace:
    """A sequence of memory requests, each for one burst, in the order they are offered.

    The arrays are copied and made read-only, so that a trace may be shared by threads and its digest stays true. Two
    traces are equal when their digests are.

    Attributes:
        name: What people call the trace; not part of its digest.
        arrival_ticks: Earliest time at which each request is offered, in ticks of `clock_ns`; int64, shape ``(n,)``. A
            request is never offered before the one ahead of it was accepted, so that the times need not increase.
        is_write: True for a write, False for a read; bool, shape ``(n,)``.
        addresses: Byte address of each request; int64, shape ``(n,)``.
        clock_ns: Length of one tick in ns.
    """

    name: str
    arrival_ticks: NDArray[np.int64]
    is_write: NDArray[np.bool_]
    addresses: NDArray[np.int64]
    clock_ns: float = 1.25

    def __init__(self, name: str, arrival_ticks: ArrayLike, is_write: ArrayLike, addresses: ArrayLike, clock_ns: float = 1.25) -> None:
        """Copy and check the arrays.

        Raises:
            InputError: If the arrays differ in length, are empty, or hold a time or address that cannot be.
        """
        arrays = {
            "arrival_ticks": np.array(arrival_ticks, dtype=np.int64),
            "is_write": np.array(is_write, dtype=np.bool_),
            "addresses": np.array(addresses, dtype=np.int64),
        }
        shapes = {field: array.shape for field, array in arrays.items()}
        if len(set(shapes.values())) != 1 or arrays["addresses"].ndim != 1 or not arrays["addresses"].size:
            raise InputError(f"The arrays of a trace must be one-dimensional, equally long and not empty, but {name!r} has {shapes}.")
        for field in ("arrival_ticks", "addresses"):
            if arrays[field].min() < 0:
                raise InputError(f"{field} must be >= 0, but the smallest of {name!r} is {arrays[field].min()}.")
        if not clock_ns > 0:
            raise InputError(f"clock_ns must be > 0, but that of {name!r} is {clock_ns}.")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "clock_ns", float(clock_ns))
        for field, array in arrays.items():
            array.flags.writeable = False
            object.__setattr__(self, field, array)

    @cached_property
    def digest(self) -> str:
        """Hex digest of all that can change a result: the clock, times, directions and addresses; not the name."""
        hasher = blake3(np.float64(self.clock_ns).tobytes())
        for array in (self.arrival_ticks, self.is_write, self.addresses):
            hasher.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        return hasher.hexdigest()

    @cached_property
    def read_only(self) -> bool:
        """True if no request is a write."""
        return not bool(self.is_write.any())

    @property
    def write_share(self) -> float:
        """Share of the requests that are writes, 0 to 1."""
        return float(self.is_write.mean())

    def head(self, n: int) -> "Trace":
        """Return a trace of the first `n` requests (all of them if there are fewer)."""
        return Trace(f"{self.name}[:{n}]", self.arrival_ticks[:n], self.is_write[:n], self.addresses[:n], self.clock_ns)

    def __len__(self) -> int:
        return int(self.addresses.size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trace) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)
