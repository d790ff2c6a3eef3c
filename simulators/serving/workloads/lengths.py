"""`LengthDistribution`: prompt and output lengths of requests, and how they go together; fitted to a trace, and drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from designgym.core.errors import InputError

__all__ = ["LengthDistribution"]

# Closer together in both tails, where lengths differ most: the longest requests decide on tail latencies and memory.
LEVELS = np.concatenate([[0.0, 0.002, 0.01], np.linspace(0.02, 0.98, 49), [0.99, 0.995, 0.998, 0.999, 1.0]])


@dataclass(frozen=True, eq=False)
class LengthDistribution:
    """Lengths in tokens: the quantiles of each, and a table of how often their ranks go together (a copula).

    Attributes:
        prompt_tokens: Quantiles at `LEVELS`, ascending.
        output_tokens: The same of outputs.
        together: Shape ``(k, k)``, sum 1: share of requests whose prompt is in the i-th and whose output in the j-th of k equal parts
            by rank.
    """

    prompt_tokens: NDArray[np.float64]
    output_tokens: NDArray[np.float64]
    together: NDArray[np.float64]

    @classmethod
    def fit(cls, prompt_tokens: ArrayLike, output_tokens: ArrayLike, *, parts: int = 16) -> LengthDistribution:
        """Return the distribution of measured lengths.

        Args:
            prompt_tokens: One number per request.
            output_tokens: The same of outputs.
            parts: Parts of the table of ranks.

        Raises:
            InputError: If the columns differ in size, are empty, or hold anything but positive numbers.
        """
        columns = [np.asarray(column, dtype=np.float64) for column in (prompt_tokens, output_tokens)]
        if columns[0].shape != columns[1].shape or columns[0].ndim != 1 or not columns[0].size:
            raise InputError(f"lengths must be two columns of one number per request, got shapes {columns[0].shape} and {columns[1].shape}")
        for name, column in zip(("prompt_tokens", "output_tokens"), columns, strict=True):
            if not (np.isfinite(column).all() and (column >= 1).all()):
                raise InputError(f"{name} must be 1 or more, got {column[~(column >= 1)][:1]}")
        # Equal lengths have no order: any would do, but the same each time, and not that of the file, which would tie both columns.
        rng = np.random.default_rng(0)
        first, second = (np.argsort(np.lexsort((rng.random(c.size), c))) / c.size for c in columns)
        together, _, _ = np.histogram2d(first, second, bins=[parts, parts], range=[[0.0, 1.0], [0.0, 1.0]])
        prompts, outputs = (np.quantile(column, LEVELS, method="inverted_cdf") for column in columns)
        return cls(prompts, outputs, together / together.sum())

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return prompt and output lengths of ``n`` requests, both of shape ``(n,)``."""
        parts = len(self.together)
        cells = rng.choice(parts * parts, size=n, p=self.together.ravel())
        ranks = [(cell + rng.random(n)) / parts for cell in np.divmod(cells, parts)]
        prompts, outputs = (
            np.maximum(np.rint(np.interp(rank, LEVELS, quantiles)), 1).astype(np.int64)
            for rank, quantiles in zip(ranks, (self.prompt_tokens, self.output_tokens), strict=True)
        )
        return prompts, outputs
