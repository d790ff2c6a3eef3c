"""`SharedCache`: one `LocalCache` in a named Ray actor, for all workers of a sweep."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from designgym.core.errors import EvaluationError, InputError, shorten
from designgym.core.metrics import Metrics
from designgym.core.protocols import Lookup
from designgym.hashing.local_cache import DEFAULTS, LocalCache, check_options
from designgym.hashing.wire import PackedLookup, PackedMetrics, pack, pack_lookup, unpack, unpack_lookup

NAMESPACE = "designgym"
LEASE_S = 30.0  # renewed for as long as the process that reserved lives
ABANDONED_S = 60.0  # the actor ends so long after the last process that used it
POLL_S = 60.0  # longest wait in one actor call
CALLS_AT_ONCE = 100_000  # waiting calls cost the actor a few kilobytes each and no thread
ATTEMPTS = 5  # to find or create the actor: the name of one that died is taken for a moment

log = logging.getLogger("designgym.hashing")


class SharedCache:
    """Client of the one equivalence cache of a Ray cluster under ``name``; the first client creates it (an `EquivalenceCache`).

    One actor call serves a batch of keys. The actor outlives the worker that happened to create it: it lives until `shut_down`, or until
    all processes that made clients have been gone for ``abandoned_s``. If it dies, its contents are gone but no result is: measured
    results are in the store. A client that notices creates the cache anew, logs that, and hands it what ``reload`` returns.

    The actor watches the processes of its clients. It renews the reservations of those that live, however long they measure, and ends
    those of a process that died, mostly within seconds; should it miss that, they lapse with their lease.

    Args:
        name: Which cache; studies that share results use the same name.
        owner: Who asks, for instance the run's id. A client with the same owner that starts later (the run was killed and resumed)
            ends the reservations that its predecessor left behind, at once.
        successor: False for a client that works beside others of its owner and leaves their reservations alone.
        abandoned_s: Seconds without any client's process after which the actor ends; taken from the client that creates it.
        reload: Returns the results ``(key, metrics)`` that a cache created anew begins with; to be pickled where a client is.
        **options: Options of `LocalCache` for the client that creates it; ``lease_s`` is 30 unless given.

    Raises:
        InputError: If Ray is not initialised, or for an option that `LocalCache` refuses.
    """

    def __init__(
        self,
        name: str = "equivalence-cache",
        *,
        owner: str = "",
        successor: bool = True,
        abandoned_s: float = ABANDONED_S,
        reload: Callable[[], Iterable[tuple[str, Metrics]]] | None = None,
        **options: Any,
    ) -> None:
        import ray

        if not ray.is_initialized():
            raise InputError("a shared cache lives in a Ray cluster: call ray.init() first, or use LocalCache")
        if not isinstance(name, str) or not name:
            raise InputError(f"name of a shared cache is {shorten(name)}, expected a text: clients that give the same one share the cache")
        if not isinstance(owner, str):
            raise InputError(f"owner of a shared cache's client is {shorten(owner)}, expected a text, for instance the run's id")
        if isinstance(abandoned_s, bool) or not isinstance(abandoned_s, int | float) or not abandoned_s > 0:
            raise InputError(f"abandoned_s of a shared cache is {shorten(abandoned_s)}, expected a number of seconds above 0")
        self.name, self.owner = name, owner
        self._given = options
        self._options: dict[str, Any] = {"lease_s": LEASE_S} | options
        self._reload = reload
        check_options(self._options)  # here rather than in the actor
        self._client, self._abandoned_s = uuid.uuid4().hex, abandoned_s
        self._actor = self._find_or_create(successor)

    # ---- the protocol --------------------------------------------------------------------------------------------------

    def lookup(self, keys: Sequence[str]) -> list[Lookup]:
        """See `LocalCache.lookup`; one call for all keys."""
        try:
            return list(map(unpack_lookup, self._call("lookup", list(keys), self._client))) if keys else []
        except KeyboardInterrupt:  # reserved, perhaps, under tokens that nobody will ever hear of, by a process that lives on
            self._actor.release.remote(list(keys), self._client)
            raise

    def fill(self, measured: Sequence[tuple[str, str, Metrics]]) -> list[Metrics]:
        """See `LocalCache.fill`; one call for all results."""
        packed = [(key, token, pack(metrics)) for key, token, metrics in measured]
        return list(map(unpack, self._call("fill", packed))) if packed else []

    def fail(self, reservations: Mapping[str, str]) -> None:
        """See `LocalCache.fail`."""
        if reservations:
            self._call("fail", dict(reservations))

    def peek(self, keys: Sequence[str]) -> list[Metrics | None]:
        """See `LocalCache.peek`."""
        found = self._call("peek", list(keys)) if keys else []
        return [None if packed is None else unpack(packed) for packed in found]

    def claim(self, claims: Sequence[tuple[str, str, str]], *, audit: bool = False) -> list[Lookup]:
        """See `LocalCache.claim`; one call for all claims."""
        return list(map(unpack_lookup, self._call("claim", list(claims), audit))) if claims else []

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
        remaining = ((key, pack(metrics)) for key, metrics in results)
        return sum(self._call("preload", part) for part in iter(lambda: list(itertools.islice(remaining, batch)), []))

    def spread(self, key: str) -> dict[str, float] | None:
        """See `LocalCache.spread`."""
        return self._call("spread", key)

    def leave(self) -> None:
        """Need the cache no more, and end it unless another client is there that works for no ``owner``, as drivers do."""
        import ray
        import ray.exceptions

        with contextlib.suppress(ray.exceptions.RayActorError):  # it has ended already
            if ray.get(self._actor.leave.remote(self._client)):
                ray.kill(self._actor)

    def shut_down(self) -> None:
        """End the actor, whoever uses it; results in it are gone."""
        import ray

        ray.kill(self._actor)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process gets a client of the same cache, under the same owner, without ending its reservations."""
        return _rebuild, (self.name, self.owner, self._abandoned_s, self._reload, self._given)

    # ---- inside --------------------------------------------------------------------------------------------------------

    def _find_or_create(self, successor: bool = False) -> Any:
        import ray
        import ray.exceptions

        maker: Any = ray.remote(_CacheActor)
        created = maker.options(
            name=self.name, namespace=NAMESPACE, get_if_exists=True, lifetime="detached",
            num_cpus=0, max_restarts=0, max_concurrency=CALLS_AT_ONCE,
        )  # fmt: skip
        for attempt in itertools.count(1):
            actor = created.remote(self._options, self._abandoned_s)
            try:
                self._compare_options(ray.get(actor.join.remote(self._client, self.owner, successor)))
                # what `stay` will return belongs to this process: Ray tells those who wait for it when the process has died, even
                # if a simulator keeps all its threads from running
                actor.watch.remote(self._client, [actor.stay.remote()])
                return actor
            except ray.exceptions.RayActorError:
                if attempt == ATTEMPTS:
                    raise EvaluationError(f"shared cache {self.name!r} cannot be created: its actor died {attempt} times at once") from None
                time.sleep(0.1 * 2**attempt)

    def _compare_options(self, made_with: Mapping[str, Any]) -> None:
        """Say so if the cache was there already, with other options than these: they count for nothing then."""
        for name, value in self._given.items():
            if made_with.get(name, value) != value:
                log.warning(
                    "shared cache %r is there already, with %s=%r; %s=%r has no effect: give the same options, or another name",
                    self.name, name, made_with[name], name, value,
                )  # fmt: skip

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
                    "shared cache %r was lost (%s); creating it anew. %s", self.name, type(error).__name__,
                    "What it held is measured again" if self._reload is None
                    else "Measured results are in the store, nothing needs to be done",
                )  # fmt: skip
                self._actor = self._find_or_create()
                if self._reload is not None:
                    self.preload(self._reload())
        raise AssertionError("unreachable")


def _rebuild(name: str, owner: str, abandoned_s: float, reload: Any, options: dict[str, Any]) -> SharedCache:
    return SharedCache(name, owner=owner, successor=False, abandoned_s=abandoned_s, reload=reload, **options)


class _CacheActor:
    """A `LocalCache` behind an event loop: short calls run one after the other, waiting ones give way."""

    def __init__(self, options: dict[str, Any], abandoned_s: float) -> None:
        self._cache, self._options = LocalCache(**options), {**DEFAULTS, **options}
        self._lease_s = float(options["lease_s"])
        self._clients: dict[str, list[str]] = {}  # by owner
        self._watched: set[str] = set()
        self._drivers: set[str] = set()  # clients without an owner
        self._left_at = time.monotonic()  # when the last client joined or went
        threading.Thread(target=self._end_when_abandoned, args=(abandoned_s,), daemon=True).start()

    # ---- who is there --------------------------------------------------------------------------------------------------

    async def join(self, client: str, owner: str, successor: bool) -> dict[str, Any]:
        """Note a client; a successor ends what earlier clients of its owner reserved. Return the options of the cache."""
        self._left_at = time.monotonic()
        if not owner:
            self._drivers.add(client)
            return self._options
        for earlier in self._clients.pop(owner, ()) if successor else ():
            self._cache.release(earlier)
        self._clients.setdefault(owner, []).append(client)
        return self._options

    async def leave(self, client: str) -> bool:
        """End what a client reserved; return whether no driver is left."""
        self._cache.release(client)
        self._drivers.discard(client)
        return not self._drivers

    async def stay(self) -> None:
        """Never return."""
        await asyncio.Event().wait()

    async def watch(self, client: str, stays: list[Any]) -> None:
        """Renew a client's reservations until its process, which owns the object in ``stays``, has died; then end them."""
        self._watched.add(client)
        try:
            gone = asyncio.wrap_future(stays[0].future())
            while not (await asyncio.wait({gone}, timeout=self._lease_s / 3))[0]:
                self._cache.renew(client)
            gone.exception()
        finally:
            self._cache.release(client)
            self._watched.discard(client)
            self._drivers.discard(client)
            self._left_at = time.monotonic()

    def _end_when_abandoned(self, abandoned_s: float) -> None:
        import ray

        while self._watched or time.monotonic() - self._left_at < abandoned_s:
            time.sleep(abandoned_s / 4)
        ray.kill(ray.get_runtime_context().current_actor)

    # ---- the cache -----------------------------------------------------------------------------------------------------

    async def lookup(self, keys: list[str], client: str) -> list[PackedLookup]:
        return list(map(pack_lookup, self._cache.lookup(keys, owner=client)))

    async def release(self, keys: list[str], client: str) -> None:
        """End what a client reserved of the keys."""
        self._cache.release(client, set(keys))

    async def fill(self, measured: list[tuple[str, str, PackedMetrics]]) -> list[PackedMetrics]:
        return list(map(pack, self._cache.fill([(key, token, unpack(packed)) for key, token, packed in measured])))

    async def fail(self, reservations: dict[str, str]) -> None:
        self._cache.fail(reservations)

    async def peek(self, keys: list[str]) -> list[PackedMetrics | None]:
        return [None if metrics is None else pack(metrics) for metrics in self._cache.peek(keys)]

    async def claim(self, claims: list[tuple[str, str, str]], audit: bool) -> list[PackedLookup]:
        return list(map(pack_lookup, self._cache.claim(claims, audit=audit)))

    async def link(self, aliases: dict[str, str]) -> None:
        self._cache.link(aliases)

    async def resolve(self, aliases: list[str]) -> list[str | None]:
        return self._cache.resolve(aliases)

    async def wait(self, key: str, timeout_s: float) -> bool:
        """Return whether the key's reservation has ended."""
        ended, until = asyncio.Event(), time.monotonic() + timeout_s
        remaining_s = self._cache.when_free(key, ended.set)
        while remaining_s > 0 and not ended.is_set() and (left_s := until - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), min(remaining_s, left_s))
            remaining_s = self._cache.lease_left_s(key)  # it may have been renewed
        return ended.is_set() or remaining_s <= 0

    async def statistics(self) -> dict[str, float]:
        return self._cache.statistics()

    async def spread(self, key: str) -> dict[str, float] | None:
        return self._cache.spread(key)

    async def preload(self, results: list[tuple[str, PackedMetrics]]) -> int:
        return self._cache.preload((key, unpack(packed)) for key, packed in results)
