"""The grids that step times are tabulated on: a power of two of equal parts per octave.

The same arithmetic is in the compiled look-up (`step_costs.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from designgym.simulators.serving.step_costs import GRID

__all__ = ["CONTEXT", "DECODES", "OUTPUTS", "PAIRS", "PROMPTS", "TOKENS", "GridStepCosts", "Octaves", "increasing"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Octaves:
    """Points 1 to ``2^octaves``, each octave divided into ``parts`` equal parts."""

    octaves: int
    parts: int

    @property
    def points(self) -> Floats:
        """All points, ascending."""
        steps = np.arange(self.octaves * self.parts)
        inside = np.ldexp(1.0 + (steps % self.parts) / self.parts, (steps // self.parts).astype(np.int32))
        return np.append(inside, np.ldexp(1.0, self.octaves))


TOKENS = Octaves(18, 128)
OUTPUTS = Octaves(13, 8)
DECODES = Octaves(12, 8)
CONTEXT = Octaves(20, 2)
PROMPTS = Octaves(10, 1)
PAIRS = Octaves(40, 4)


# Steps filled to the token budget, a power of two as a rule, are the most frequent under load: they weigh as much as an octave of others.
_TOKEN_WEIGHTS = np.where(np.log2(TOKENS.points) % 1 == 0, float(TOKENS.parts), 1.0)


def increasing(values: Floats, weights: Floats | None = None) -> Floats:
    """Return the nearest values (least squares) that decrease along no axis: measured times do here and there.

    Args:
        values: Along one axis, or a table.
        weights: How much each of the values along one axis counts; None for equally.
    """
    for axis in range(values.ndim):
        values = np.apply_along_axis(lambda row: isotonic_regression(row, weights=weights).x, axis, values)
    return np.asarray(values)


@dataclass(frozen=True, eq=False)
class GridStepCosts:
    """Step times as sums of tables, each interpolated linearly; no table decreases along an axis.

    A step takes ``base(tokens) + head(outputs) + decode(decoding requests, mean context) + prompt(prompts, pairs)``, in seconds, and a
    constant if a prompt is completed. Pairs are those of tokens in prompts of which one attends to the other; so a chunk with tokens
    before it counts as a prompt with as many pairs.

    Attributes:
        header: Kind of costs, and octaves and parts of the six axes.
        table: The tables one after the other, then the constant; seconds.
    """

    header: NDArray[np.int64]
    table: Floats

    @classmethod
    def make(cls, base_s: Floats, head_s: Floats, decode_s: Floats, prompt_s: Floats, completion_s: float) -> GridStepCosts:
        """Return the costs.

        Args:
            base_s: What depends on the tokens in the batch, at `TOKENS`.
            head_s: What depends on how many requests yield a token, at `OUTPUTS`.
            decode_s: Attention of decoding requests; shape of `DECODES` and `CONTEXT`.
            prompt_s: Attention of prompts; shape of `PROMPTS` and `PAIRS`.
            completion_s: What a step takes longer if a prompt is completed in it.
        """
        grids = (TOKENS, OUTPUTS, DECODES, CONTEXT, PROMPTS, PAIRS)
        header = [GRID, *(part for grid in grids for part in (grid.octaves, grid.parts))]
        tables = [increasing(base_s, _TOKEN_WEIGHTS), *(increasing(table).ravel() for table in (head_s, decode_s, prompt_s))]
        return cls(np.array(header, dtype=np.int64), np.concatenate([*tables, [completion_s]]))
