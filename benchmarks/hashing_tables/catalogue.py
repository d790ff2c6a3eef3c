"""The tables by name."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from hashing_tables.correctness_tables import cost, false_splits
from hashing_tables.laboratory import Laboratory
from hashing_tables.merge_tables import false_merges, served
from hashing_tables.search_tables import curves, distributions, search
from hashing_tables.study_tables import collisions, examples, noise

__all__ = ["STUDIES", "TABLES"]

TABLES: dict[str, Callable[[Laboratory, int], pd.DataFrame]] = {
    "search": search, "curves": curves, "served": served, "merges": false_merges, "splits": false_splits, "cost": cost,
    "distributions": distributions, "collisions": collisions, "examples": examples, "noise": noise,
}  # fmt: skip
"""What makes the table of a domain from a number of seeds."""

STUDIES = ("distributions", "collisions", "examples", "noise")
