"""The trials of a study made ready for drawing: what is feasible, the quantity that is optimised, evaluations counted per run."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from designgym.core.errors import ExpressionError
from designgym.core.expressions import Expression
from designgym.core.terms import Term
from designgym.studies.figures.design_texts import design_texts
from designgym.studies.figures.meta import StudyMeta
from designgym.studies.figures.style import SeriesStyle, series_styles
from designgym.studies.figures.units import TIMES, Scale, words

COLUMNS: dict[str, Any] = {
    "run": "", "searcher": "", "searcher_options": "{}", "run_seed": 0, "number": 0, "obtained": "measured", "duplicate": False,
    "status": "ok", "score": np.nan, "feasible": False, "reasons": "", "error": "", "cost_s": np.nan, "wall_s": np.nan,
    "started_at_s": np.nan, "key_literal": "", "key_canonical": "", "key_functional": None,
}  # fmt: skip
HITS = ("exact hit", "functional hit")


@dataclass(frozen=True, eq=False)
class Quantity:
    """A column of numbers with its words.

    Attributes:
        values: One per row of the frame, in ``unit``; NaN where there is no result.
        label: What it is, in words.
        unit: Declared unit.
        goal: ``min``, ``max`` or None.
        name: The metric or expression behind it.
    """

    values: NDArray[np.float64]
    label: str
    unit: str
    goal: str | None
    name: str = ""

    @cached_property
    def scale(self) -> Scale:
        """The unit in which it reads best."""
        return Scale.of(self.values, self.unit)

    @cached_property
    def signed(self) -> NDArray[np.float64]:
        """The values, negated if lower is better, so that higher is better."""
        return -self.values if self.goal == "min" else self.values


class StudyData:
    """A study's trials, checked and completed once for all figures.

    Args:
        frame: Trials, one per row (`designgym.studies` frame schema); rows are put in the order of their runs.
        meta: The study in words.
    """

    def __init__(self, frame: pd.DataFrame, meta: StudyMeta) -> None:
        frame = frame.copy()
        for column, default in COLUMNS.items():
            if column not in frame:
                frame[column] = default
        self.meta = meta
        self.frame = frame.sort_values(["run", "number"], kind="stable").reset_index(drop=True)
        self.units: dict[str, str] = {**meta.units, **(frame.attrs.get("units") or {})}
        self.parameters = [column[7:] for column in map(str, self.frame.columns) if column.startswith("design.")]
        self.metrics = [column[8:] for column in map(str, self.frame.columns) if column.startswith("metrics.")]

    def unit(self, column: str) -> str:
        """Return the declared unit of a column (``metrics.energy_pj``); ``"1"`` if none is."""
        return self.units.get(column) or self.units.get(column.partition(".")[2]) or "1"

    @cached_property
    def ok(self) -> NDArray[np.bool_]:
        """Which trials have metrics."""
        return (self.frame["status"] == "ok").to_numpy(dtype=bool)

    @cached_property
    def feasible(self) -> NDArray[np.bool_]:
        """Which trials have metrics and keep all constraints."""
        return self.ok & self.frame["feasible"].fillna(False).astype(bool).to_numpy()

    @cached_property
    def valueless(self) -> NDArray[np.bool_]:
        """Which trials have metrics of which the objective has no value; their ``reasons`` say why."""
        return self.ok & np.isneginf(pd.to_numeric(self.frame["score"], errors="coerce").to_numpy(dtype=float))

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        """Which trials failed or timed out."""
        return self.frame["status"].isin(["failed", "timeout"]).to_numpy(dtype=bool)

    @cached_property
    def broken(self) -> NDArray[np.bool_]:
        """Which trials have metrics that break a constraint."""
        return self.ok & ~self.feasible & ~self.valueless

    @cached_property
    def infeasible(self) -> NDArray[np.bool_]:
        """Which trials are not feasible though nothing failed: forbidden by the space, or breaking a constraint."""
        return ~self.feasible & ~self.failed & ~self.valueless

    @cached_property
    def duplicate(self) -> NDArray[np.bool_]:
        """Which trials cost no budget."""
        return self.frame["duplicate"].fillna(False).astype(bool).to_numpy()

    @cached_property
    def repeated(self) -> NDArray[np.bool_]:
        """Which trials have the canonical key of an earlier one, in whatever run."""
        keys = self.frame["key_canonical"].fillna("").astype(str)
        return (keys.duplicated() & (keys != "")).to_numpy(dtype=bool)

    @cached_property
    def evaluation(self) -> NDArray[np.int64]:
        """How many evaluations its run had paid for, this trial included."""
        paid = pd.Series((~self.duplicate).astype(np.int64))
        return paid.groupby(self.frame["run"].to_numpy(), sort=False).cumsum().to_numpy().astype(np.int64)

    @cached_property
    def label(self) -> NDArray[np.object_]:
        """The searcher of each trial as shown: its name, with the options that differ where one name was run with several."""
        frame = self.frame
        names = frame["searcher"].fillna("").astype(str).replace("", "(none)")
        options = frame["searcher_options"].fillna("{}").astype(str)
        labels = names.to_numpy(dtype=object).copy()
        for name, group in options.groupby(names):
            if group.nunique() > 1:
                for text, label in _option_labels(str(name), list(group.unique())).items():
                    labels[(names == name).to_numpy() & (options == text).to_numpy()] = label
        return labels

    @cached_property
    def labels(self) -> list[str]:
        """The searchers in a fixed order: random ones first, as the baseline, then by name."""
        return sorted(set(self.label), key=lambda label: (not str(label).startswith("random"), str(label)))

    @cached_property
    def styles(self) -> dict[str, SeriesStyle]:
        """How each searcher is drawn."""
        return series_styles(self.labels)

    @cached_property
    def terms(self) -> list[Quantity]:
        """The objective's terms."""
        return [
            Quantity(self.evaluate(term.expression), self.pretty(term.label, term.unit), term.unit, term.goal, term.expression)
            for term in self.meta.terms
        ]

    @cached_property
    def term_metrics(self) -> list[list[str]]:
        """The metrics that each of the objective's terms is made of, by name."""
        return [sorted(Expression(term.expression).names & set(self.metrics)) for term in self.meta.terms]

    @cached_property
    def target(self) -> Quantity:
        """The one number that ranks designs: the term of a single objective in its unit, else the score (higher is better)."""
        if self.meta.kind == "SingleObjective" and len(self.terms) == 1:
            return self.terms[0]
        score = pd.to_numeric(self.frame["score"], errors="coerce").to_numpy(dtype=float).copy()
        score[~self.feasible] = np.nan
        label = "dominated share" if self.meta.reference else "score"
        return Quantity(score, label, "1", "max", "score")

    def metric(self, name: str) -> Quantity:
        """Return a metric's values in words and units."""
        unit = self.unit(f"metrics.{name}")
        values = pd.to_numeric(self.frame[f"metrics.{name}"], errors="coerce").to_numpy(dtype=float).copy()
        values[~self.ok | ~np.isfinite(values)] = np.nan
        return Quantity(values, words(name, unit), unit, self.meta.goals.get(name), name)

    def evaluate(self, expression: str) -> NDArray[np.float64]:
        """Return an expression over metrics for each row; NaN where there are no metrics or it cannot be evaluated."""
        if expression in self.metrics:
            return self.metric(expression).values
        values = np.full(len(self.frame), np.nan)
        term = Term(Expression(expression), "max")
        if not term.expression.names <= set(self.metrics):
            return values
        columns = {name: self.metric(name).values.tolist() for name in term.expression.names}
        for i in np.flatnonzero(self.ok):
            with contextlib.suppress(ExpressionError):  # a trial whose term has no value (division by zero) is drawn nowhere
                values[i] = term.value({name: column[i] for name, column in columns.items()})
        return values

    def pretty(self, expression: str, unit: str = "") -> str:
        """Return an expression in words: metric names without units, × for products."""
        if expression.isidentifier():
            return words(expression, self.unit(f"metrics.{expression}") if expression in self.metrics else unit.replace("·", ""))
        text = re.sub(
            r"[A-Za-z_]\w*",
            lambda match: words(match[0], self.unit(f"metrics.{match[0]}")) if match[0] in self.metrics else match[0],
            expression,
        )
        return re.sub(r"\s*\*\*\s*2\b", "²", text).replace(" * ", f" {TIMES} ").replace("*", f" {TIMES} ")

    @cached_property
    def best(self) -> pd.DataFrame:
        """The feasible designs of distinct behaviour, best first, with ``alike``: how many proposals behaved like each."""
        rows = np.flatnonzero(self.feasible & np.isfinite(self.target.signed))
        order = rows[np.argsort(-self.target.signed[rows], kind="stable")]
        table = self.frame.iloc[order].assign(target=self.target.values[order], position=order)
        metrics = [f"metrics.{name}" for name in self.metrics]
        table["_behaviour"] = pd.util.hash_pandas_object(table[metrics].round(12), index=False) if metrics and len(table) else 0
        counts = table.groupby("_behaviour")["run"].transform("size") if len(table) else 0
        table["alike"] = counts
        for column in ("key_canonical", "key_functional", "_behaviour"):
            known = table[column].notna() & (table[column].astype(str) != "")
            table = table[~(known & table.duplicated(column))]
        return table.drop(columns="_behaviour")

    def design_text(self, row: Mapping[Any, Any], separator: str = ", ") -> str:
        """Return the design of a row in one line, plain text."""
        return separator.join(f"{name} = {text}" for name, text in self.texts(row).items())

    def description(self, row: Mapping[Any, Any]) -> str:
        """Return what the design of a row amounts to, in the words of its simulator; nothing if it does not say."""
        if self.meta.describe is None or self.meta.space is None:
            return ""
        design = self.meta.space.validate({name: row[f"design.{name}"] for name in self.parameters})
        return self.meta.describe(design, str(row.get("workload", self.meta.workload)))

    def texts(self, row: Mapping[Any, Any]) -> dict[str, str]:
        """Return the design of a row as texts by parameter; a dash for those without effect in it."""
        return design_texts(row, self.parameters, self.meta.space)

    @cached_property
    def wall_s(self) -> float:
        """Seconds of evaluation that were spent on the trials, all together."""
        return float(pd.to_numeric(self.frame["wall_s"], errors="coerce").sum())

    @cached_property
    def saved(self) -> NDArray[np.float64]:
        """Seconds that each hit saved: what measuring its behaviour took, less what serving it took; 0 for other trials."""
        cost = pd.to_numeric(self.frame["cost_s"], errors="coerce").to_numpy(dtype=float).copy()
        wall = np.nan_to_num(pd.to_numeric(self.frame["wall_s"], errors="coerce").to_numpy(dtype=float))
        measured = cost[(self.frame["obtained"].isin(["measured", "audited"])).to_numpy() & self.ok & np.isfinite(cost)]
        unknown = ~np.isfinite(cost) | (cost <= 0)
        cost[unknown] = float(measured.mean()) if len(measured) else 0.0
        hit = self.frame["obtained"].isin(HITS).to_numpy() & self.ok
        return np.where(hit, np.maximum(cost - wall, 0.0), 0.0)


def is_numeric(values: Iterable[Any]) -> bool:
    """Return whether all values that are there are numbers; booleans are not."""
    if isinstance(values, pd.Series) and isinstance(values.dtype, np.dtype) and values.dtype.kind in "iufb":
        return values.dtype.kind != "b"
    return all(
        isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_) for value in values if value is not None
    )


def _option_labels(name: str, texts: list[str]) -> dict[str, str]:
    """Return a label for each options text of one searcher that names what differs."""
    parsed: dict[str, dict[str, Any]] = {}
    for text in texts:
        try:
            options = json.loads(text)
        except ValueError:
            options = {"options": text}
        parsed[text] = options if isinstance(options, dict) else {"options": options}
    keys = sorted({key for options in parsed.values() for key in options})
    differing = [key for key in keys if len({json.dumps(options.get(key), sort_keys=True) for options in parsed.values()}) > 1]
    return {
        text: f"{name} ({', '.join(f'{key}={options[key]}' for key in differing if key in options) or 'defaults'})"
        for text, options in parsed.items()
    }
