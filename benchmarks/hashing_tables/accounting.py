"""What a trajectory costs under each key, and means with their bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.hashing import AuditedFingerprints
from designgym.hashing.fingerprints import upper_bound
from hashing_tables.laboratory import Behaviour, Trajectory

CACHES = ("none", "literal", "canonical", "functional", "functional, audited")
RESAMPLES = 2000


@dataclass(frozen=True)
class Account:
    """A trajectory under one kind of cache.

    Attributes:
        paid: Whether each proposal was evaluated.
        cpu_s: CPU seconds of each proposal: evaluation, keys and probe.
    """

    paid: NDArray[np.bool_]
    cpu_s: NDArray[np.float64]


def account(trajectory: Trajectory, cache: str) -> Account:
    """Return what each proposal costs with one of `CACHES`; `designgym.core.evaluator` does the same, as a test shows.

    Without a cache there are no keys. With functional keys, a design is probed unless one of the same canonical key was.
    "audited" measures the share of the functional hits that `AuditedFingerprints` measures by default, to check them.
    """
    measure_s = np.array([behaviour.measure_s for behaviour in trajectory.behaviours])
    probe_s = np.array([behaviour.probe_s for behaviour in trajectory.behaviours])
    n = len(measure_s)
    if cache == "none":
        return Account(np.ones(n, np.bool_), measure_s)
    if cache == "literal":
        paid, probed = _first(trajectory.literal), np.zeros(n, np.bool_)
        return Account(paid, np.array(trajectory.literal_s) + paid * measure_s)
    if cache == "canonical":
        paid, probed = _first(trajectory.canonical), np.zeros(n, np.bool_)
    else:
        paid, probed = _with_probes(trajectory, audited="audited" in cache)
    return Account(paid, np.array(trajectory.canonical_s) + probed * probe_s + paid * measure_s)


def _first(keys: Sequence[str]) -> NDArray[np.bool_]:
    seen: set[str] = set()
    return np.array([not (key in seen or seen.add(key)) for key in keys])  # type: ignore[func-returns-value]


def _with_probes(trajectory: Trajectory, *, audited: bool) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    policy = AuditedFingerprints("on") if audited else None
    measured: set[str] = set()
    probed_before: set[str] = set()
    first: dict[str, Behaviour] = {}
    paid, probed = np.zeros(len(trajectory.canonical), np.bool_), np.zeros(len(trajectory.canonical), np.bool_)
    for i, (canonical, behaviour) in enumerate(zip(trajectory.canonical, trajectory.behaviours, strict=True)):
        if canonical in measured:
            continue
        looking = policy is None or not policy.reason
        probed[i] = looking and canonical not in probed_before
        probed_before.add(canonical)
        known = first.get(behaviour.functional) if looking else None
        verdict = "ignore" if known is None else "serve" if policy is None else policy.verdict(behaviour.functional, canonical)
        if verdict == "serve":
            continue
        if verdict == "audit" and policy is not None:
            policy.audited(behaviour.functional, known is not None and known.agrees(behaviour))
        paid[i] = True
        measured.add(canonical)
        first.setdefault(behaviour.functional, behaviour)
    return paid, probed


def steps_to(scores: Sequence[float], target: float) -> tuple[int, bool]:
    """Return how many proposals it took to reach the target, and whether it was; all of them if not."""
    reached = np.flatnonzero(np.asarray(scores) >= target)
    return (int(reached[0]) + 1, True) if reached.size else (len(scores), False)


@dataclass(frozen=True)
class Band:
    """A figure with its 95 % bootstrap band over seeds."""

    mean: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        return f"{self.mean:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


def mean_band(values: Sequence[float]) -> Band:
    """Return the mean over seeds."""
    return ratio_band(values, [1.0] * len(values))


def ratio_band(above: Sequence[float], below: Sequence[float]) -> Band:
    """Return the ratio of two means over the same seeds; seeds are drawn in pairs."""
    a, b = np.asarray(above, np.float64), np.asarray(below, np.float64)
    drawn = np.random.default_rng(0).integers(len(a), size=(RESAMPLES, len(a)))
    ratios = a[drawn].mean(axis=1) / b[drawn].mean(axis=1)
    return Band(float(a.mean() / b.mean()), *(float(x) for x in np.quantile(ratios, [0.025, 0.975])))


def rate(events: int, trials: int) -> str:
    """Return a rate in percent, with its 95 % upper bound (Clopper-Pearson); nothing if nothing was tried."""
    return f"{100 * events / trials:.3g} (at most {100 * upper_bound(events, trials):.2g})" if trials else ""
