"""`BatchAndParallelism`: the two engine arguments of Martinez (2024), all others at vLLM's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from designgym.core.discrete import Ordinal
from designgym.core.space import DesignSpace
from designgym.simulators.serving.engine import VllmServing
from designgym.simulators.serving.engine_arguments import engine_rules

__all__ = ["BatchAndParallelism"]

_BATCHES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


class BatchAndParallelism(VllmServing):
    """How many GPUs a model is divided among, and how many requests run at a time, as in Martinez (2024, arXiv:2408.01050).

    There ``max_num_seqs`` is called batch size, and ``tensor_parallel_size`` number of GPUs; the measure is throughput of tasks that
    are all there at the start. Everything else is `VllmServing`, and what it says are results of that model.

    Args:
        options: Those of `VllmServing`.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "batch-and-parallelism"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._defaults = dict(self.space.default())
        *_, heads = engine_rules(self.model)
        self.space = DesignSpace(
            tensor_parallel_size=self.space.parameters["tensor_parallel_size"],
            max_num_seqs=Ordinal(*_BATCHES, default=256),
            version="1",
            constraints=(heads,),
        )

    def arguments(self, design: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return all engine arguments of a design."""
        return {**self._defaults, **design}
