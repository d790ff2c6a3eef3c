"""Why a mapping has no cost: upstream ends with an error or crashes on it. Codes, so that a batch can carry them in an array."""

from __future__ import annotations

__all__ = ["ALL_SKIPPED", "FILTER_TILED", "K_IN_DEPTHWISE", "NO_OVERLAP", "NO_WORK", "REASONS", "SPATIAL_COUNT", "TOO_FEW_PES", "UPSTREAM"]

TOO_FEW_PES, FILTER_TILED, SPATIAL_COUNT, K_IN_DEPTHWISE, NO_OVERLAP, NO_WORK, ALL_SKIPPED = range(1, 8)

REASONS = {
    TOO_FEW_PES: "the product of the cluster sizes is more than the PEs",
    FILTER_TILED: "a TemporalMap on R or S must have the filter's size as size and offset",
    SPATIAL_COUNT: "each level needs one SpatialMap, or two",
    K_IN_DEPTHWISE: "a depthwise layer has no dimension K that several levels could map",
    NO_OVERLAP: "a tile that covers all of a level's dimension is moved on: it is larger than what the level above hands down",
    NO_WORK: "a step of the outermost level gives its sub-units nothing to compute",
    ALL_SKIPPED: "no step computes an output: tiles do not hold a whole filter window",
}
"""Reason in words by code; 0 means that the mapping has a cost."""

UPSTREAM = {
    TOO_FEW_PES: "SIGFPE",
    FILTER_TILED: "exit 255",
    SPATIAL_COUNT: "exit 255",
    K_IN_DEPTHWISE: "exit 255",
    NO_OVERLAP: "exit 255",
    NO_WORK: "SIGFPE",
    ALL_SKIPPED: "runtime 0",
}
"""What MAESTRO (commit 4eb08d1) does instead, by code."""
