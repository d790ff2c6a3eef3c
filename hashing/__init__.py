"""Recognising equal behaviour: the equivalence cache, local and shared, and functional fingerprints with their audit."""

from designgym.hashing.fingerprints import AuditedFingerprints
from designgym.hashing.functional import Example, functional_hash
from designgym.hashing.local_cache import LocalCache
from designgym.hashing.report import EquivalenceReport, KeyReport, equivalence_report
from designgym.hashing.shared_cache import SharedCache
from designgym.hashing.symmetry import Finding, Findings, find_equivalences

__all__ = [
    "AuditedFingerprints", "EquivalenceReport", "Example", "Finding", "Findings", "KeyReport", "LocalCache", "SharedCache",
    "equivalence_report", "find_equivalences", "functional_hash",
]  # fmt: skip
