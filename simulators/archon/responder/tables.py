"""The responder's tables: comma-separated files beside the code."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["FOLDER", "records", "table"]

FOLDER = Path(__file__).parent


@cache
def table(name: str) -> pd.DataFrame:
    """Return the table of a file in this folder; do not change it, everybody gets the same."""
    return pd.read_csv(FOLDER / f"{name}.csv")


def records(rows: pd.DataFrame) -> list[Any]:
    """Return the rows, each with the columns as attributes."""
    return list(rows.itertuples(index=False))
