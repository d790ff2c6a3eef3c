"""How much each equivalence key recognises, how often it is wrong, and what it saves: measured on random designs."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.keys import KeyMaker
from designgym.core.measuring import Measurer
from designgym.core.metrics import Metrics
from designgym.core.protocols import Simulator
from designgym.core.trial import Keys
from designgym.core.workload import Workload
from designgym.hashing.fingerprints import upper_bound

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 12  # metrics are compared to so many significant digits: rounding in another order of additions is no other outcome


@dataclass(frozen=True)
class KeyReport:
    """What one key does on a sample of designs.

    Attributes:
        key: ``literal``, ``canonical`` or ``functional``.
        classes: Different keys.
        recognised: Share of the designs whose key an earlier design of the sample has.
        merges: Number of designs recognised.
        false_merges: Number of designs recognised whose metrics differ from those of the first design with that key.
        false_merge_upper_95: 95 % upper bound of the rate of false merges among merges (Clopper-Pearson); 1 without any merge.
        missed: Share of the designs with an outcome seen before that the key did not recognise.
        key_s: Seconds for making the keys of the whole sample, probing included.
        saved_s: Measuring seconds that serving the recognised designs saves, less the seconds for the keys. Literal keys are made first,
            canonical keys of what is new, and probes only of designs with a new canonical key.
    """

    key: str
    classes: int
    recognised: float
    merges: int
    false_merges: int
    false_merge_upper_95: float
    missed: float
    key_s: float
    saved_s: float


@dataclass(frozen=True)
class EquivalenceReport:
    """The figures for one simulator and workload.

    Attributes:
        workload: Name of the workload.
        designs: Size of the sample.
        outcomes: Different outcomes (all metrics, to 12 significant digits).
        failed: Designs whose evaluation failed; they are left out of everything else.
        measure_s: Seconds for measuring the whole sample.
        probe_s: Seconds for probing the whole sample; 0 without a probe.
        keys: One `KeyReport` per key; no functional one if the simulator has no probe.
    """

    workload: str
    designs: int
    outcomes: int
    failed: int
    measure_s: float
    probe_s: float
    keys: tuple[KeyReport, ...]

    def to_pandas(self) -> pd.DataFrame:
        """Return one row per key; units are in ``frame.attrs["units"]``."""
        import pandas as pd

        common = {"workload": self.workload, "designs": self.designs, "outcomes": self.outcomes}
        rows = [common | vars(key) | {"measure_s": self.measure_s, "probe_s": self.probe_s} for key in self.keys]
        frame = pd.DataFrame(rows)
        frame.attrs["units"] = {name: "s" if name.endswith("_s") else "1" for name in frame.columns if name not in ("workload", "key")}
        return frame


def equivalence_report(
    simulator: Simulator, workload: Workload, *, n: int = 1000, seed: int = 0, fidelity: float = 1.0
) -> EquivalenceReport:
    """Measure and probe ``n`` random legal designs, all of them, and report what each key would have recognised.

    The simulator and the probe are called once on a single design first, so that compilation is not timed.

    Args:
        simulator: What is evaluated; a noisy one is measured with one seed.
        workload: What it is evaluated on.
        n: Designs to draw, uniformly over the legal ones.
        seed: Seed of the draw.
        fidelity: Fraction of full fidelity.

    Raises:
        InputError: If ``n`` is not positive or every evaluation failed.
    """
    if n < 1:
        raise InputError(f"n must be positive, got {n}")
    designs = simulator.space.sample(np.random.default_rng(seed), n)
    maker, measure = KeyMaker(simulator, workload, fidelity=fidelity), Measurer(simulator, workload, fidelity, seed=0)
    maker.functional(designs[:1])
    measure(designs[:1])
    keys, key_s = _timed_keys(maker, designs)
    results, measure_s = measure(designs)
    started = time.perf_counter()
    functional = maker.functional(designs)
    probe_s = time.perf_counter() - started if functional is not None else 0.0
    good = [i for i, result in enumerate(results) if result.status in ("ok", "infeasible")]
    if not good:
        raise InputError(f"all {n} evaluations failed, the first with: {results[0].error}")
    outcomes = [_outcome(results[i]) for i in good]
    mean_s, literals, canonicals = measure_s / n, [keys[i].literal for i in good], [keys[i].canonical for i in good]
    reports = [
        _key_report("literal", literals, outcomes, key_s, mean_s, 0.0),
        _key_report("canonical", canonicals, outcomes, key_s, mean_s, 0.0),
    ]
    if functional is not None:
        # a design is recognised by the pair: its canonical key first, its functional key where that one is new
        merged = _join(canonicals, [functional[i] for i in good])
        probing_s = probe_s / n * len(set(canonicals))
        reports.append(_key_report("functional", merged, outcomes, key_s, mean_s, probing_s))
    return EquivalenceReport(workload.name, len(good), len(set(outcomes)), n - len(good), measure_s, probe_s, tuple(reports))


def _timed_keys(maker: KeyMaker, designs: Sequence[Design]) -> tuple[list[Keys], float]:
    started = time.perf_counter()
    keys = [maker.keys(design) for design in designs]
    return keys, time.perf_counter() - started


def _outcome(metrics: Metrics) -> Hashable:
    values = tuple(sorted((name, f"{value:.{DIGITS - 1}e}") for name, value in metrics.values.items()))
    return metrics.status, metrics.reasons, values


def _join(canonicals: Sequence[str], functionals: Sequence[str]) -> list[str]:
    """Return for each design the functional key of the first design with its canonical key."""
    first: dict[str, str] = {}
    return [first.setdefault(canonical, functional) for canonical, functional in zip(canonicals, functionals, strict=True)]


def _key_report(name: str, keys: Sequence[str], outcomes: Sequence[Hashable], key_s: float, mean_s: float, probing_s: float) -> KeyReport:
    first: dict[str, Hashable] = {}
    seen: set[Hashable] = set()
    merges = false_merges = repeats = missed = 0
    for key, outcome in zip(keys, outcomes, strict=True):
        known = key in first
        merges += known
        false_merges += first.setdefault(key, outcome) != outcome
        repeats += outcome in seen
        missed += outcome in seen and not known
        seen.add(outcome)
    return KeyReport(
        name, len(first), merges / len(keys), merges, false_merges, upper_bound(false_merges, merges), missed / repeats if repeats else 0.0,
        key_s + probing_s, merges * mean_s - key_s - probing_s,
    )  # fmt: skip
