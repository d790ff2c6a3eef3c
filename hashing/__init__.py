"""Recognising equal behaviour: the equivalence cache, local and shared, functional fingerprints with their audit, and tuners' wrappers."""

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names
from designgym.hashing.fingerprints import AuditedFingerprints
from designgym.hashing.functional import Example, functional_hash
from designgym.hashing.local_cache import LocalCache
from designgym.hashing.report import EquivalenceReport, KeyReport, equivalence_report
from designgym.hashing.shared_cache import SharedCache
from designgym.hashing.symmetry import Finding, Findings, find_equivalences

if TYPE_CHECKING:
    from designgym.hashing.tuners.ask_tell import CachedAskTell as CachedAskTell
    from designgym.hashing.tuners.decorator import equivalence_cached as equivalence_cached
    from designgym.hashing.tuners.optuna_study import dedupe as dedupe
    from designgym.hashing.tuners.ray_tune import CachedSearchAlg as CachedSearchAlg

# these import Ray Tune, or are used without the rest
_HOMES = {
    "CachedAskTell": "tuners.ask_tell", "CachedSearchAlg": "tuners.ray_tune", "dedupe": "tuners.optuna_study",
    "equivalence_cached": "tuners.decorator",
}  # fmt: skip

__all__ = [
    "AuditedFingerprints", "CachedAskTell", "CachedSearchAlg", "EquivalenceReport", "Example", "Finding", "Findings", "KeyReport",
    "LocalCache", "SharedCache", "dedupe", "equivalence_cached", "equivalence_report", "find_equivalences", "functional_hash",
]  # fmt: skip

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
