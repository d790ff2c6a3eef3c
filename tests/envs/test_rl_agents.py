"""Agents as they come: PPO of Stable-Baselines3 with its own settings learns on the default reward, and nothing warns."""

import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import pytest

import designgym as dg
from designgym.core import registry

PPO = pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is not installed (extra rl)").PPO
ID = "test/HalfIllegal-v0"
SPACE = dg.DesignSpace(
    ways=dg.Integer(1, 16), sets=dg.PowerOfTwo(1, 64), constraints=[dg.Constraint("ways * sets <= 64", "more than 64 blocks do not fit")]
)


@dg.simulator(space=SPACE, metrics=["latency_ns"], version="1")
def cache(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
    """A made-up cache, of which half the designs are illegal."""
    return {"latency_ns": 100 / design["ways"] + design["sets"]}


@pytest.fixture(autouse=True, scope="module")
def environment() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks this small only wait for each other
    dg.register(ID, cache, workloads={"a": None}, objective=dg.minimize("latency_ns"))
    yield
    registry._environments.pop(ID)
    gymnasium.registry.pop(ID)
    torch.set_num_threads(threads)


def learn(env_id: str, steps: int, **arguments: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # of the libraries among themselves
        agent = PPO("MlpPolicy", gymnasium.make(env_id, **arguments), n_steps=steps // 4, batch_size=steps // 8, seed=0, device="cpu")
        agent.learn(steps)


@pytest.mark.parametrize("form", ["design", "sequential"])
def test_the_default_reward_suits_an_agent(form: str) -> None:
    learn(ID, 256, form=form)


def test_raw_scores_are_too_much_for_single_precision() -> None:
    with pytest.raises(RuntimeWarning, match="overflow"):
        learn(ID, 256, reward="score")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["design", "sequential"])
def test_the_default_reward_suits_an_agent_on_a_memory_controller(form: str) -> None:
    learn("designgym/DramController-v0", 2000, form=form)
