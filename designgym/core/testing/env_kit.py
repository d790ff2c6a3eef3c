"""`check_env`: a registered environment as Gymnasium, Stable-Baselines3 and users meet it."""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from designgym.core.errors import InputError, NotInstalledError
from designgym.core.registry import EnvironmentSpec, spec
from designgym.core.testing.findings import Findings
from designgym.core.testing.simulator_kit import inspect_simulator

HARMLESS = ("symmetric and normalized Box action space",)  # encodings are in [0, 1]; agents that want [-1, 1] rescale
STEPS = 3
SIMULATOR_SAMPLES = 3  # each is evaluated some eight times; check_simulator looks closer


def check_env(env_id: str, *, workloads: int = 8, seed: int = 0) -> None:
    """Check both forms, all objectives and some workloads of a registered environment.

    Args:
        env_id: Its id.
        workloads: How many of its workloads are tried.
        seed: Seed of the actions.

    Raises:
        ConformanceError: Listing everything that is broken.
        NotInstalledError: If its simulator cannot run here.
    """
    environment = spec(env_id)
    installed, remedy = environment.installed()
    if not installed:
        raise NotInstalledError(f"{env_id} is not installed: {remedy}")
    found = Findings(f"environment {env_id!r}")
    found.check(environment.description.strip(), "must have a description")
    if not _check_simulator(environment, seed, found):
        found.finish()  # what else there is to say would be consequences
    for form in ("design", "sequential"):
        with found.no_exception(f"the {form} form"):
            _check_gym(env_id, form, found)
            _check_episode(env_id, form, seed, found)
    with found.no_exception("vectorising"):
        _check_vector(env_id, seed, found)
    _check_choices(environment, workloads, seed, found)
    found.finish()


def _check_simulator(environment: EnvironmentSpec, seed: int, found: Findings) -> bool:
    """Check that designs can be evaluated at all, and that the default objective has a value for some of them."""
    with found.no_exception("making the simulator and the default workload"):
        simulator, workload = environment.simulator(), environment.workload()
        about = Findings("")
        trials = inspect_simulator(simulator, workload, about, samples=SIMULATOR_SAMPLES, twins=1, seed=seed)
        name = getattr(simulator, "name", "")
        for sentence in about.sentences:
            found.check(False, f"the simulator {name!r} on workload {workload.name!r}: {sentence}")
        if about.sentences:
            return False
        objective = environment.objective()
        problems = [objective.problem(metrics) for _, metrics in trials if metrics.ok]
        law = f"the default objective {environment.default_objective!r} must have a value for a sampled design"
        return found.check(not problems or "" in problems, law, next(iter(problems), ""))
    return False


def _check_gym(env_id: str, form: str, found: Findings) -> None:
    import gymnasium
    from gymnasium.utils.env_checker import check_env as gymnasium_check

    checkers: list[tuple[str, Callable[[Any], None]]] = [("Gymnasium", gymnasium_check)]
    if importlib.util.find_spec("stable_baselines3"):
        from stable_baselines3.common.env_checker import check_env as sb3_check

        checkers.append(("Stable-Baselines3", sb3_check))
    for name, check in checkers:
        env = gymnasium.make(env_id, form=form).unwrapped
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with found.no_exception(f"{name}'s checker on the {form} form"):
                check(env)
        for warning in caught:
            if not any(text in str(warning.message) for text in HARMLESS) and not issubclass(warning.category, DeprecationWarning):
                found.check(False, f"{name}'s checker warns about the {form} form", warning.message)
        env.close()


def _check_episode(env_id: str, form: str, seed: int, found: Findings) -> None:
    import gymnasium

    runs = []
    for _ in range(2):
        env: Any = gymnasium.make(env_id, form=form, budget=STEPS).unwrapped
        observation, info = env.reset(seed=seed)
        env.action_space.seed(seed)
        rng, run, over = np.random.default_rng(seed), [observation.tolist()], False
        while not over:
            action = env.action_space.sample()
            if form == "sequential":
                mask = env.action_masks()
                found.check(mask.any() and mask.shape == (env.action_space.n,), "masks must allow an action", mask)
                action = int(rng.choice(np.flatnonzero(mask)))
            observation, reward, terminated, truncated, info = env.step(action)
            over = terminated or truncated
            found.check(observation in env.observation_space, "observations must be in the observation space", observation)
            found.check(math.isfinite(reward), "rewards must be finite", reward)
            run.append([*observation.tolist(), reward])
        for key in ("design", "metrics", "units", "score", "feasible", "trial"):
            found.check(key in info, "info must have design, metrics, units, score, feasible and trial", key)
        try:
            env.reset()
            env.step(np.full(99, -1))
        except InputError:
            pass
        else:
            found.check(False, f"an action outside the space must raise InputError in the {form} form")
        runs.append(run)
    found.check(runs[0] == runs[1], "equal seeds and actions must give equal episodes", form)


def _check_vector(env_id: str, seed: int, found: Findings) -> None:
    import gymnasium

    envs = gymnasium.make_vec(env_id, num_envs=2, vectorization_mode="sync")
    observations, _ = envs.reset(seed=seed)
    envs.action_space.seed(seed)
    found.check(observations.shape[0] == 2, "make_vec must give one observation per environment", observations.shape)
    for _ in range(2):
        _, rewards, _, _, _ = envs.step(envs.action_space.sample())
        found.check(bool(np.isfinite(rewards).all()), "rewards must be finite", rewards)
    envs.close()


def _check_choices(environment: EnvironmentSpec, workloads: int, seed: int, found: Findings) -> None:
    simulator = environment.simulator()
    designs = simulator.space.sample(np.random.default_rng(seed), STEPS)
    names = environment.workloads.names()
    found.check(names, "must offer workloads")
    for name in dict.fromkeys([environment.default_workload, *names[:workloads]]):
        with found.no_exception(f"workload {name!r}"):
            workload = environment.workload(name)
            found.check(workload.name == name, "a workload must go by the name it was asked for", f"{name!r} and {workload.name!r}")
            found.check(workload.digest == environment.workload(name).digest, "a workload's digest must not change", name)
            results = simulator.evaluate(designs, workload, fidelity=1.0, seed=seed)
            found.check(len(results) == len(designs), "must evaluate on every workload", name)
            for title, objective in environment.objectives.items():
                for result in results:
                    score, vector = objective.score(result), objective.vector(result)
                    found.check(not math.isnan(score), f"objective {title!r} must give a number", score)
                    found.check(len(vector) == len(objective.terms), f"objective {title!r} must give a number per term", vector)
                found.check(objective.describe(), f"objective {title!r} must describe itself")
    for title in environment.objectives:
        found.check(environment.objective(title).name == title, "objectives must go by their names", title)
