"""Our searchers inside a user's own ``ray.tune.Tuner``, as its ``search_alg``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher as RaySearcher
from ray.tune.search.sample import Domain

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics
from designgym.core.objectives import Objective, maximize, minimize
from designgym.core.protocols import Searcher
from designgym.core.space import DesignSpace
from designgym.core.trial import Keys, Provenance, Trial
from designgym.searchers.recipe import make_searcher


class TuneSearch(RaySearcher):
    """Wraps a searcher of ours: Tune draws each trial's configuration, a plain dict of the design's parameters, from it.

    Tune's checkpoint of it is JSON, not a pickle. Limit the number of pending trials with ``TuneConfig(max_concurrent_trials=...)``.

    Args:
        searcher: A registered name, a recipe or a class; see `make_searcher`.
        space: Where it searches; Tune's ``param_space`` may hold constants, which are added to each configuration.
        objective: What it searches for; unless given, Tune's ``metric`` and ``mode``.
        metrics: Where the objective's metrics are in the reported results, by name, for those that are reported under another name.
        seed: Same seed, same proposals (in the same order of results).
        metric: As for Tune; alternative to ``objective``.
        mode: ``min`` or ``max``; alternative to ``objective``.
        **options: The searcher's options.
    """

    CKPT_FILE_TMPL = "searcher-state-{}.json"

    def __init__(
        self,
        searcher: Any,
        space: DesignSpace,
        objective: Objective | None = None,
        *,
        metrics: Mapping[str, str] | None = None,
        seed: int = 0,
        metric: str | None = None,
        mode: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(metric=metric, mode=mode)
        self._what, self._space, self._objective = searcher, space, objective
        self._renamed, self._seed, self._options = dict(metrics or {}), seed, options
        self._constants: dict[str, Any] = {}
        self._running: dict[str, Design] = {}
        self._searcher: Searcher | None = None
        if objective is not None or metric is not None:
            self._build(metric, mode)

    @property
    def inner(self) -> Searcher:
        """The searcher inside, once the objective is known; to Tune, an attribute `searcher` would mark a wrapper."""
        if self._searcher is None:
            raise InputError("TuneSearch needs objective=, or metric= and mode= here or in TuneConfig")
        return self._searcher

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Take metric and mode from Tune unless given before, and the constants of ``param_space``."""
        drawn = [name for name, value in config.items() if isinstance(value, Domain)]
        if drawn:
            raise InputError(f"param_space draws {drawn}, but TuneSearch's space does the drawing: leave only constants in param_space")
        self._constants = dict(config)
        if self._searcher is None:
            self._build(metric, mode)
        return True

    def suggest(self, trial_id: str) -> Any:
        """Return the next configuration, or that there are no more."""
        designs = self.inner.ask(1)
        if not designs:
            # what is still running may open the way to more designs, for instance the next generation of a searcher
            return None if self._running else self.FINISHED
        self._running[trial_id] = designs[0]
        return self._constants | designs[0].to_dict()

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell the searcher of a trial's last result; a trial without the metrics counts as failed."""
        design = self._running.pop(trial_id, None)
        if design is not None:
            self._tell(design, Metrics.failed("the Tune trial failed") if error or not result else self._metrics(result))

    def add_evaluated_point(
        self, parameters: dict[str, Any], value: Any, error: bool = False, pruned: bool = False, intermediate_values: Any = None
    ) -> None:
        """Tell the searcher of a configuration evaluated elsewhere; ``value`` is the metric's, or a mapping of metrics."""
        design = self._space.validate({name: parameters[name] for name in self._space.parameters if name in parameters})
        result: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {str(self._metric): value}
        self._tell(design, Metrics.failed("reported as failed") if error or value is None else self._metrics(result))

    def save(self, checkpoint_path: str) -> None:
        """Write the state as JSON."""
        running = {trial_id: design.to_dict() for trial_id, design in self._running.items()}
        state = {"running": running, "searcher": self.inner.state() if self._searcher is not None else None}
        Path(checkpoint_path).write_text(json.dumps(state, allow_nan=False))

    def restore(self, checkpoint_path: str) -> None:
        """Read a state that `save` wrote; raises `InputError` for another file."""
        try:
            state = json.loads(Path(checkpoint_path).read_text())
            running, told = state["running"], state["searcher"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"cannot restore TuneSearch from {checkpoint_path!r}: {error}; expected a file that its save() wrote"
            ) from None
        self._running = {trial_id: self._space.validate(design) for trial_id, design in running.items()}
        if told is not None:
            self.inner.restore(told)

    def _build(self, metric: str | None, mode: str | None) -> None:
        objective = self._objective
        if objective is None:
            if not metric or mode not in ("min", "max"):
                raise InputError(
                    f"TuneSearch needs objective=, or metric= and mode= ('min' or 'max'); got metric={metric!r}, mode={mode!r}"
                )
            self._metric, self._mode = metric, mode
            # Tune's metric names may hold slashes, which an expression cannot: read it under a name of our own
            objective = (minimize if mode == "min" else maximize)("value", name=metric)
            self._renamed.setdefault("value", metric)
        expressions = [*(term.expression for term in objective.terms), *(bound.expression for bound in objective.bounds)]
        self._needed = sorted({name for expression in expressions for name in expression.names})
        self._searcher = make_searcher(self._what, self._space, objective, seed=self._seed, **self._options)

    def _metrics(self, result: Mapping[str, Any]) -> Metrics:
        values: dict[str, float] = {}
        for name in self._needed:
            value = result.get(self._renamed.get(name, name))
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                return Metrics.failed(f"the trial reported {self._renamed.get(name, name)} = {shorten(value)}, expected a finite number")
            values[name] = float(value)
        return Metrics(values)

    def _tell(self, design: Design, metrics: Metrics) -> None:
        self.inner.tell([Trial(design, metrics, Provenance("ray-tune", "", self._space.version, "", ""), Keys("", ""))])
