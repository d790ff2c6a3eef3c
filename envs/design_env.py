"""`DesignEnv`: an environment as Gymnasium agents see it, a view of (evaluator, objective, budget)."""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import Any, ClassVar, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.core.evaluator import Evaluator
from designgym.core.metrics import Metrics, shown_unit
from designgym.core.objectives import Objective
from designgym.core.protocols import EquivalenceCache
from designgym.core.scores import ILLEGAL_SCORE, INFEASIBLE_SCORE
from designgym.core.trial import Trial
from designgym.core.workload import Workload
from designgym.envs.evaluators import make_evaluator
from designgym.envs.forms import Form, make_form

RESOLUTION = 1e-3  # metrics are observed in decades above this
DECADES = 21.0  # bound of an observed metric: 1e18 in its own unit
REWARD_LIMIT = 1e18  # bound of a feasible score as a reward, so that float32 agents can hold it

log = logging.getLogger("designgym.envs")
Reward = Literal["log", "score"]


class RenderModeError(InputError, TypeError):
    """A render mode that does not exist. As a TypeError it makes Stable-Baselines3's ``make_vec_env`` try again without one."""


class DesignEnv(gymnasium.Env[NDArray[np.float32], Any]):
    """A `gymnasium.Env` in which acting means proposing designs.

    **form="design"**: an action is a whole design (``MultiDiscrete``, or ``Box`` in [0, 1] if a column is continuous). The episode
    is cut off (``truncated``) after ``budget`` designs, since a budget is a limit on time and no state of the problem.

    **form="sequential"**: an action chooses one column of the design, `action_masks` says which choices make sense, and the last
    column ends the episode (``terminated``) with the reward; all rewards before are 0. An episode is one design.

    **Reward**: the objective's score in decades, ``sign(s) * log10(1 + |s|)``, higher is better and never beyond +-18.7. It ranks
    designs as the score does: feasible ones from -18 to 18, one that breaks bounds from -18.3 to -18.48 by how much it breaks them, an
    illegal one -18.54, a failed one, or one of which the objective has no value, -18.6. With ``reward="score"`` it is the score itself,
    clipped to +-1e18, and -2e18 to -3e18, -3.5e18, or -4e18, in those cases. ``info["score"]`` has the score.

    **Observation**: float32 numbers that depend on this episode only. The share of the episode that is over; the outcome of the
    last design (1 feasible, -1 not, 0 none yet); each metric in decades, ``sign(v) * log10(1 + |v| / 0.001)`` clipped to +-21, 0 if
    there is none; in the sequential form also each column's choice in [0, 1], -1 where none was made yet.

    **Info** after a design: ``design``, ``metrics`` (by name), ``units``, ``status``, ``reasons`` (why it is illegal, or why the
    objective has no value), ``error``, ``score``, ``feasible`` and ``trial``, whose ``obtained`` says how the result is known.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 4}  # type: ignore[misc]

    def __init__(
        self,
        evaluator: Evaluator,
        objective: Objective,
        budget: int = 200,
        *,
        form: Form = "design",
        reward: Reward = "log",
        levels: int = 16,
        render_mode: str | None = None,
    ) -> None:
        """Bind evaluator and objective.

        Args:
            evaluator: What evaluates designs.
            objective: What scores the results.
            budget: Designs per episode of the design form.
            form: ``design`` or ``sequential``.
            reward: ``log`` (decades of the score) or ``score``.
            levels: Choices per continuous column, or integer of thousands of values, in the sequential form.
            render_mode: None or ``ansi``.
        """
        if not isinstance(budget, int) or budget < 1:
            raise InputError(f"budget must be a whole number of designs, at least 1, got {budget!r}")
        if reward not in ("log", "score"):
            raise InputError(f"reward {reward!r} does not exist: expected 'log' or 'score'")
        if render_mode not in (None, "ansi"):
            raise RenderModeError(f"render_mode {render_mode!r} does not exist: expected None or 'ansi'")
        simulator = evaluator.simulator
        objective.check(simulator.metrics)
        self.evaluator, self.objective, self.budget, self.form, self.render_mode = evaluator, objective, budget, form, render_mode
        self._reward: Reward = reward
        self._actions = make_form(form, simulator.space, levels)
        self.action_space = self._actions.action_space
        metrics, choices = len(simulator.metrics), len(self._actions.choices)
        high = np.array([1.0, 1.0] + [DECADES] * metrics + [1.0] * choices, dtype=np.float32)
        low = np.array([0.0, -1.0] + [-DECADES] * metrics + [-1.0] * choices, dtype=np.float32)
        self.observation_space = spaces.Box(low, high, dtype=np.float32)
        self.units = {spec.name: spec.unit for spec in simulator.metrics}
        self.trial: Trial | None = None
        self._steps, self._length = 0, choices or budget
        self._outcome = 0.0
        self._warned = False
        self._recipe: partial[DesignEnv] | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode; there are no options."""
        super().reset(seed=seed)
        self._actions.reset()
        self.trial, self._steps, self._outcome = None, 0, 0.0
        return self._observe(), {"units": dict(self.units)}

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Act; see the class for what comes back.

        Raises:
            InputError: If the action is not in ``action_space``, or the episode is over.
        """
        if self._steps >= self._length:
            raise InputError(f"the episode is over after {self._length} steps: call reset()")
        design = self._actions.take(action)
        self._steps += 1
        over = self._steps == self._length
        if design is None:
            return self._observe(), 0.0, False, False, {"units": dict(self.units)}
        [self.trial] = self.evaluator.evaluate([design])
        metrics = self.trial.metrics
        score = self.objective.score(metrics)
        feasible = score > INFEASIBLE_SCORE  # the contract of `Objective.score`
        self._outcome = 1.0 if feasible else -1.0
        problem = self.objective.problem(metrics) if score == -math.inf else ""
        if problem and not self._warned:
            self._warned = True
            log.warning("%s, for the design %s; such designs get the worst reward", problem, design.literal)
        sequential = self.form == "sequential"
        info = {
            "design": design,
            "metrics": dict(metrics.values),
            "units": dict(self.units),
            "status": metrics.status,
            "reasons": (problem,) if problem else metrics.reasons,
            "error": metrics.error,
            "score": score,
            "feasible": feasible,
            "trial": self.trial,
        }
        return self._observe(), finite_reward(score, self._reward), over and sequential, over and not sequential, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions make sense now, as sb3-contrib's ``MaskablePPO`` asks for it.

        In the sequential form: choices that cannot lead to a legal design are excluded where that is cheap to tell, and a column
        without effect offers one choice. In the design form: the masks of all columns, one after the other, which a huge range or a
        continuous column refuses.
        """
        return self._actions.masks()

    def render(self) -> str | None:
        """Return the last design with its metrics and units in ``ansi`` mode."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() does nothing without a render mode: pass render_mode='ansi' to gymnasium.make")
            return None
        if self.trial is None:
            return "no design evaluated yet\n"
        return describe_trial(self.trial, self.units, self.objective)

    def __reduce__(self) -> Any:
        """Pickle an environment of `make_env` by its arguments: the copy starts a fresh episode with a cache of its own."""
        if self._recipe is not None:
            return self._recipe, ()
        return super().__reduce__()

    def _observe(self) -> NDArray[np.float32]:
        trial = self.trial
        values = trial.metrics.values if trial is not None and trial.metrics.ok else None
        row = [self._steps / self._length, self._outcome]
        row += [decades(values[name]) for name in self.units] if values is not None else [0.0] * len(self.units)
        row += self._actions.choices
        return np.array(row, dtype=np.float32)


def decades(value: float) -> float:
    """Return a metric on the observation's scale."""
    if value < 0:
        return -decades(-value)
    seen = math.log10(1 + value / RESOLUTION)
    return seen if seen < DECADES else DECADES


def finite_reward(score: float, scale: Reward) -> float:
    """Return a score as a finite reward; see `DesignEnv`."""
    if score == -math.inf:
        reward = -4 * REWARD_LIMIT
    elif score <= ILLEGAL_SCORE:
        reward = -3.5 * REWARD_LIMIT
    elif score <= INFEASIBLE_SCORE:
        reward = -REWARD_LIMIT * (1 + min(score / INFEASIBLE_SCORE, 2.0))
    else:
        reward = min(max(score, -REWARD_LIMIT), REWARD_LIMIT)
    return math.copysign(math.log10(1 + abs(reward)), reward) if scale == "log" else float(reward)


def describe_trial(trial: Trial, units: dict[str, str], objective: Objective) -> str:
    """Return a trial as lines of text, units included."""
    metrics: Metrics = trial.metrics
    lines = [f"design ({trial.obtained})"] + [f"  {name} = {value}" for name, value in trial.design.items()]
    if metrics.ok:
        lines += ["metrics"] + [f"  {name} = {value:.6g} {shown_unit(units[name])}".rstrip() for name, value in metrics.values.items()]
        lines += [f"objective: {objective.describe()}: {objective.problem(metrics) or f'score {objective.score(metrics):.6g}'}"]
        broken = {text: amount for text, amount in objective.violations(metrics).items() if amount < math.inf}
        lines += [f"  breaks {text} by {100 * amount:.3g} %" for text, amount in broken.items()]
    else:
        lines += [f"{metrics.status}: {'; '.join(metrics.reasons) or metrics.error}"]
    return "\n".join(lines) + "\n"


def make_env(
    env_id: str,
    *,
    workload: str | Workload | None = None,
    objective: str | Objective | None = None,
    form: Form = "design",
    budget: int | None = None,
    reward: Reward = "log",
    levels: int = 16,
    fidelity: float = 1.0,
    seed: int = 0,
    cache: EquivalenceCache | Literal["local"] | None = "local",
    render_mode: str | None = None,
    **options: Any,
) -> DesignEnv:
    """Return a registered environment as a `DesignEnv`; ``gymnasium.make(id, ...)`` ends here.

    Args:
        env_id: A registered id.
        workload: Its name, or a workload; the environment's default for None.
        objective: Its name, or an objective; the environment's default for None.
        form: ``design`` or ``sequential``.
        budget: Designs per episode of the design form; the environment's default for None.
        reward: ``log`` (decades of the score) or ``score``.
        levels: Choices per continuous column, or integer of thousands of values, in the sequential form.
        fidelity: Fraction of full fidelity in (0, 1].
        seed: Seed of a simulator that is not deterministic.
        cache: Where results are shared: ``local`` (a cache of this environment's own), a cache, or None to measure every design.
        render_mode: None or ``ansi``.
        **options: Options of the environment's simulator.
    """
    from designgym.envs import environment

    arguments: dict[str, Any] = dict(
        workload=workload, objective=objective, form=form, budget=budget, reward=reward, levels=levels, fidelity=fidelity, seed=seed,
        cache=cache, render_mode=render_mode, **options,
    )  # fmt: skip
    spec = environment(env_id)
    # functional keys are probable, not certain: rewards would depend on what was tried before
    evaluator = make_evaluator(spec, workload=workload, cache=cache, functional="off", fidelity=fidelity, seed=seed, options=options)
    env = DesignEnv(
        evaluator, spec.objective(objective), spec.budget if budget is None else budget, form=form, reward=reward, levels=levels,
        render_mode=render_mode,
    )  # fmt: skip
    env._recipe = partial(make_env, env_id, **arguments)
    return env


make_env.metadata = DesignEnv.metadata  # type: ignore[attr-defined]  # read by gymnasium.make to check the render mode
