"""`SharedCache`: one `LocalCache` in a named Ray actor, for all workers of a sweep."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from designgym.core.errors import EvaluationError, InputError
from designgym.core.metrics import Metrics
from designgym.core.protocols import Lookup
from designgym.hashing.local_cache import LocalCache

NAMESPACE = "designgym"
LEASE_S = 60.0  # a worker that was killed holds its reservations no longer
POLL_S = 60.0  # longest wait in one actor call
CALLS_AT_ONCE = 100_000  # waiting calls cost the actor a few kilobytes each and no thread
ATTEMPTS = 5  # to find or create the actor: the name of one that died is taken for a moment

log = logging.getLogger("designgym.hashing")


class SharedCache:
    """Client of the one equivalence cache of a Ray cluster under ``name``; the first client creates it (an `EquivalenceCache`).

    One actor call serves a batch of keys. The actor lives until `shut_down` or the end of the cluster, not only as long as the worker
    that happened to create it. If it dies, its contents are gone but no result is: measured results are in the store. A client that
    notices creates the cache anew, logs that, and hands it what ``reload`` returns.

    Args:
        name: Which cache; studies that share results use the same name.
        owner: Who asks, for instance the run's id. A client with the same owner that starts later (the run was killed and resumed)
            ends the reservations that its predecessor left behind. Empty: they lapse with their lease.
        reload: Returns the results ``(key, metrics)`` that a cache created anew begins with; to be pickled where a client is.
        **options: Options of `LocalCache` for the client that creates it; ``lease_s`` is 60 unless given.

    Raises:
        InputError: If Ray is not initialised, or for an option that `LocalCache` refuses.
    """

    def __init__(
        self,
        name: str = "equivalence-cache",
        *,
        owner: str = "",
        reload: Callable[[], Iterable[tuple[str, Metrics]]] | None = None,
        **options: Any,
    ) -> None:
        import ray

        if not ray.is_initialized():
            raise InputError("a shared cache lives in a Ray cluster: call ray.init() first, or use LocalCache")
        self.name, self.owner = name, owner
        self._options: dict[str, Any] = {"lease_s": LEASE_S} | options
        self._reload = reload
        LocalCache(**self._options)  # refuse bad options here rather than in the actor
        self._actor = self._find_or_create()
        if owner:
            self._call("release", owner)

    # ---- the protocol --------------------------------------------------------------------------------------------------

    def lookup(self, keys: Sequence[str]) -> list[Lookup]:
        """See `LocalCache.lookup`; one call for all keys."""
        return self._call("lookup", list(keys), self.owner) if keys else []

    def fill(self, measured: Sequence[tuple[str, str, Metrics]]) -> list[Metrics]:
        """See `LocalCache.fill`; one call for all results."""
        return self._call("fill", list(measured)) if measured else []

    def fail(self, reservations: Mapping[str, str]) -> None:
        """See `LocalCache.fail`."""
        if reservations:
            self._call("fail", dict(reservations))

    def peek(self, keys: Sequence[str]) -> list[Metrics | None]:
        """See `LocalCache.peek`."""
        return self._call("peek", list(keys)) if keys else []

    def link(self, aliases: Mapping[str, str]) -> None:
        """See `LocalCache.link`."""
        if aliases:
            self._call("link", dict(aliases))

    def resolve(self, aliases: Sequence[str]) -> list[str | None]:
        """See `LocalCache.resolve`."""
        return self._call("resolve", list(aliases)) if aliases else []

    def wait(self, key: str, timeout_s: float) -> None:
        """Sleep until the key's reservation has ended or lapsed, or the time is over; the actor goes on serving others."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0 and not self._call("wait", key, min(left_s, POLL_S)):
            pass

    def statistics(self) -> dict[str, float]:
        """See `LocalCache.statistics`; counts of all clients together."""
        return self._call("statistics")

    # ---- beyond the protocol -------------------------------------------------------------------------------------------

    def preload(self, results: Iterable[tuple[str, Metrics]], *, batch: int = 10_000) -> int:
        """See `LocalCache.preload`; sent in batches."""
        remaining = iter(results)
        return sum(self._call("preload", part) for part in iter(lambda: list(itertools.islice(remaining, batch)), []))

    def shut_down(self) -> None:
        """End the actor; results in it are gone."""
        import ray

        ray.kill(self._actor)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process gets a client of the same cache, under the same owner, without ending its reservations."""
        return _rebuild, (self.name, self.owner, self._reload, self._options)

    # ---- inside --------------------------------------------------------------------------------------------------------

    def _find_or_create(self) -> Any:
        import ray
        import ray.exceptions

        maker: Any = ray.remote(_CacheActor)
        created = maker.options(
            name=self.name, namespace=NAMESPACE, get_if_exists=True, lifetime="detached",
            num_cpus=0, max_restarts=0, max_concurrency=CALLS_AT_ONCE,
        )  # fmt: skip
        for attempt in itertools.count(1):
            actor = created.remote(self._options)
            try:
                ray.get(actor.statistics.remote())
                return actor
            except ray.exceptions.RayActorError:
                if attempt == ATTEMPTS:
                    raise EvaluationError(f"shared cache {self.name!r} cannot be created: its actor died {attempt} times at once") from None
                time.sleep(0.1 * 2**attempt)

    def _call(self, method: str, *arguments: Any) -> Any:
        import ray
        import ray.exceptions

        for lost_before in (False, True):
            try:
                return ray.get(getattr(self._actor, method).remote(*arguments))
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except ray.exceptions.RayActorError as error:
                if lost_before:
                    raise EvaluationError(f"shared cache {self.name!r} died again right after it was created anew: {error}") from None
                log.warning(
                    "shared cache %r was lost (%s); creating it anew. Measured results are in the store, nothing needs to be done",
                    self.name, type(error).__name__,
                )  # fmt: skip
                self._actor = self._find_or_create()
                if self._reload is not None:
                    self.preload(self._reload())
        raise AssertionError("unreachable")


def _rebuild(name: str, owner: str, reload: Any, options: dict[str, Any]) -> SharedCache:
    client = SharedCache(name, reload=reload, **options)
    client.owner = owner
    return client


class _CacheActor:
    """A `LocalCache` behind an event loop: short calls run one after the other, waiting ones give way."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._cache = LocalCache(**options)

    async def lookup(self, keys: list[str], owner: str) -> list[Lookup]:
        return self._cache.lookup(keys, owner=owner)

    async def fill(self, measured: list[tuple[str, str, Metrics]]) -> list[Metrics]:
        return self._cache.fill(measured)

    async def fail(self, reservations: dict[str, str]) -> None:
        self._cache.fail(reservations)

    async def peek(self, keys: list[str]) -> list[Metrics | None]:
        return self._cache.peek(keys)

    async def link(self, aliases: dict[str, str]) -> None:
        self._cache.link(aliases)

    async def resolve(self, aliases: list[str]) -> list[str | None]:
        return self._cache.resolve(aliases)

    async def wait(self, key: str, timeout_s: float) -> bool:
        """Return whether the key is free."""
        ended = asyncio.Event()
        remaining_s = self._cache.when_free(key, ended.set)
        if remaining_s > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), min(remaining_s, timeout_s))
        return ended.is_set() or remaining_s <= timeout_s

    async def statistics(self) -> dict[str, float]:
        return self._cache.statistics()

    async def preload(self, results: list[tuple[str, Metrics]]) -> int:
        return self._cache.preload(results)

    async def release(self, owner: str) -> int:
        return self._cache.release(owner)
