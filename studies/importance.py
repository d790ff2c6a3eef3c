"""Which parameters matter: an XGBoost model of the optimised quantity, judged out of fold before it is believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from designgym.studies.figures.data import Quantity, StudyData, is_numeric
from designgym.studies.figures.design_texts import shown_value

FOLDS = 5
MIN_ROWS = 30  # distinct feasible behaviours below which no model is fitted
MAX_ROWS = 4000  # a seeded sample beyond
MAX_CATEGORIES = 16  # one-hot columns per unordered parameter; rarer values share a column
ROUNDS = 200
NEAR_ZERO = 20  # a median so many times the smallest value: near 0 the logarithm would be ruled by a few values
# One thread: on cores that others use too, OpenMP threads that wait for each other made this 20 times slower
PARAMS = {
    "max_depth": 4,
    "eta": 0.08,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "min_child_weight": 2,
    "nthread": 1,
    "tree_method": "hist",
    "verbosity": 0,
}


@dataclass(frozen=True)
class Importance:
    """How far each parameter moves the model's prediction, measured on designs the model was not fitted to.

    Attributes:
        parameters: Names, the most important first.
        effect: Mean absolute SHAP value per parameter over held-out designs, mean over folds, in ``unit``.
        spread: Its standard deviation over folds.
        unit: ``%`` (typical change of the quantity) where the model is of the logarithm, else the quantity's unit.
        r2: Out-of-fold R², pooled over folds, on the scale of the model.
        r2_folds: R² of each fold.
        rows: Distinct feasible behaviours that the model was fitted to.
        logarithmic: Whether the logarithm was modelled.
        reason: Why there is no model, if there is none; the other fields are then empty.
    """

    parameters: tuple[str, ...] = ()
    effect: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    unit: str = ""
    r2: float = float("nan")
    r2_folds: tuple[float, ...] = ()
    rows: int = 0
    logarithmic: bool = False
    reason: str = ""

    @property
    def verdict(self) -> str:
        """How far the ranking may be believed, in words."""
        if self.reason:
            return self.reason
        if self.r2 >= 0.8:
            return "The model fits well."
        if self.r2 >= 0.5:
            return "The model fits moderately: read the order of the parameters rather than the sizes."
        return "The model fits poorly: it explains little of what was measured, so do not rely on this ranking."


def parameter_importance(data: StudyData, *, seed: int = 0) -> Importance:
    """Fit a model of the study's target to its distinct feasible behaviours, and return what it says about each parameter.

    The designs are those that the searchers chose, not a uniform sample, so this is importance along their way.

    Args:
        data: The study.
        seed: Seed of the folds and of the model.
    """
    target = data.target
    rows = np.flatnonzero(data.feasible & np.isfinite(target.values) & ~data.repeated)
    rng = np.random.default_rng(seed)
    if len(rows) > MAX_ROWS:
        rows = np.sort(rng.choice(rows, size=MAX_ROWS, replace=False))
    if len(rows) < MIN_ROWS:
        return Importance(rows=len(rows), reason=f"A model needs at least {MIN_ROWS} distinct feasible designs; there are {len(rows)}.")
    if not data.parameters or len(np.unique(target.values[rows])) < 3:
        return Importance(rows=len(rows), reason="The results hardly differ, so there is nothing for a model to explain.")
    features, owners, names = encode(data, rows)
    if not names:
        return Importance(rows=len(rows), reason="All designs are alike in every parameter, so there is nothing to rank.")
    values, logarithmic = _model_scale(target, rows)
    effect, r2, r2_folds = _cross_validate(features, owners, len(names), values, rng, seed)
    if logarithmic:
        effect = np.expm1(effect) * 100
    order = np.argsort(-effect.mean(axis=0), kind="stable")
    return Importance(
        parameters=tuple(names[i] for i in order),
        effect=tuple(effect.mean(axis=0)[order].tolist()),
        spread=tuple(effect.std(axis=0, ddof=1)[order].tolist()),
        unit="%" if logarithmic else target.unit,
        r2=r2,
        r2_folds=tuple(r2_folds),
        rows=len(rows),
        logarithmic=logarithmic,
    )


def encode(data: StudyData, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64], list[str]]:
    """Return features of shape ``(rows, columns)``, the parameter number that owns each column, and the parameters that vary.

    Numbers and ordered choices stay one column; unordered choices become one-hot columns.
    """
    columns: list[NDArray[np.float32]] = []
    owners: list[int] = []
    names: list[str] = []
    for name in data.parameters:
        column = data.frame[f"design.{name}"].iloc[rows]
        encoded = _encode_column(column)
        if not encoded:
            continue
        columns += encoded
        owners += [len(names)] * len(encoded)
        names.append(name)
    matrix = np.column_stack(columns) if columns else np.empty((len(rows), 0), dtype=np.float32)
    return matrix.astype(np.float32), np.array(owners, dtype=np.int64), names


def _encode_column(column: pd.Series) -> list[NDArray[np.float32]]:
    texts = column.map(shown_value)
    if texts.nunique() < 2:
        return []
    if is_numeric(column):
        return [pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float32)]
    common = texts.value_counts().index[:MAX_CATEGORIES]
    if texts.nunique() == 2:
        common = common[:1]
    return [(texts == value).to_numpy(dtype=np.float32) for value in common]


def _model_scale(target: Quantity, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], bool]:
    """Return what is modelled: the logarithm of a quantity that stays away from 0, so that an effect is a percentage, else itself."""
    values = target.values[rows]
    if target.name != "score" and values.min() > 0 and np.median(values) <= NEAR_ZERO * values.min():
        return np.log(values), True
    return values.astype(float), False


def _cross_validate(
    features: NDArray[np.float32], owners: NDArray[np.int64], count: int, values: NDArray[np.float64], rng: np.random.Generator, seed: int
) -> tuple[NDArray[np.float64], float, list[float]]:
    """Return mean absolute SHAP values of shape ``(FOLDS, count)``, the pooled out-of-fold R², and the R² of each fold."""
    import xgboost

    fold = rng.permutation(np.arange(len(values)) % FOLDS)
    effect = np.zeros((FOLDS, count))
    predicted = np.zeros(len(values))
    r2_folds = []
    for k in range(FOLDS):
        test = fold == k
        centre = float(values[~test].mean())
        spread = float(values[~test].std()) or 1.0  # standardised: XGBoost computes in single precision
        train = xgboost.DMatrix(features[~test], label=(values[~test] - centre) / spread)
        held_out = xgboost.DMatrix(features[test])
        model = xgboost.train({**PARAMS, "seed": seed + k}, train, num_boost_round=ROUNDS)
        predicted[test] = model.predict(held_out) * spread + centre
        contributions = model.predict(held_out, pred_contribs=True)[:, :-1] * spread
        by_parameter = np.zeros((int(test.sum()), count))
        np.add.at(by_parameter.T, owners, contributions.T)
        effect[k] = np.abs(by_parameter).mean(axis=0)
        r2_folds.append(_r2(values[test], predicted[test], centre))
    return effect, _r2(values, predicted, float(values.mean())), r2_folds


def _r2(values: NDArray[np.float64], predicted: NDArray[np.float64], centre: float) -> float:
    total = float(((values - centre) ** 2).sum())
    return 1 - float(((values - predicted) ** 2).sum()) / total if total > 0 else float("nan")
