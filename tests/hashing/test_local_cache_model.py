"""`LocalCache` against a model that is too simple to be wrong: dictionaries, no locks, no bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from designgym.core.metrics import Metrics
from designgym.hashing.local_cache import LocalCache

KEYS = st.sampled_from("abcdef")
ALIASES = st.sampled_from("stuv")
OWNERS = st.sampled_from(["", "x", "y"])
LEASE_S = 10.0


@dataclass
class ModelEntry:
    values: list[float] = field(default_factory=list)


class CacheModel(RuleBasedStateMachine):
    @initialize(measurements=st.integers(1, 3), room=st.integers(1, 6), forget=st.sampled_from([0.0, 0.4]))
    def start(self, measurements: int, room: int, forget: float) -> None:
        self.now = 0.0
        self.measurements, self.room, self.forget = measurements, room, forget
        probe = LocalCache()
        probe.preload([("a", Metrics({"x": 0.0}))])
        entry_bytes = probe.statistics()["bytes"]
        # entries with several measurements are a little larger, so the model leaves eviction's exact moment to the cache
        self.cache = LocalCache(
            measurements=measurements, forget=forget, max_bytes=int(entry_bytes * (room + 0.5)), lease_s=LEASE_S, clock=lambda: self.now
        )  # fmt: skip
        self.entries: dict[str, list[float]] = {}  # least recently used first; empty where the result was forgotten
        self.taken: dict[str, int] = {}  # measurements ever made, of the keys that are held
        self.reservations: dict[str, tuple[str, float, str]] = {}  # token, end of the lease, owner
        self.tokens: list[tuple[str, str]] = []  # every token ever handed out
        self.aliases: dict[str, str] = {}
        self.held: dict[str, str] = {}  # functional keys: the token of the reservation that they are held with

    def _touch(self, key: str) -> None:
        self.entries[key] = self.entries.pop(key)

    def _live(self, key: str) -> bool:
        return key in self.reservations and self.reservations[key][1] > self.now

    def _follow_evictions(self) -> None:
        """The cache may only have dropped a prefix of the least recently used keys."""
        held = {entry["key"] for entry in self.cache.snapshot()["entries"]}
        assert held <= self.entries.keys()
        order = list(self.entries)
        dropped = [key for key in order if key not in held]
        assert dropped == order[: len(dropped)]
        for key in dropped:
            del self.entries[key], self.taken[key]

    def _follow_forgetting(self, key: str) -> None:
        """Only a result that was just served may be forgotten; whether it is, is the cache's to say."""
        if self.cache.peek([key]) == [None]:
            assert self.forget > 0
            self.entries[key] = []

    @rule(keys=st.lists(KEYS, unique=True, min_size=1, max_size=4), owner=OWNERS)
    def lookup(self, keys: list[str], owner: str) -> None:
        for key, answer in zip(keys, self.cache.lookup(keys, owner=owner), strict=True):
            values = self.entries.get(key, [])
            if len(values) >= self.measurements:
                assert answer.kind == "hit"
                assert answer.metrics is not None
                assert abs(answer.metrics["x"] - sum(values) / len(values)) < 1e-9
                self._touch(key)
                self._follow_forgetting(key)
            elif self._live(key):
                assert answer.kind == "busy"
            else:
                assert (answer.kind, answer.measurements) == ("reserved", self.taken.get(key, 0))
                assert (key, answer.token) not in self.tokens
                self.reservations[key] = (answer.token, self.now + LEASE_S, owner)
                self.tokens.append((key, answer.token))

    def _token(self, data: Any) -> tuple[str, str] | None:
        return data.draw(st.sampled_from(self.tokens)) if self.tokens else None

    def _end(self, key: str, token: str) -> None:
        if self._live(key) and self.reservations[key][0] == token:
            del self.reservations[key]

    @rule(data=st.data(), value=st.integers(-100, 100))
    def fill_with_any_token(self, data: Any, value: int) -> None:
        if (drawn := self._token(data)) is None:
            return
        key, token = drawn
        own = [alias for alias, holder in self.held.items() if self._live(key) and holder == token == self.reservations[key][0]]
        (mean,) = self.cache.fill([(key, token, Metrics({"x": float(value)}))])
        for alias in own:
            if self.aliases.get(alias) not in {*self.entries, key}:
                self.aliases[alias] = key
        self.entries.setdefault(key, []).append(float(value))
        self.taken[key] = self.taken.get(key, 0) + 1
        values = self.entries[key]
        assert abs(mean["x"] - sum(values) / len(values)) < 1e-9
        self._touch(key)
        self._end(key, token)
        self._follow_evictions()

    @rule(data=st.data())
    def fail_with_any_token(self, data: Any) -> None:
        if (drawn := self._token(data)) is not None:
            self.cache.fail(dict([drawn]))
            self._end(*drawn)

    def _holder(self, alias: str) -> str | None:
        """Return the canonical key with which a functional one is held."""
        return next((key for key, (token, _, _) in self.reservations.items() if self._live(key) and token == self.held.get(alias)), None)

    @rule(data=st.data(), alias=ALIASES, audit=st.booleans())
    def claim_with_any_token(self, data: Any, alias: str, audit: bool) -> None:
        if (drawn := self._token(data)) is None:
            return
        key, token = drawn
        known, holder = self.aliases.get(alias), self._holder(alias)
        (answer,) = self.cache.claim([(alias, key, token)], audit=audit)
        if not audit and known not in (None, key) and len(self.entries.get(known or "", [])) >= self.measurements:
            assert answer.kind == "hit" and answer.metrics is not None
            values = self.entries[known or ""]
            assert abs(answer.metrics["x"] - sum(values) / len(values)) < 1e-9
        elif not self._live(key) or self.reservations[key][0] != token or holder not in (None, key):
            assert answer.kind == "busy"
        else:
            assert (answer.kind, answer.token) == ("reserved", token)
            self.held[alias] = token

    def _held_by(self, owner: str) -> list[str]:
        return [key for key, (_, _, whose) in self.reservations.items() if whose == owner and self._live(key)]

    @rule(owner=OWNERS)
    def renew(self, owner: str) -> None:
        held = self._held_by(owner)
        assert self.cache.renew(owner) == len(held)
        for key in held:
            self.reservations[key] = (self.reservations[key][0], self.now + LEASE_S, owner)

    @rule(owner=OWNERS)
    def release(self, owner: str) -> None:
        held = self._held_by(owner)
        assert self.cache.release(owner) == len(held)
        for key in held:
            del self.reservations[key]

    @rule(seconds=st.sampled_from([1.0, 4.0, LEASE_S]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(alias=ALIASES, key=KEYS)
    def link(self, alias: str, key: str) -> None:
        self.cache.link({alias: key})
        if self.aliases.get(alias) not in self.entries:
            self.aliases[alias] = key

    @rule(aliases=st.lists(ALIASES, max_size=4))
    def resolve(self, aliases: list[str]) -> None:
        expected = [self.aliases.get(alias) for alias in aliases]
        servable = [key if key is not None and len(self.entries.get(key, [])) >= self.measurements else None for key in expected]
        assert self.cache.resolve(aliases) == servable

    @rule(keys=st.lists(KEYS, max_size=4))
    def peek(self, keys: list[str]) -> None:
        assert [m is not None for m in self.cache.peek(keys)] == [len(self.entries.get(key, [])) >= self.measurements for key in keys]

    @rule(key=KEYS | ALIASES)
    def wait_ends_at_once_where_nothing_is_reserved(self, key: str) -> None:
        if not self._live(self._holder(key) or key):
            self.cache.wait(key, 1000)

    @rule()
    def snapshot_and_load_give_the_same_cache(self) -> None:
        copy = LocalCache(measurements=self.measurements)
        copy.load(self.cache.snapshot())
        assert copy.snapshot() == self.cache.snapshot()

    @invariant()
    def counts_are_right(self) -> None:
        if hasattr(self, "cache"):
            figures = self.cache.statistics()
            assert figures["entries"] == len(self.entries)
            assert figures["reservations"] == sum(map(self._live, self.reservations))
            holders = {alias: holder for alias in "stuv" if (holder := self._holder(alias)) is not None}
            assert figures["held_aliases"] == len(holders)
            for alias in "stuv":
                assert self.cache.lease_left_s(alias) == self.cache.lease_left_s(holders.get(alias, alias))
            for key, (_, end, _) in self.reservations.items():
                assert self.cache.lease_left_s(key) == max(end - self.now, 0.0)
            assert figures["aliases"] == len(self.aliases)
            assert 0 <= figures["bytes"] <= self.cache._max_bytes
            assert (figures["bytes"] == 0) == (not self.entries)


CacheModel.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_cache_model = CacheModel.TestCase
