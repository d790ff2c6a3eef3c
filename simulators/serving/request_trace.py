"""Requests that arrive at a server, and which of their blocks hold the same text."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from blake3 import blake3
from numpy.typing import ArrayLike, NDArray

from designgym.core.errors import InputError, shorten

__all__ = ["RequestTrace"]

_LONGEST = 1 << 30  # tokens


@dataclass(frozen=True, eq=False)
class RequestTrace:
    """Requests in the order of their arrival, all of shape ``(n,)``.

    Attributes:
        arrival_s: Seconds from the start, ascending.
        prompt_tokens: Tokens of the prompt, 1 or more.
        output_tokens: Most tokens that the request makes, 1 or more.
        stop_at: Position (from 0) of the output token that ends it before; -1 for none.
        priority: Lower numbers are more urgent.
        token_ids: Known token ids of each request, int64 arrays of any length from its first token on: the prompt, and, if the
            output is known (as in the earlier turns of a conversation), that too. Requests share the blocks whose tokens, with
            all before them, are equal. None: no two requests share anything.
        users: Of a closed loop: so many requests are there at the start, and each other one comes when one has finished; arrival
            times are all 0 then. 0: requests come when the trace says.
        max_concurrency: Most requests that the client has under way; more wait on its side, and their latency counts from when they
            were due. 0: no limit.
    """

    arrival_s: NDArray[np.float64]
    prompt_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    stop_at: NDArray[np.int64]
    priority: NDArray[np.int64]
    token_ids: tuple[NDArray[np.int64], ...] | None = None
    users: int = 0
    max_concurrency: int = 0
    _blocks: dict[int, tuple[NDArray[np.int32], NDArray[np.int64], int]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def make(
        cls,
        arrival_s: ArrayLike,
        prompt_tokens: ArrayLike,
        output_tokens: ArrayLike,
        *,
        stop_at: ArrayLike | None = None,
        priority: ArrayLike | None = None,
        token_ids: Sequence[ArrayLike] | None = None,
        users: int = 0,
        max_concurrency: int = 0,
    ) -> RequestTrace:
        """Return a trace of checked values.

        Raises:
            InputError: If it is empty, not sorted by arrival, or has a number out of range; the message names the request.
        """
        if not isinstance(users, int) or isinstance(users, bool) or users < 0:
            raise InputError(f"users of a closed loop must be a whole number, 0 for requests that come by the clock, but is {users!r}")
        if not isinstance(max_concurrency, int) or isinstance(max_concurrency, bool) or max_concurrency < 0:
            raise InputError(f"max_concurrency must be a whole number of requests, 0 for no limit, but is {max_concurrency!r}")
        arrivals = np.asarray(arrival_s, dtype=np.float64)
        n = arrivals.size
        if arrivals.ndim != 1 or n == 0:
            raise InputError("the trace has no requests: expected one or more")
        columns = {
            "prompt_tokens": prompt_tokens,
            "output_tokens": output_tokens,
            "priority": np.zeros(n, np.int64) if priority is None else priority,
            "stop_at": np.full(n, -1) if stop_at is None else stop_at,
        }
        arrays = {name: np.asarray(values) for name, values in columns.items()}
        for name, values in arrays.items():
            if values.shape != (n,):
                raise InputError(f"{name} has shape {values.shape}, expected {(n,)}: one number per arrival")
            if values.dtype.kind not in "iu":
                raise InputError(f"{name} must be whole numbers, but is of type {values.dtype}")
            least = {"prompt_tokens": 1, "output_tokens": 1, "stop_at": -1}.get(name, -_LONGEST)
            bad = np.flatnonzero((values < least) | (values > _LONGEST))
            if bad.size:
                raise InputError(f"request {bad[0]}: {name} is {values[bad[0]]}, expected {least} to {_LONGEST}")
        if not np.isfinite(arrivals).all() or arrivals[0] < 0:
            raise InputError("arrival times must be finite and not negative")
        if (late := np.flatnonzero(np.diff(arrivals) < 0)).size:
            raise InputError(
                f"request {late[0] + 1} arrives at {arrivals[late[0] + 1]:g} s, before the one ahead of it ({arrivals[late[0]]:g} s): sort "
                "the trace by arrival"
            )
        if users and arrivals.any():
            raise InputError("arrival times of a closed loop must all be 0: a request comes when another has finished")
        known = None
        if token_ids is not None:
            if len(token_ids) != n:
                raise InputError(f"token_ids is of {len(token_ids)} requests, expected {n}")
            known = tuple(np.ascontiguousarray(ids, dtype=np.int64) for ids in token_ids)
        integers = {name: values.astype(np.int64) for name, values in arrays.items()}
        return cls(arrivals, token_ids=known, users=users, max_concurrency=max_concurrency, **integers)

    def __len__(self) -> int:
        """Return the number of requests."""
        return self.arrival_s.size

    @functools.cached_property
    def digest(self) -> str:
        """Hash of the content."""
        limit = (self.max_concurrency,) if self.max_concurrency else ()
        hasher = blake3(repr((len(self), self.users, self.token_ids is None, *limit)).encode())
        for array in (self.arrival_s, self.prompt_tokens, self.output_tokens, self.stop_at, self.priority, *(self.token_ids or ())):
            hasher.update(b"%d:" % array.size + np.ascontiguousarray(array).tobytes())
        return hasher.hexdigest(16)

    def part(self, which: slice, *, users: int | None = None) -> RequestTrace:
        """Return some of the requests, by their numbers; of a closed loop with other users, if given."""
        known = None if self.token_ids is None else self.token_ids[which]
        return RequestTrace(
            self.arrival_s[which], self.prompt_tokens[which], self.output_tokens[which], self.stop_at[which], self.priority[which],
            known, self.users if users is None else users, self.max_concurrency,
        )  # fmt: skip

    def limited(self, max_concurrency: int) -> RequestTrace:
        """Return the same requests from a client that has at most so many under way; 0 for no limit."""
        return dataclasses.replace(self, max_concurrency=max_concurrency)

    def faster(self, factor: float) -> RequestTrace:
        """Return the same requests arriving so many times as fast."""
        return dataclasses.replace(self, arrival_s=self.arrival_s / factor)

    def first(self, n: int) -> RequestTrace:
        """Return the first ``n`` requests, or all if there are no more."""
        return self if n >= len(self) else self.part(slice(0, n))

    def share(self, fidelity: float) -> RequestTrace:
        """Return so large a share of the requests, from the first; raises `InputError` for one that is not in (0, 1]."""
        if not 0 < fidelity <= 1:
            raise InputError(f"fidelity, the share of the requests that is taken, must be in (0, 1], got {shorten(fidelity)}")
        return self.first(max(round(fidelity * len(self)), 1))

    def block_keys(self, block_size: int) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
        """Return what each full block of each request holds, as numbers: equal numbers, equal tokens from the first on.

        Returns:
            The numbers of all requests' blocks one after the other; where each request's begin, shape ``(n,)``; how many
            different numbers there are.
        """
        if block_size not in self._blocks:
            counts = (self.prompt_tokens + self.output_tokens) // block_size
            first = np.concatenate([[0], np.cumsum(counts)])
            keys = np.arange(first[-1], dtype=np.int32)
            if self.token_ids is not None:
                _share(keys, first, self.token_ids, block_size)
            self._blocks[block_size] = keys, first[:-1], int(first[-1])
        return self._blocks[block_size]


def _share(keys: NDArray[np.int32], first: NDArray[np.int64], token_ids: Sequence[NDArray[np.int64]], block_size: int) -> None:
    """Give blocks of equal prefixes the number of the first of them."""
    seen: dict[tuple[int, bytes], int] = {}
    for r, ids in enumerate(token_ids):
        parent = -1
        start = int(first[r])
        for i in range(min(ids.size // block_size, int(first[r + 1]) - start)):
            parent = seen.setdefault((parent, ids[i * block_size : (i + 1) * block_size].tobytes()), start + i)
            keys[start + i] = parent
