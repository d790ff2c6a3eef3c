"""How often equal designs get different keys, and what keys cost."""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import islice

import numpy as np
import pandas as pd

from designgym.core.design import Design
from designgym.core.fingerprint import fingerprint
from hashing_tables.accounting import rate
from hashing_tables.laboratory import Laboratory
from hashing_tables.respelling import PAIRS

SPLIT_BITS = (10, 16, 24, 32, 40, 46, 52)
PAIRS_EACH = 1000  # pairs for each seed
SAMPLE = 60


def false_splits(laboratory: Laboratory, seeds: int) -> pd.DataFrame:
    """Return how often two equal designs, computed in different ways, get different fingerprints, by mantissa bits."""
    pairs_of, count = PAIRS.get(laboratory.domain.id), PAIRS_EACH * seeds
    if pairs_of is None:
        return pd.DataFrame([{"pairs": f"none: the probe of {laboratory.domain.id} takes the canonical form first"}])
    pairs = list(islice(pairs_of(laboratory.space, np.random.default_rng(0)), count))
    rows = []
    for bits in SPLIT_BITS:
        keys = neither = 0
        for pair in pairs:
            a, b = (fingerprint(answer, mantissa_bits=bits, atol=laboratory.domain.atol) for answer in pair)
            keys += a != b
            neither += not a.matches(b)
        rows.append({
            "mantissa bits": bits, "pairs": count, "keys differ (%)": rate(keys, count), "neither grid agrees (%)": rate(neither, count),
        })  # fmt: skip
    return pd.DataFrame(rows)


def cost(laboratory: Laboratory, seeds: int) -> pd.DataFrame:
    """Return CPU microseconds per design of each key and of an evaluation, for random designs and for those late in an evolution."""
    late = laboratory.trajectory(0, laboratory.domain.proposals)
    drawn = laboratory.space.sample(np.random.default_rng(1), SAMPLE)
    evolved = [laboratory.met[key] for key in dict.fromkeys(late.canonical[-5 * SAMPLE :])][-SAMPLE:]
    return pd.DataFrame([_cost_row(laboratory, name, designs) for name, designs in (("random", drawn), ("evolved", evolved))])


def _cost_row(laboratory: Laboratory, name: str, designs: list[Design]) -> dict[str, object]:
    spent: dict[str, list[float]] = defaultdict(list)
    for design in (Design(dict(design)) for design in designs):  # copies: nobody has asked for their keys
        moments = [time.thread_time()]
        assert design.literal
        moments.append(time.thread_time())
        laboratory.maker.keys(design)
        moments.append(time.thread_time())
        laboratory.maker.functional([design])
        moments.append(time.thread_time())
        laboratory.simulator.evaluate([design], laboratory.workload, fidelity=laboratory.domain.fidelity)
        moments.append(time.thread_time())
        for step, seconds in zip(("literal", "canonical", "probe", "evaluation"), np.diff(moments), strict=True):
            spent[step].append(1e6 * float(seconds))
    mean = {step: float(np.mean(values)) for step, values in spent.items()}
    return {"designs": name, "n": len(designs)} | {f"{step} (us)": f"{value:.0f}" for step, value in mean.items()} | {
        "hits that pay for canonical keys (%)": f"{100 * (mean['literal'] + mean['canonical']) / mean['evaluation']:.1f}",
        "hits that pay for a probe (%)": f"{100 * mean['probe'] / mean['evaluation']:.1f}",
    }  # fmt: skip
