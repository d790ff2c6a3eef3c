"""The seams: what a simulator, a searcher and a cache must offer. Nothing here needs to be inherited from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from designgym.core.design import Design
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.space import DesignSpace
from designgym.core.trial import Trial
from designgym.core.workload import Workload


@dataclass(frozen=True)
class Resources:
    """What one evaluation occupies.

    Attributes:
        cpus: CPU cores.
        gpus: GPUs.
        memory_bytes: Peak memory, 0 if unknown.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory_bytes: int = 0


@runtime_checkable
class Simulator(Protocol):
    """What designs are evaluated by. Pure in (design, workload, fidelity, seed), batch first, safe to kill at any moment.

    Attributes:
        name: Identifier, for instance ``dram-controller``.
        version: Raise it with any change that could alter results.
        space: The designs it accepts.
        metrics: The metrics it returns, all of them for every ``ok`` result.
        deterministic: Whether the seed has no effect.
        resources: What one evaluation occupies.
    """

    @property
    def name(self) -> str:
        """Identifier."""
        ...

    @property
    def version(self) -> str:
        """Part of every key."""
        ...

    @property
    def space(self) -> DesignSpace:
        """The designs it accepts."""
        ...

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The metrics of every ``ok`` result."""
        ...

    @property
    def deterministic(self) -> bool:
        """Whether the seed has no effect."""
        ...

    @property
    def resources(self) -> Resources:
        """What one evaluation occupies."""
        ...

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Return one result per design, in order; a failure is a status, not an exception."""
        ...

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes] | None:
        """Return what each design observably does on a small part of the workload, or None if there is no cheap probe."""
        ...


@runtime_checkable
class Exhaustible(Protocol):
    """A simulator that may come to a point where it can measure nothing more: what it may spend is spent."""

    def exhausted(self) -> str:
        """Return why nothing more can be measured, in a line; empty while something can. A search ends for this reason."""
        ...


@runtime_checkable
class Searcher(Protocol):
    """What proposes designs: ``Cls(space, objective, *, seed, **options)``. It never calls a simulator, knows neither Ray nor Gymnasium."""

    def ask(self, n: int) -> list[Design]:
        """Return up to ``n`` legal designs; fewer, or none, when the searcher has nothing more to propose."""
        ...

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from trials: in any order, late, duplicates included, or of designs that were never asked."""
        ...

    def state(self) -> dict[str, Any]:
        """Return everything that later behaviour depends on, as JSON data."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state of `state`; what follows is exactly what would have followed then."""
        ...


@dataclass(frozen=True)
class Lookup:
    """The cache's answer for one key.

    Attributes:
        kind: ``hit`` (``metrics`` may be served), ``reserved`` (the asker must `EquivalenceCache.fill` or `EquivalenceCache.fail` it with
            ``token``), or ``busy`` (another asker is measuring it: wait, then look again).
        metrics: For a hit, the result (the running mean over several measurements).
        token: For a reservation, what proves ownership.
        measurements: How many measurements were made of the key already; the next one of a noisy evaluator takes another seed.
    """

    kind: Literal["hit", "reserved", "busy"]
    metrics: Metrics | None = None
    token: str = ""
    measurements: int = 0


class EquivalenceCache(Protocol):
    """Results by key, with single flight. Batched, so that one call to a shared cache serves many designs.

    Keys are opaque strings; functional keys are aliases of the canonical key that was measured.
    """

    def lookup(self, keys: Sequence[str]) -> list[Lookup]:
        """Return a `Lookup` for each (different) key; what may not be served is reserved for the caller, under a lease."""
        ...

    def fill(self, measured: Sequence[tuple[str, str, Metrics]]) -> list[Metrics]:
        """Add measurements ``(key, token, metrics)``, end their reservations, and return the running means.

        A token whose lease is over adds its measurement too. Failures and timeouts are refused: see `fail`.
        """
        ...

    def fail(self, reservations: Mapping[str, str]) -> None:
        """End reservations (key to token) without results: the next asker measures."""
        ...

    def peek(self, keys: Sequence[str]) -> list[Metrics | None]:
        """Return, for each key, what would be served for it, reserving nothing."""
        ...

    def claim(self, claims: Sequence[tuple[str, str, str]], *, audit: bool = False) -> list[Lookup]:
        """Reserve functional keys, so that equivalent candidates are never measured at once.

        Args:
            claims: Functional key, canonical key, and the token of the canonical key's reservation. The functional key is held for as long
                as that reservation lasts, leads to the canonical key once that is filled, and is free again if it fails.
            audit: Whether to hold functional keys although their results are known, to measure all the same.

        Returns:
            A `Lookup` for each: ``hit`` (another canonical key's result stands for it; nothing is held), ``reserved`` (held: go on and
            measure), or ``busy`` (an equivalent is being measured, or the reservation is over: give the reservation back, wait for the
            functional key, look again).
        """
        ...

    def link(self, aliases: Mapping[str, str]) -> None:
        """Let functional keys lead to measured canonical keys; the first link of an alias stays for as long as its result does."""
        ...

    def resolve(self, aliases: Sequence[str]) -> list[str | None]:
        """Return, for each functional key, the canonical key whose result stands for it, or None."""
        ...

    def wait(self, key: str, timeout_s: float) -> None:
        """Return when the reservation of a canonical or functional key has ended or the time is over."""
        ...

    def preload(self, results: Iterable[tuple[str, Metrics]]) -> int:
        """Take over results measured earlier, to be served at once; return how many new keys they gave."""
        ...

    def statistics(self) -> dict[str, float]:
        """Return counts: entries, bytes, hits, misses, evictions ..."""
        ...


class FingerprintPolicy(Protocol):
    """Decides when to probe and whether to believe a functional hit; keeps the evidence."""

    def wants_probes(self, count: int) -> int:
        """Return how many of ``count`` new designs to probe: 0 where probing does not pay or fingerprints are not trusted."""
        ...

    def probed(self, count: int, seconds: float) -> None:
        """Note the time that functional keys of ``count`` designs took; those of designs that were probed before take none."""
        ...

    def measured(self, count: int, seconds: float) -> None:
        """Note the time of measuring ``count`` designs."""
        ...

    def verdict(self, functional_key: str, canonical_key: str, *, patient: bool = True) -> Literal["serve", "audit", "wait", "ignore"]:
        """Return what to do with a functional hit.

        ``serve`` it; ``audit``: measure it to check, and tell `audited`; ``wait``: ask again when audits that are under way are through
        (``patient`` askers only); ``ignore``: measure it, since this fingerprint is known bad.
        """
        ...

    def audited(self, functional_key: str, agreed: bool | None) -> bool:
        """Note whether an audit agreed with what would have been served, None if it came to no measurement; return whether it counts."""
        ...

    def stop(self, reason: str) -> None:
        """Probe no more, for a reason that lies outside the policy's evidence (the simulator has no probe)."""
        ...

    def statistics(self) -> dict[str, float]:
        """Return counts, rates with their 95 % upper bound, and seconds."""
        ...
