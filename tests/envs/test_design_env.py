import math
import pickle
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import designgym as dg
from designgym.core import registry
from designgym.core.errors import InputError, UnknownNameError
from designgym.core.metrics import Metrics
from designgym.core.scores import ILLEGAL_SCORE, INFEASIBLE_SCORE, LARGEST, infeasible_score
from designgym.core.testing import Crashing, check_env
from designgym.envs import environment, make_env
from designgym.envs.design_env import DesignEnv, decades, finite_reward
from designgym.envs.forms import make_form

ID = "test/Cache-v0"
MIXED_ID = "test/Mixed-v0"
SPACE = dg.DesignSpace(
    ways=dg.Integer(1, 16), policy=dg.Categorical("lru", "fifo"), sets=dg.PowerOfTwo(1, 64), degree=dg.Integer(1, 4),
    conditions=[dg.Condition("degree", "policy == 'lru'")],
    constraints=[dg.Constraint("ways * sets <= 64", "more than 64 blocks do not fit"), dg.Constraint("ways != 13", "bad luck")],
)  # fmt: skip
MIXED = dg.DesignSpace(
    order=dg.Permutation("a", "b", "c"), rate=dg.Float(0.1, 10, log=True), layers=dg.Repeated(dg.DesignSpace(k=dg.Integer(1, 3)), 0, 2),
    depth=dg.Integer(0, 3), conditions=[dg.Condition("rate", "depth > 1")],
)  # fmt: skip


@dg.simulator(space=SPACE, metrics=["latency_ns", "area_mm2"], version="1")
def cache(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
    """A made-up cache."""
    return {"latency_ns": 100 / design["ways"] + design["sets"] * workload, "area_mm2": design["ways"] * design["sets"] / 64}


@dg.simulator(space=MIXED, metrics=["cost"], version="1")
def mixed(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
    """Everything at once."""
    return {"cost": len(design["layers"]) + (design["rate"] if design["depth"] > 1 else 0)}


@pytest.fixture(autouse=True, scope="module")
def environments() -> Iterator[None]:
    dg.register(
        ID, cache, workloads={"a": 1.0, "b": 2.0}, budget=20,
        objectives={"fast": dg.minimize("latency_ns", subject_to={"area_mm2": "<= 0.5"}), "small": dg.minimize("area_mm2")},
    )  # fmt: skip
    dg.register(MIXED_ID, mixed, workloads={"none": None}, objective=dg.minimize("cost"))
    yield
    for id in (ID, MIXED_ID):
        registry._environments.pop(id)
        gymnasium.registry.pop(id)


@pytest.mark.parametrize("id", [ID, MIXED_ID])
def test_the_kit_finds_nothing(id: str) -> None:
    check_env(id)


def test_integers_of_a_huge_range_are_cut_into_levels() -> None:
    form = make_form("sequential", dg.DesignSpace(address=dg.Integer(0, 1 << 40), ways=dg.Integer(1, 9)), levels=5)
    assert form.action_space.n == 9 and form.masks().sum() == 5
    assert form.take(4) is None and form.masks().sum() == 9
    design = form.take(0)
    assert design is not None and design["ways"] == 1 and design["address"] > 0.8 * (1 << 40)


def test_masks_of_a_huge_range_are_refused_before_they_take_memory() -> None:
    space = dg.DesignSpace(
        address=dg.Integer(0, 10**9), ways=dg.Integer(1, 9), constraints=[dg.Constraint("address >= ways", "an address is taken")]
    )
    form = make_form("design", space, levels=5)
    with pytest.raises(InputError, match=r"1,000,000,001 for 'address'.*form='sequential'.*Float"):
        form.masks()
    design = form.take(np.array([10**9, 3]))
    assert design is not None and design["address"] == 10**9
    assert make_form("sequential", space, levels=5).masks().sum() == 5
    wide = make_form("design", dg.DesignSpace(address=dg.Integer(1, 1 << 16)), levels=5)
    assert wide.masks().shape == (1 << 16,)


def test_a_step_of_the_design_form() -> None:
    env = make_env(ID, budget=3, reward="score")
    observation, info = env.reset(seed=0)
    assert observation.tolist() == [0, 0, 0, 0] and info["units"] == {"latency_ns": "ns", "area_mm2": "mm^2"}
    observation, reward, terminated, truncated, info = env.step(np.array([3, 0, 2, 0]))
    assert info["design"].to_dict() == {"ways": 4, "policy": "lru", "sets": 4, "degree": 1}
    assert info["metrics"] == {"latency_ns": 29.0, "area_mm2": 0.25} and info["status"] == "ok" and info["feasible"]
    assert reward == info["score"] == -29.0 and info["trial"].obtained == "measured"
    assert observation == pytest.approx([1 / 3, 1, decades(29.0), decades(0.25)]) and not terminated and not truncated
    *_, info = env.step(np.array([3, 0, 2, 0]))
    assert info["trial"].obtained == "exact hit" and info["trial"] == env.trial
    *_, terminated, truncated, info = env.step(np.array([3, 1, 2, 2]))  # degree has no effect under fifo, but the policy differs
    assert truncated and not terminated
    with pytest.raises(InputError, match="episode is over"):
        env.step(np.array([0, 0, 0, 0]))


def test_constraints_and_failures_get_finite_rewards_in_order() -> None:
    env = make_env(ID)
    env.reset()
    rewards = {}
    for name, action in (("good", [3, 0, 2, 0]), ("breaks the bound", [9, 0, 2, 0]), ("illegal", [15, 0, 6, 0])):
        observation, rewards[name], _, _, info = env.step(np.array(action))
        assert observation[1] == (1 if name == "good" else -1) and env.observation_space.contains(observation)
    assert rewards["good"] > rewards["breaks the bound"] > rewards["illegal"] and np.isfinite(np.float32(rewards["illegal"]))
    assert info["score"] == ILLEGAL_SCORE and info["reasons"] == ("more than 64 blocks do not fit",) and info["metrics"] == {}
    for scale in ("score", "log"):
        scores = [1e200, 5.0, 0.0, -5.0, -1e17, -1e200, infeasible_score(1e-30), -1.5e300, -2e300, ILLEGAL_SCORE, -np.inf]
        finite = np.array([finite_reward(score, scale) for score in scores], dtype=np.float32)
        assert np.isfinite(finite).all() and (np.diff(finite) < 0).all(), "the score's order, in single precision too"
    assert finite_reward(-999.0, "log") == pytest.approx(-3)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False), st.floats(0, LARGEST))
def test_the_reward_is_bounded_and_ranks_as_the_score_does(a: float, b: float, violation: float) -> None:
    assume(min(a, b) > INFEASIBLE_SCORE)
    good, better = sorted(finite_reward(score, "log") for score in (a, b))
    assert (good, better) == tuple(finite_reward(score, "log") for score in sorted((a, b))) and -18.001 < good <= better < 18.001
    broken, illegal, failed = (finite_reward(score, "log") for score in (infeasible_score(violation), ILLEGAL_SCORE, -math.inf))
    assert good - 0.25 > broken > illegal + 0.05 > illegal > failed + 0.05 > failed > -18.7


def test_the_default_reward_is_in_decades() -> None:
    env = make_env(ID)
    env.reset()
    _, reward, _, _, info = env.step(np.array([3, 0, 2, 0]))
    assert reward == pytest.approx(-math.log10(30.0)) and info["score"] == -29.0
    assert env.step(np.array([15, 0, 6, 0]))[1] == pytest.approx(-math.log10(3.5e18))


def test_a_result_without_a_value_of_the_objective_gets_the_worst_reward_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    env = make_env(ID, objective=dg.minimize("1 / (latency_ns - 29)"), render_mode="ansi")
    env.reset()
    for _ in range(2):
        observation, reward, _, _, info = env.step(np.array([3, 0, 2, 0]))
        assert info["status"] == "ok" and info["score"] == -math.inf and not info["feasible"] and observation[1] == -1
        assert (
            reward == finite_reward(-math.inf, "log") and "division by zero" in info["reasons"][0] and info["metrics"]["latency_ns"] == 29
        )
    assert len(caplog.records) == 1 and "1 / (latency_ns - 29)" in caplog.text and '"ways":4' in caplog.text
    assert "division by zero" in str(env.render())
    assert env.step(np.array([4, 0, 2, 0]))[4]["feasible"]


def test_observations_are_bounded_and_monotone() -> None:
    seen = [decades(value) for value in (-1e300, -5.0, -1e-9, 0.0, 1e-9, 0.5, 1.0, 1e18, 1e300)]
    assert seen == sorted(seen) and max(map(abs, seen)) <= 21.0 and seen[6] == pytest.approx(3, abs=1e-3)


def test_a_sequential_episode_is_one_design() -> None:
    env = make_env(ID, form="sequential")
    observation, _ = env.reset(seed=0)
    assert env.action_space == gymnasium.spaces.Discrete(16) and observation[4:].tolist() == [-1] * 4
    for action, expected in ((7, 15), (1, 2), (3, 4)):
        mask = env.action_masks()
        assert mask.sum() == expected, "ways: not 13; policy: two; sets: 8 * sets <= 64"
        observation, reward, terminated, truncated, info = env.step(action)
        assert reward == 0 and not terminated and not truncated and "design" not in info
    assert env.action_masks().tolist() == [True] + [False] * 15  # no degree under fifo
    _, reward, terminated, truncated, info = env.step(0)
    assert (
        terminated and not truncated and reward == pytest.approx(-math.log10(2.5e18)) and info["score"] == -1.5e300
    )  # the bound on the area is broken
    assert info["design"].to_dict() == {"ways": 8, "policy": "fifo", "sets": 8, "degree": 1}
    assert env.action_masks().any()  # agents ask once more after the end


def test_masks_lead_to_legal_designs_only() -> None:
    env, rng = make_env(ID, form="sequential", cache=None), np.random.default_rng(0)
    for _ in range(50):
        _, info = env.reset()
        over = False
        while not over:
            _, _, over, _, info = env.step(rng.choice(np.flatnonzero(env.action_masks())))
        assert info["status"] == "ok"


def test_masks_of_structured_and_continuous_columns() -> None:
    env = make_env(MIXED_ID, form="sequential", levels=5)
    _, info = env.reset()
    seen = []
    over = False
    while not over:
        mask = env.action_masks()
        seen.append(int(mask.sum()))
        _, _, over, _, info = env.step(int(np.flatnonzero(mask)[0]))
    # three sort keys of 5 levels, a length of three, two absent elements, the depth, and a rate without effect at depth 0
    assert seen == [5, 5, 5, 3, 1, 1, 4, 1]
    assert info["design"]["layers"] == () and info["design"]["rate"] == MIXED.parameters["rate"].default


def test_masks_in_the_design_form() -> None:
    masks = make_env(ID).action_masks()
    assert masks.shape == (16 + 2 + 7 + 4,) and not masks[12] and masks.sum() == 28
    with pytest.raises(InputError, match="sequential"):
        make_env(MIXED_ID).action_masks()


def test_a_dead_end_offers_every_value() -> None:
    space = dg.DesignSpace(a=dg.Integer(0, 1), b=dg.Integer(0, 1), constraints=[dg.Constraint("a * b > 5", "impossible")])

    @dg.simulator(space=space, metrics=["x"], version="1")
    def never(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
        return {"x": 0.0}

    env = DesignEnv(dg.Evaluator(never, dg.Workload("w")), dg.minimize("x"), form="sequential")
    env.reset()
    assert env.action_masks().tolist() == [True, True]


@pytest.mark.parametrize("action", [16, -1, 1.5, "a", None, np.array([1]), True + 0.5])
def test_sequential_actions_outside_the_space_are_refused(action: Any) -> None:
    env = make_env(ID, form="sequential")
    env.reset()
    with pytest.raises(InputError, match="is not in Discrete"):
        env.step(action)


def test_arguments_are_checked() -> None:
    bad: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"form": "sideways"}, InputError, "sideways"), ({"budget": 0}, InputError, "budget"), ({"budget": 2.5}, InputError, "budget"),
        ({"reward": "gold"}, InputError, "gold"), ({"render_mode": "human"}, InputError, "human"),
        ({"levels": 1, "form": "sequential"}, InputError, "levels"),
        ({"workload": "z"}, UnknownNameError, "'z'"), ({"objective": "z"}, UnknownNameError, "'z'"),
        ({"speed": 3}, UnknownNameError, "'speed'"),
        ({"cache": "global"}, InputError, "global"), ({"fidelity": 0}, InputError, "fidelity"),
        ({"objective": dg.minimize("weight_kg")}, UnknownNameError, "weight_kg"),
    ]  # fmt: skip
    for arguments, error, message in bad:
        with pytest.raises(error, match=message):
            make_env(ID, **arguments)
    with pytest.raises(UnknownNameError, match="environment"):
        make_env("test/Nobody-v0")


def test_objectives_and_workloads_can_be_chosen() -> None:
    env = make_env(ID, workload="b", objective="small", reward="score")
    env.reset()
    assert env.step(np.array([0, 0, 0, 0]))[1] == pytest.approx(-1 / 64)
    own = make_env(ID, workload=dg.Workload("mine", 3.0), objective=dg.maximize("latency_ns"), reward="score")
    own.reset()
    assert own.step(np.array([0, 0, 0, 0]))[1] == pytest.approx(103.0)


def test_render_shows_units() -> None:
    env = gymnasium.make(ID, render_mode="ansi").unwrapped
    env.reset()
    assert "no design" in str(env.render())
    env.step(np.array([9, 0, 2, 0]))
    text = str(env.render())
    assert "latency_ns = 14 ns" in text and "area_mm2 = 0.625 mm^2" in text and "breaks area_mm2 <= 0.5 by 25 %" in text
    env.step(np.array([15, 0, 6, 0]))
    assert "infeasible: more than 64 blocks do not fit" in str(env.render())
    silent = make_env(ID)
    silent.reset()
    with pytest.warns(UserWarning, match="render_mode='ansi'"):
        assert silent.render() is None


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vectors_of_environments(mode: str) -> None:
    envs = gymnasium.make_vec(ID, num_envs=2, vectorization_mode=mode, budget=3, reward="score")
    envs.reset(seed=1)
    actions = np.array([[3, 0, 2, 0], [15, 0, 6, 0]])
    for _ in range(2):
        _, rewards, _, _, infos = envs.step(actions)
        assert rewards[0] == -29.0 and rewards[1] < -1e18
    *_, truncated, infos = envs.step(actions)
    assert truncated.all() and infos["metrics"]["latency_ns"][0] == 29.0 and infos["design"][1]["ways"] == 16
    envs.step(actions)  # resets by itself
    envs.close()


def test_stable_baselines_makes_vectors_of_environments() -> None:
    make_vec_env = pytest.importorskip("stable_baselines3.common.env_util").make_vec_env
    envs = make_vec_env(ID, n_envs=2, seed=0, env_kwargs={"budget": 2, "reward": "score"})  # asks for render_mode="rgb_array" first
    envs.reset()
    envs.step(np.array([[3, 0, 2, 0], [3, 0, 2, 0]]))
    _, rewards, dones, _ = envs.step(np.array([[3, 0, 2, 0], [3, 0, 2, 0]]))
    assert rewards.tolist() == [-29.0, -29.0] and dones.all()
    envs.close()


def test_pickling_and_specs_make_fresh_copies() -> None:
    env = gymnasium.make(ID, budget=7, workload="b")
    env.reset()
    env.step(env.action_space.sample())
    for copy in (pickle.loads(pickle.dumps(env.unwrapped)), pickle.loads(pickle.dumps(env.spec)).make().unwrapped):
        assert copy.budget == 7 and copy.evaluator.workload.name == "b" and copy.trial is None
    assert env.spec is not None and gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()).make().unwrapped.budget == 7  # type: ignore[attr-defined]


def test_a_crashing_simulator_fails_designs_not_the_episode() -> None:
    env = DesignEnv(dg.Evaluator(Crashing(cache, 0.5), dg.Workload("w", 1.0)), dg.minimize("latency_ns"), budget=40)
    env.reset(seed=0)
    env.action_space.seed(0)
    statuses = {env.step(env.action_space.sample())[4]["status"] for _ in range(40)}
    assert {"ok", "failed", "infeasible"} <= statuses
    assert Metrics.failed("x").status == "failed"


def test_built_in_environments_are_found() -> None:
    spec = environment("designgym/DramController-v0")
    assert next(iter(spec.objectives)) == "energy_delay" and spec.default_workload in spec.workloads.names()
