"""Statistics of sampled answers: what k samples reach, what verifiers allow, who wins, how sure that is, and races between candidates."""

from __future__ import annotations

from designgym.simulators.archon.statistics.intervals import Interval, bootstrap_interval, paired_difference, wilson_interval
from designgym.simulators.archon.statistics.race import Race
from designgym.simulators.archon.statistics.sampling import CoverageFit, coverage, coverage_fit, eff_at_k, pass_at_k
from designgym.simulators.archon.statistics.verification import verified_accuracy, verifier_ceiling
from designgym.simulators.archon.statistics.win_rates import LengthControlled, length_controlled_win_rate, win_rate

__all__ = [
    "CoverageFit", "Interval", "LengthControlled", "Race", "bootstrap_interval", "coverage", "coverage_fit", "eff_at_k",
    "length_controlled_win_rate", "paired_difference", "pass_at_k", "verified_accuracy", "verifier_ceiling", "wilson_interval", "win_rate",
]  # fmt: skip
