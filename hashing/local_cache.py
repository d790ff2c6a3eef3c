"""`LocalCache`: the equivalence cache of one process, for any number of threads."""

from __future__ import annotations

import inspect
import math
import numbers
import secrets
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blake3 import blake3

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.metrics import Metrics
from designgym.core.protocols import Lookup
from designgym.hashing.entry import ALIAS_BYTES, Entry

BUSY = Lookup("busy")


@dataclass
class _Reservation:
    token: str
    deadline: float
    owner: str
    callbacks: list[Callable[[], object]] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)  # held with it


def check_options(options: Mapping[str, Any]) -> None:
    """Raise `InputError` for options, given by name, that `LocalCache` does not have or would refuse."""
    for name in options:
        if name not in DEFAULTS:
            raise UnknownNameError("option of a cache", name, DEFAULTS)
    LocalCache(**options)


class LocalCache:
    """Results by key with single flight, bounded, for the threads of one process (an `EquivalenceCache`).

    Args:
        measurements: A result is served once it is the mean of so many measurements (M). 1 is right for a deterministic simulator.
        forget: Probability F of forgetting a result after it was served, so that a lucky score of a noisy simulator does not live for
            ever (0.1 in Gillard et al. 2023). 0 is right for a deterministic simulator. Drawn from a hash of ``seed``, the key and the
            number of times it was served, so that the order of other look-ups has no part in it.
        max_bytes: Memory for results; the least recently used ones are evicted. Reservations are never evicted.
        max_alias_bytes: Memory for aliases, bounded alike.
        lease_s: Seconds after which a reservation lapses unless it is renewed. Threads of a process release theirs whatever happens, so
            this matters only for callers that can die; a lease that lapses during a measurement costs a second one, nothing else.
        seed: Seed of the forgetting.
        clock: Seconds, never going back.

    Raises:
        InputError: For an argument outside its range.
    """

    def __init__(
        self,
        *,
        measurements: int = 1,
        forget: float = 0.0,
        max_bytes: int = 256 << 20,
        max_alias_bytes: int = 64 << 20,
        lease_s: float = 3600.0,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value, expected, legal in (
            ("measurements", measurements, "a whole number of 1 or more", _is_whole(measurements) and measurements >= 1),
            ("forget", forget, "a number in [0, 1)", _is_real(forget) and 0 <= forget < 1),
            ("max_bytes", max_bytes, "a number of bytes above 0", _is_real(max_bytes) and max_bytes > 0),
            ("max_alias_bytes", max_alias_bytes, "a number of bytes above 0", _is_real(max_alias_bytes) and max_alias_bytes > 0),
            ("lease_s", lease_s, "a number of seconds above 0", _is_real(lease_s) and lease_s > 0),
            ("seed", seed, "a whole number", _is_whole(seed)),
        ):
            if not legal:
                raise InputError(f"{name} of a cache is {shorten(value)}, expected {expected}")
        self._measurements, self._forget, self._seed = measurements, forget, seed
        self._max_bytes, self._max_alias_bytes, self._lease_s, self._clock = max_bytes, max_alias_bytes, lease_s, clock
        self._options: dict[str, Any] = {
            "measurements": measurements, "forget": forget, "max_bytes": max_bytes, "max_alias_bytes": max_alias_bytes,
            "lease_s": lease_s, "seed": seed, "clock": clock,
        }  # fmt: skip
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, Entry] = OrderedDict()  # least recently used first
        self._aliases: OrderedDict[str, str] = OrderedDict()
        self._reservations: OrderedDict[str, _Reservation] = OrderedDict()  # in order of deadline, since all leases are equally long
        self._holders: dict[str, str] = {}  # aliases that are held: the canonical key with whose reservation
        self._bytes = self._alias_bytes = 0
        self._token_prefix = secrets.token_hex(4)  # a token of an earlier cache under the same name must not fit here
        self._tokens = 0
        counts = ("hits", "misses", "busy", "waits", "evictions", "alias_busy", "alias_evictions", "expired", "forgotten")
        self._counts = dict.fromkeys(counts, 0)

    # ---- the protocol --------------------------------------------------------------------------------------------------

    def lookup(self, keys: Sequence[str], *, owner: str = "") -> list[Lookup]:
        """Return hits, and reserve what nobody else is measuring.

        Args:
            keys: Different keys.
            owner: Whom the reservations belong to, for `renew` and `release`.
        """
        now, counts, answers = self._clock(), self._counts, []
        with self._lock:
            self._expire(now)
            for key in keys:
                entry = self._entries.get(key)
                if entry is not None and entry.count >= self._measurements:
                    counts["hits"] += 1
                    answers.append(Lookup("hit", entry.metrics))
                    self._entries.move_to_end(key)
                    if self._forget:
                        self._serve_and_forget(key, entry)
                elif key in self._reservations:
                    counts["busy"] += 1
                    answers.append(BUSY)
                else:
                    counts["misses"] += 1
                    self._tokens += 1
                    token = f"{self._token_prefix}-{self._tokens}"
                    self._reservations[key] = _Reservation(token, now + self._lease_s, owner)
                    answers.append(Lookup("reserved", None, token, 0 if entry is None else entry.taken))
        return answers

    def fill(self, measured: Sequence[tuple[str, str, Metrics]]) -> list[Metrics]:
        """Add measurements and return the running means; late ones, whose lease is over, count too.

        Raises:
            InputError: For a failure, a timeout or a metric that is not finite, which are never results.
        """
        for key, _, metrics in measured:
            if metrics.status not in ("ok", "infeasible"):
                raise InputError(f"a result with status {metrics.status!r} cannot be cached under {key!r}: end its reservation with fail()")
            if not all(map(math.isfinite, metrics.values.values())):  # a mean over it would never be a number again
                raise InputError(
                    f"metrics {shorten(dict(metrics.values))} cannot be cached under {key!r}: expected finite numbers; end its "
                    "reservation with fail()"
                )
        means = []
        with self._lock:
            for key, token, metrics in measured:
                entry = self._entries.get(key) or Entry()
                entry.add(metrics)
                means.append(entry.metrics)
                self._put(key, entry)
                reservation = self._reservations.get(key)
                if reservation is not None and reservation.token == token:
                    self._link(dict.fromkeys(reservation.aliases, key))  # before another asker can find them free
                self._end(key, token)
            self._evict()
        return means

    def fail(self, reservations: Mapping[str, str]) -> None:
        """End reservations without results; tokens whose lease is over have no effect."""
        with self._lock:
            for key, token in reservations.items():
                self._end(key, token)

    def peek(self, keys: Sequence[str]) -> list[Metrics | None]:
        """Return what would be served, which needs all of its measurements."""
        with self._lock:
            return [self._entries[key].metrics if self._servable(key) else None for key in keys]

    def claim(self, claims: Sequence[tuple[str, str, str]], *, audit: bool = False) -> list[Lookup]:
        """Reserve functional keys along with canonical ones: see `EquivalenceCache.claim`."""
        answers = []
        with self._lock:
            self._expire(self._clock())
            for alias, key, token in claims:
                known, reservation = self._aliases.get(alias), self._reservations.get(key)
                if not audit and known is not None and known != key and self._servable(known):
                    self._aliases.move_to_end(alias)
                    answers.append(Lookup("hit", self._entries[known].metrics))
                elif reservation is None or reservation.token != token or self._holders.get(alias, key) != key:
                    self._counts["alias_busy"] += 1
                    answers.append(BUSY)
                else:
                    if alias not in self._holders:
                        self._holders[alias] = key
                        reservation.aliases.append(alias)
                    answers.append(Lookup("reserved", None, token))
        return answers

    def link(self, aliases: Mapping[str, str]) -> None:
        """Link functional keys to canonical ones; a link whose result is gone is replaced, another one stays."""
        with self._lock:
            self._link(aliases)

    def resolve(self, aliases: Sequence[str]) -> list[str | None]:
        """Return the canonical key of each alias, or None where there is no link or its result is not served (any more)."""
        with self._lock:
            found: list[str | None] = []
            for alias in aliases:
                key = self._aliases.get(alias)
                if key is not None:
                    self._aliases.move_to_end(alias)
                found.append(key if key is not None and self._servable(key) else None)
            return found

    def wait(self, key: str, timeout_s: float) -> None:
        """Sleep until the key's reservation has ended or lapsed, or the time is over."""
        ended, until = threading.Event(), time.monotonic() + timeout_s
        remaining_s = self.when_free(key, ended.set)
        while remaining_s > 0 and (left_s := until - time.monotonic()) > 0 and not ended.wait(min(remaining_s, left_s)):
            remaining_s = self.lease_left_s(key)  # it may have been renewed

    def statistics(self) -> dict[str, float]:
        """Return counts since the start, and what is held now."""
        with self._lock:
            self._expire(self._clock())
            return {
                "entries": len(self._entries), "bytes": self._bytes, "aliases": len(self._aliases), "alias_bytes": self._alias_bytes,
                "reservations": len(self._reservations), "held_aliases": len(self._holders), **self._counts,
            }  # fmt: skip

    # ---- beyond the protocol -------------------------------------------------------------------------------------------

    def when_free(self, key: str, callback: Callable[[], object]) -> float:
        """Have ``callback`` called when the key's reservation ends; return the seconds its lease has left, 0 if there is none."""
        with self._lock:
            now = self._clock()
            self._expire(now)
            if (reservation := self._holder(key)) is None:
                return 0.0
            self._counts["waits"] += 1
            reservation.callbacks.append(callback)
            return reservation.deadline - now

    def lease_left_s(self, key: str) -> float:
        """Return the seconds that the lease of a key's reservation has left, 0 if there is none."""
        with self._lock:
            now = self._clock()
            self._expire(now)
            return 0.0 if (reservation := self._holder(key)) is None else reservation.deadline - now

    def renew(self, owner: str) -> int:
        """Let the leases of an owner that is known to live begin anew; return how many. Those that have lapsed stay so."""
        with self._lock:
            now = self._clock()
            self._expire(now)
            held = [key for key, reservation in self._reservations.items() if reservation.owner == owner]
            for key in held:
                self._reservations[key].deadline = now + self._lease_s
                self._reservations.move_to_end(key)
            return len(held)

    def release(self, owner: str, keys: Collection[str] | None = None) -> int:
        """End all reservations of an owner that died, or those of the ``keys``; return how many."""
        with self._lock:
            held = [key for key in self._reservations if keys is None or key in keys]
            held = [key for key in held if self._reservations[key].owner == owner]
            for key in held:
                self._end(key, self._reservations[key].token)
            return len(held)

    def spread(self, key: str) -> dict[str, float] | None:
        """Return the sample standard deviation of a key's measurements, by metric, or None if nothing is known."""
        with self._lock:
            entry = self._entries.get(key)
            return entry.spread() if entry is not None and entry.count else None

    def preload(self, results: Iterable[tuple[str, Metrics]]) -> int:
        """Take over results measured earlier (from a store), to be served at once; return how many new keys they gave.

        Failures and timeouts are skipped, and keys that are held already keep what they have. Of several results of one key the last
        one counts: a later running mean is over more measurements.
        """
        latest = {key: metrics for key, metrics in results if metrics.status in ("ok", "infeasible")}
        with self._lock:
            new = {key: metrics for key, metrics in latest.items() if key not in self._entries}
            for key, metrics in new.items():
                entry = Entry()
                entry.add(metrics)
                entry.count = entry.taken = self._measurements
                self._put(key, entry)
            self._evict()
            return len(new)

    def snapshot(self) -> dict[str, Any]:
        """Return all results and aliases as JSON data, least recently used first."""
        with self._lock:
            entries = [entry.to_json(key) for key, entry in self._entries.items()]
            return {"entries": entries, "aliases": dict(self._aliases)}

    def load(self, snapshot: Mapping[str, Any]) -> None:
        """Take over a `snapshot`; keys and aliases that are held already keep what they have.

        Raises:
            InputError: If the data is not a snapshot; nothing is taken over then.
        """
        if (
            not isinstance(snapshot, Mapping)
            or not isinstance(snapshot.get("entries"), list)
            or not isinstance(snapshot.get("aliases"), dict)
        ):
            raise InputError("not a snapshot of an equivalence cache: expected what LocalCache.snapshot writes")
        loaded = dict(map(Entry.from_json, snapshot["entries"]))
        with self._lock:
            for key, entry in loaded.items():
                if key not in self._entries:
                    self._put(key, entry)
            self._evict()
        self.link(snapshot["aliases"])

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process gets a copy with all results and no reservation: whoever measures does not do so for the copy."""
        return _unpickled, (self._options, self.snapshot())

    # ---- inside: the lock is held --------------------------------------------------------------------------------------

    def _link(self, aliases: Mapping[str, str]) -> None:
        for alias, key in aliases.items():
            old = self._aliases.get(alias)
            if old is not None and old not in self._entries:
                self._drop_alias(alias)
            if alias not in self._aliases:
                self._aliases[alias] = key
                self._alias_bytes += _alias_size(alias, key)
        while self._alias_bytes > self._max_alias_bytes:
            self._drop_alias(next(iter(self._aliases)))
            self._counts["alias_evictions"] += 1

    def _holder(self, key: str) -> _Reservation | None:
        """Return the reservation that a canonical or functional key waits for."""
        return self._reservations.get(self._holders.get(key, key))

    def _servable(self, key: str) -> bool:
        entry = self._entries.get(key)
        return entry is not None and entry.count >= self._measurements

    def _serve_and_forget(self, key: str, entry: Entry) -> None:
        entry.served += 1
        draw = blake3(f"{self._seed}:{entry.taken}:{entry.served}:{key}".encode()).digest(length=8)
        if int.from_bytes(draw, "big") < self._forget * 2**64:
            entry.forget()
            self._put(key, entry)
            self._counts["forgotten"] += 1

    def _put(self, key: str, entry: Entry) -> None:
        self._bytes -= entry.size
        entry.size = entry.measure_size(key)
        self._bytes += entry.size
        self._entries[key] = entry
        self._entries.move_to_end(key)

    def _evict(self) -> None:
        while self._bytes > self._max_bytes:
            _, entry = self._entries.popitem(last=False)
            self._bytes -= entry.size
            self._counts["evictions"] += 1

    def _drop_alias(self, alias: str) -> None:
        self._alias_bytes -= _alias_size(alias, self._aliases.pop(alias))

    def _expire(self, now: float) -> None:
        while self._reservations:
            key, reservation = next(iter(self._reservations.items()))
            if reservation.deadline > now:
                return
            self._end(key, reservation.token)
            self._counts["expired"] += 1

    def _end(self, key: str, token: str) -> None:
        reservation = self._reservations.get(key)
        if reservation is not None and reservation.token == token:
            del self._reservations[key]
            for alias in reservation.aliases:
                del self._holders[alias]
            for callback in reservation.callbacks:
                callback()


DEFAULTS = {name: parameter.default for name, parameter in inspect.signature(LocalCache).parameters.items()}


def _is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_real(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and not math.isnan(value)


def _unpickled(options: dict[str, Any], snapshot: dict[str, Any]) -> LocalCache:
    cache = LocalCache(**options)
    cache.load(snapshot)
    return cache


def _alias_size(alias: str, key: str) -> int:
    return ALIAS_BYTES + sys.getsizeof(alias) + sys.getsizeof(key)
