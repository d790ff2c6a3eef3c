"""Step costs as the compiled simulation reads them: a header of whole numbers and a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.serving.step_costs import LINEAR, VIDUR, VIDUR_OPS

__all__ = ["LinearStepCosts", "StepCosts", "VidurStepCosts"]


class StepCosts(Protocol):
    """How long a step takes, in the form that `step_costs.step_seconds` reads."""

    @property
    def header(self) -> NDArray[np.int64]:
        """Kind of costs and shape of the table."""
        ...

    @property
    def table(self) -> NDArray[np.float64]:
        """The numbers, one after the other."""
        ...


@dataclass(frozen=True)
class LinearStepCosts:
    """A step costs a sum of terms, in seconds.

    Attributes:
        step_s: Of every step.
        token_s: Per token in the batch.
        request_s: Per request in the batch.
        context_s: Per token that decoding requests have computed before.
        pair_s: Per pair of tokens of which one attends to the other, in prompts.
    """

    step_s: float = 0.0
    token_s: float = 0.0
    request_s: float = 0.0
    context_s: float = 0.0
    pair_s: float = 0.0

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        if not all(np.isfinite(self.table)) or min(self.table) < 0 or self.step_s + self.token_s + self.request_s <= 0:
            raise InputError(f"step costs must be finite and not negative, and a step must take time, but they are {self}")

    @property
    def header(self) -> NDArray[np.int64]:
        """Kind of costs."""
        return np.array([LINEAR], dtype=np.int64)

    @property
    def table(self) -> NDArray[np.float64]:
        """Shape ``(5,)``, in the order of the attributes."""
        return np.array([self.step_s, self.token_s, self.request_s, self.context_s, self.pair_s])


@dataclass(frozen=True, eq=False)
class VidurStepCosts:
    """Vidur's sum of operators per layer (Agrawal et al., MLSys 2024): tables by tokens, batch and context; see `step_costs`."""

    header: NDArray[np.int64]
    table: NDArray[np.float64]

    @classmethod
    def make(
        cls,
        operators_ms: Mapping[str, NDArray[np.float64]],
        decode_ms: NDArray[np.float64],
        prefill_ms: NDArray[np.float64],
        *,
        layers: int,
        tensor_parallel: int,
    ) -> VidurStepCosts:
        """Return the costs of a model.

        Args:
            operators_ms: Time of each of `VIDUR_OPS` for 8, 16, 24, ... tokens in the batch, per layer.
            decode_ms: Attention of decoding, shape ``(batches, contexts)``: 1, 2, ... requests, mean context 0, 64, 128, ...
            prefill_ms: Attention of prompts, shape ``(pasts, chunks)``: 0, 64, ... tokens before, 1, 2, ... tokens now.
            layers: Layers of the model.
            tensor_parallel: GPUs; the all-reduce counts if there are several.
        """
        if missing := [name for name in VIDUR_OPS if name not in operators_ms]:
            raise InputError(f"the operators lack {', '.join(missing)}")
        operators = np.stack([operators_ms[name] for name in VIDUR_OPS], axis=1)
        header = [VIDUR, layers, len(operators), *decode_ms.shape, *prefill_ms.shape, tensor_parallel]
        return cls(np.array(header, dtype=np.int64), np.concatenate([operators.ravel(), decode_ms.ravel(), prefill_ms.ravel()]))
