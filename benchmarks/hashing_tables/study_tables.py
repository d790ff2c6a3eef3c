"""The studies of Gillard et al. (2023): collisions, number of canonical examples, and evaluation noise.

Here the cache decides what the searcher is told, so every setting is a search of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from designgym.core.design import Design
from designgym.core.metrics import Metrics
from designgym.hashing import LocalCache
from hashing_tables.accounting import mean_band, rate
from hashing_tables.laboratory import Laboratory

BITS = (2, 4, 8, 12, 16, 24, 32, 52)
MEMORIES = (
    ("none", 1, 0.0),
    ("literal", 1, 0.0),
    ("functional", 1, 0.0),
    ("functional", 1, 0.1),
    ("functional", 3, 0.0),
    ("functional", 3, 0.1),
    ("functional", 10, 0.1),
)


@dataclass
class _Hits:
    """What became of the proposals of a search whose functional key may be wrong."""

    proposals: int = 0
    hits: int = 0
    wrong: int = 0
    merges: int = 0
    false: int = 0
    best: float = -np.inf


def _search_with(laboratory: Laboratory, key_of: Callable[[Design], bytes], known: dict[str, bytes], seed: int, proposals: int) -> _Hits:
    """Return what a search finds whose cache serves the first score of each key. All designs are measured besides, to judge it."""
    result, first = _Hits(), {}
    merged: set[str] = set()
    for design, tell in laboratory.propose(seed):
        canonical = laboratory.maker.keys(design).canonical
        behaviour = laboratory.behaviour(canonical, design)
        key = known.get(canonical)
        if key is None:
            key = known[canonical] = key_of(design)
        result.proposals += 1
        hit = key in first
        elder, served = first.setdefault(key, (canonical, behaviour))
        agreed = served is behaviour or served.agrees(behaviour)
        result.hits += hit
        result.wrong += hit and not agreed
        if elder != canonical and canonical not in merged:
            merged.add(canonical)
            result.merges += 1
            result.false += not agreed
        result.best = max(result.best, served.score)
        tell(served.score)
        if result.proposals == proposals:
            laboratory.save()
            return result
    raise AssertionError("a search goes on for ever")


def _study(laboratory: Laboratory, seeds: int, name: str, settings: dict[object, Callable[[Design], bytes]]) -> pd.DataFrame:
    rows, proposals = [], laboratory.domain.proposals
    for setting, key_of in settings.items():
        known: dict[str, bytes] = {}
        runs = [_search_with(laboratory, key_of, known, seed, proposals) for seed in range(seeds)]
        hits, wrong, merges, false = (sum(getattr(run, what) for run in runs) for what in ("hits", "wrong", "merges", "false"))
        rows.append({
            name: setting, "proposals": proposals, "hit rate (%)": f"{mean_band([100 * run.hits / run.proposals for run in runs]):.1f}",
            "evaluations": f"{mean_band([float(run.proposals - run.hits) for run in runs]):.0f}", "merged classes": merges, "false": false,
            "false merges (%)": rate(false, merges), "wrong hits (%)": rate(wrong, hits),
            "best score": f"{mean_band([run.best for run in runs]):.3f}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def collisions(laboratory: Laboratory, seeds: int) -> pd.DataFrame:
    """Return hit rate, false merges and the best score of searches, by the mantissa bits of the functional key."""

    def key_with(bits: int) -> Callable[[Design], bytes]:
        return lambda design: laboratory.domain.fingerprint(design, mantissa_bits=bits).key

    return _study(laboratory, seeds, "mantissa bits", {bits: key_with(bits) for bits in BITS})


def examples(laboratory: Laboratory, seeds: int) -> pd.DataFrame:
    """Return the same by the number of canonical examples; then by the draws of weights, where there are any."""

    def key_with(**setting: int) -> Callable[[Design], bytes]:
        return lambda design: laboratory.domain.fingerprint(design, **setting).key

    settings: dict[object, Callable[[Design], bytes]] = {str(n): key_with(examples=n) for n in laboratory.domain.counts}
    settings |= {f"1, {n} draws": key_with(examples=1, draws=n) for n in laboratory.domain.draws}
    return _study(laboratory, seeds, "examples", settings)


@dataclass
class _NoisyRun:
    proposals: int
    measured: int
    returned: float
    regret: float


def _noisy_search(laboratory: Laboratory, key: str, measurements: int, forget: float, sigma: float, seed: int, budget: int) -> _NoisyRun:
    """Return what a search finds that pays for so many noisy evaluations.

    What it returns in the end is the design with the best score, as told last for its key; the regret is what the best design that it
    proposed is better by, both without noise.
    """
    cache = LocalCache(measurements=measurements, forget=forget, seed=seed)
    rng = np.random.default_rng([seed, 1])
    told: dict[str, tuple[float, float]] = {}
    measured = 0
    for proposals, (design, tell) in enumerate(laboratory.propose(seed), 1):
        keys = laboratory.maker.keys(design)
        behaviour = laboratory.behaviour(keys.canonical, design)
        known = {"none": str(proposals), "literal": keys.literal, "functional": behaviour.functional}[key]
        answer = cache.lookup([known])[0]
        if answer.metrics is None:
            noisy = Metrics({"score": behaviour.score + sigma * float(rng.standard_normal())})
            score = cache.fill([(known, answer.token, noisy)])[0]["score"]
            measured += 1
        else:
            score = answer.metrics["score"]
        told[known] = (score, behaviour.score)
        tell(score)
        if measured == budget or proposals == PROPOSALS_PER_PAID * budget:
            returned = max(told.values())[1]
            laboratory.save()
            return _NoisyRun(proposals, measured, returned, max(true for _, true in told.values()) - returned)
    raise AssertionError("a search goes on for ever")


PROPOSALS_PER_PAID = 10  # a search ends after so many proposals per evaluation of its budget, for almost all of them can be hits


def noise(laboratory: Laboratory, seeds: int) -> pd.DataFrame:
    """Return what searches with a noisy evaluation find, at equal evaluations paid, by the cache's measurements M and forgetting F."""
    rows, budget = [], laboratory.domain.paid
    for sigma in laboratory.domain.noises:
        for key, measurements, forget in MEMORIES:
            runs = [_noisy_search(laboratory, key, measurements, forget, sigma, seed, budget) for seed in range(seeds)]
            rows.append({
                "noise": sigma, "cache": key, "M": measurements, "F": forget, "paid": f"{mean_band([float(r.measured) for r in runs]):.0f}",
                "proposals": f"{mean_band([float(run.proposals) for run in runs]):.0f}",
                "true score of what is returned": f"{mean_band([run.returned for run in runs]):.3f}",
                "regret": f"{mean_band([run.regret for run in runs]):.4f}",
            })  # fmt: skip
    return pd.DataFrame(rows)
