"""`Program`: a program as something that can be called, for those who want to run one rather than score it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from designgym.core.errors import InputError
from designgym.simulators.programs.instructions import LISTS, Packed, pack
from designgym.simulators.programs.runner import run_packed
from designgym.simulators.programs.space import program_space
from designgym.simulators.programs.tasks import MOST_FEATURES, TaskArrays

Floats = NDArray[np.float64]


class Program:
    """An imperative program of setup, predict and learn; calling it predicts.

    It is run as it stands, without being brought into canonical form first, and is a candidate for `designgym.hashing.functional_hash`::

        functional_hash(Program(design), [(train_x, train_y, valid_x) for ...])

    Each call starts from empty memory: setup, then predict and learn on each example to learn from, then predict.

    Args:
        design: Mapping of ``setup``, ``predict`` and ``learn`` to lists of instructions, for instance a design of `AutoMLZero`.
        seed: Of the random numbers that setup draws.

    Raises:
        InvalidDesignError: If it is no program.
    """

    def __init__(self, design: Mapping[str, Any], *, seed: int = 0) -> None:
        self.design = program_space().validate(design)
        self.seed = seed
        self._packed: Packed = pack([self.design[name] for name in LISTS])

    def canonical(self) -> Program:
        """Return the program in canonical form, which predicts the same to the last bit, unless it draws random numbers."""
        return Program(program_space().canonical(self.design), seed=self.seed)

    def __call__(self, *arrays: ArrayLike) -> Floats:
        """Return predictions.

        Args:
            *arrays: Features to predict for, shape ``(n, features)``; or features to learn from, shape ``(m, features)``, their labels,
                shape ``(m,)``, and then those.

        Returns:
            Predictions, shape ``(n,)``; no error is too large here.

        Raises:
            InputError: For another number of arrays, or shapes that do not fit together.
        """
        if len(arrays) not in (1, 3):
            raise InputError(f"a program takes features, or features and labels to learn from, then features: got {len(arrays)} arrays")
        given = [np.asarray(array, dtype=np.float64) for array in arrays]
        valid_x = given[-1]
        train_x, train_y = given[:2] if len(given) == 3 else (valid_x[:0], np.zeros(0))
        features = valid_x.shape[-1] if valid_x.ndim == 2 else 0
        if not 1 <= features <= MOST_FEATURES or train_x.ndim != 2 or train_x.shape[1] != features or train_y.shape != train_x.shape[:1]:
            raise InputError(
                f"shapes {[array.shape for array in given]} do not fit: expected (n, features), or (m, features), (m,) and (n, features), "
                f"with 1 to {MOST_FEATURES} features"
            )
        if not len(valid_x):
            return np.zeros(0)
        unknown = np.zeros((len(valid_x), 1))
        one_task = [np.ascontiguousarray(part[..., None]) for part in (train_x, train_y, valid_x)]
        tasks = TaskArrays(one_task[0], one_task[1], one_task[2], unknown)
        return run_packed(self._packed, tasks, seed=self.seed, keep_answers=True, limit=math.nan).answers[len(train_x) :, 0]
