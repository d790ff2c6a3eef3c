"""Tasks, metrics, probe: what a search sees of programs."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError, UnknownNameError
from designgym.core.workload import Workload
from designgym.hashing.functional import functional_hash
from designgym.simulators.programs import AutoMLZero, Program, TaskSet, TaskWorkloads
from designgym.simulators.programs.instructions import LISTS, pack
from designgym.simulators.programs.known_programs import affine_regressor, linear_regressor, neural_network
from designgym.simulators.programs.probe import NEVER, REPETITIONS, SHOWN, VERSION, behaviour
from designgym.simulators.programs.simulator import effective_instructions
from designgym.simulators.programs.tasks import MOST_FEATURES, probe_tasks

SIMULATOR = AutoMLZero()
WORKLOADS = TaskWorkloads()
SMALL = Workload("small", TaskSet("linear", 3, tasks=4, train_examples=40, valid_examples=10))


def design(program: dict[str, Any]) -> Any:
    return SIMULATOR.space.validate(program)


def packed(program: dict[str, Any]) -> Any:
    return pack([design(program)[name] for name in LISTS])


def measure(program: dict[str, Any], workload: Workload | str, **options: Any) -> Any:
    workload = WORKLOADS.get(workload) if isinstance(workload, str) else workload
    return SIMULATOR.evaluate([design(program)], workload, **options)[0]


def written(*instructions: dict[str, Any], **lists: list[dict[str, Any]]) -> dict[str, Any]:
    return {"setup": [], "predict": list(instructions), "learn": []} | lists


# ---- tasks -----------------------------------------------------------------------------------------------------------------


def test_tasks_are_what_their_kinds_say() -> None:
    for kind, exact in (("linear", True), ("affine", True), ("nonlinear", False)):
        arrays = TaskSet(kind, 3, tasks=2, train_examples=200, valid_examples=50).arrays()  # type: ignore[arg-type]
        for task in range(2):
            ones = np.ones((200, 1)) if kind == "affine" else np.zeros((200, 0))
            x, y = np.hstack([arrays.train_x[..., task], ones]), arrays.train_y[:, task]
            weights, *_ = np.linalg.lstsq(x, y)
            residue = float(np.abs(x @ weights - y).max())
            assert (residue < 1e-9) == exact
            assert abs(arrays.train_x.mean()) < 0.1 and abs(arrays.train_x.std() - 1) < 0.1
        assert not np.array_equal(arrays.train_y[:, 0], arrays.train_y[:, 1])


def test_a_nonlinear_task_is_a_network_without_bias() -> None:
    """Positively homogeneous: y(2 x) = 2 y(x), which no other kind of nonlinearity at hand is."""
    from designgym.simulators.programs.tasks import _teacher

    label = _teacher("nonlinear", 4, np.random.default_rng(0))
    x = np.random.default_rng(1).standard_normal((50, 4))
    np.testing.assert_allclose(label(2 * x), 2 * label(x))
    assert np.abs(label(x) + label(-x)).max() > 0.1


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["linear", "affine", "nonlinear"]), st.integers(1, 5), st.integers(1, 20), st.integers(1, 20))
def test_a_head_is_the_beginning(kind: Any, features: int, few: int, more: int) -> None:
    whole = TaskSet(kind, features, tasks=2, train_examples=few + more, valid_examples=4)
    part, arrays = whole.head(few).arrays(), whole.arrays()
    np.testing.assert_array_equal(part.train_x, arrays.train_x[:few])
    np.testing.assert_array_equal(part.train_y, arrays.train_y[:few])
    np.testing.assert_array_equal(part.valid_y, arrays.valid_y)


def test_equal_tasks_have_equal_digests_and_others_do_not() -> None:
    names = ["linear-4", "linear-5", "affine-4", "nonlinear-4", "linear-4-s1"]
    digests = [WORKLOADS.get(name).digest for name in names]
    assert len(set(digests)) == len(names) and digests == [WORKLOADS.get(name).digest for name in names]
    assert WORKLOADS.get("linear-4").data.head(10).digest != WORKLOADS.get("linear-4").data.digest
    assert [WORKLOADS.get(name).name for name in WORKLOADS.names()] == WORKLOADS.names()


@pytest.mark.parametrize("name", ["linear", "linear-0", f"linear-{MOST_FEATURES + 1}", "cubic-4", "linear-4-7", "linear-4-s", ""])
def test_an_unknown_task_is_refused_and_the_form_of_names_said(name: str) -> None:
    with pytest.raises(UnknownNameError, match="linear-6-s7"):
        WORKLOADS.get(name)


@pytest.mark.parametrize("field", [{"features": 0}, {"features": 17}, {"tasks": 0}, {"train_examples": 0}, {"valid_examples": 0}])
def test_impossible_task_sets_are_refused(field: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(field))):
        TaskSet(**({"kind": "linear", "features": 4} | field))  # type: ignore[arg-type]


# ---- metrics ---------------------------------------------------------------------------------------------------------------


def test_regression_by_gradient_descent_is_near_perfect() -> None:
    for name in ("linear-2", "linear-4", "linear-8"):
        result = measure(linear_regressor(), name)
        assert result["fitness"] > 0.9999 and result["stopped_tasks"] == 0
    assert measure(affine_regressor(), "affine-4")["fitness"] > 0.9999 > 0.8 > measure(linear_regressor(), "affine-4")["fitness"]


def test_backpropagation_beats_every_linear_program_on_nonlinear_tasks() -> None:
    network = measure(neural_network(), "nonlinear-4")
    assert network["fitness"] > measure(affine_regressor(), "nonlinear-4")["fitness"] + 0.2
    assert network != measure(neural_network(), "nonlinear-4", seed=1)  # other weights to begin with


def test_fitness_and_loss_follow_from_the_errors() -> None:
    """The empty program predicts 0, so its RMS error is that of the labels."""
    labels = SMALL.data.arrays().valid_y
    rms = np.sqrt((labels**2).mean(axis=0))
    result = measure(written(), SMALL)
    assert result["loss"] == pytest.approx(rms.mean())
    assert result["fitness"] == pytest.approx((1 - 2 / np.pi * np.arctan(rms)).mean())


def test_infinity_nan_and_large_errors_stop_a_task() -> None:
    infinite = written({"op": "s_reciprocal", "in1": 2, "out": 1})
    nan = written({"op": "s_div", "in1": 2, "in2": 2, "out": 1})
    large = written({"op": "s_exp", "in1": 2, "out": 1}, setup=[{"op": "s_const", "out": 2, "value": 4.7}])
    below = written({"op": "s_exp", "in1": 2, "out": 1}, setup=[{"op": "s_const", "out": 2, "value": 4.0}])
    for program in (infinite, nan, large):
        assert measure(program, SMALL).values == {"fitness": 0, "loss": 100, "stopped_tasks": 4}
    assert measure(below, SMALL)["stopped_tasks"] == 0


def test_predict_cannot_read_the_label() -> None:
    """Neither while learning nor after: copying s0 predicts 0, as the empty program does."""
    copied = measure(written({"op": "s_add", "in1": 0, "in2": 5, "out": 1}), SMALL)
    assert copied["loss"] == measure(written(), SMALL)["loss"]


def test_fidelity_is_the_share_of_training_examples() -> None:
    whole, part = measure(linear_regressor(), SMALL, fidelity=0.25), measure(linear_regressor(), Workload("head", SMALL.data.head(10)))
    assert whole == part
    fitness = [measure(linear_regressor(), "linear-4", fidelity=fidelity)["fitness"] for fidelity in (0.001, 0.01, 0.05, 1.0)]
    assert all(a < b for a, b in pairwise(fitness))
    for fidelity in (0.0, 1.5):
        with pytest.raises(InputError, match="fidelity"):
            measure(linear_regressor(), SMALL, fidelity=fidelity)


def test_results_change_only_with_the_version() -> None:
    """Whoever has to change these numbers raises `AutoMLZero.version`: stored results would be taken for the new ones."""
    assert SIMULATOR.version == "1"
    assert measure(neural_network(), SMALL, seed=5)["loss"] == pytest.approx(1.3200309930262077, rel=1e-9)
    assert measure(linear_regressor(), SMALL)["loss"] == pytest.approx(0.2309948682963583, rel=1e-9)
    designs = SIMULATOR.space.sample(np.random.default_rng(0), 50)
    forms = "".join(SIMULATOR.space.canonical(each).literal for each in designs)
    assert blake3(forms.encode()).hexdigest(length=8) == "490617d6500d5884"


def test_threads_change_nothing() -> None:
    designs = [*SIMULATOR.space.sample(np.random.default_rng(0), 40), design(neural_network())]
    assert AutoMLZero(threads=3).evaluate(designs, SMALL, seed=3) == SIMULATOR.evaluate(designs, SMALL, seed=3)


@pytest.mark.parametrize("options", [{"threads": 0}, {"operations": "quantum"}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"threads|quantum"):
        AutoMLZero(**options)


def test_another_workload_is_refused() -> None:
    with pytest.raises(InputError, match="TaskSet"):
        SIMULATOR.evaluate([SIMULATOR.space.default()], Workload("trace", [1, 2]))


def test_effective_instructions_are_those_that_are_not_dead() -> None:
    program = linear_regressor()
    program["learn"].append({"op": "s_exp", "in1": 3, "out": 5})
    assert effective_instructions(design(program)) == 6 and effective_instructions(SIMULATOR.space.default()) == 0


# ---- the functional key ----------------------------------------------------------------------------------------------------

DOUBLE = {"op": "v_add", "in1": 0, "in2": 0, "out": 2}
DOUBLED = [DOUBLE, {"op": "v_mean", "in1": 2, "out": 1}]
MEAN_FIRST = [{"op": "v_mean", "in1": 0, "out": 2}, {"op": "s_add", "in1": 2, "in2": 2, "out": 1}]
TRIPLED = [DOUBLE, {"op": "v_add", "in1": 0, "in2": 2, "out": 2}, {"op": "v_mean", "in1": 2, "out": 1}]


def test_the_probe_sees_through_different_programs_that_do_the_same() -> None:
    """Twice the mean and the mean of twice the features: no rule of the canonical form knows that."""
    designs = [design(written(*part)) for part in (DOUBLED, MEAN_FIRST, TRIPLED)]
    assert len({SIMULATOR.space.canonical(each).literal for each in designs}) == 3
    same, again, other = SIMULATOR.probe(designs, SMALL)
    assert same == again != other


def test_the_probe_tells_apart_programs_that_differ_only_in_how_they_learn() -> None:
    programs = [linear_regressor(0.05), linear_regressor(0.0501), affine_regressor(0.05), neural_network(), written()]
    assert len(set(SIMULATOR.probe([design(program) for program in programs], SMALL))) == len(programs)


def test_tasks_that_stop_are_alike_to_the_probe_however_they_stop() -> None:
    nan = written({"op": "s_div", "in1": 2, "in2": 2, "out": 1})
    infinite = written({"op": "s_reciprocal", "in1": 2, "out": 1})
    later = written(
        {"op": "s_log", "in1": 2, "out": 1},
        setup=[{"op": "s_const", "out": 2, "value": 1.0}],
        learn=[{"op": "s_sub", "in1": 3, "in2": 2, "out": 2}],
    )
    same, again, other, empty = SIMULATOR.probe([design(each) for each in (nan, infinite, later, written())], SMALL)
    assert same == again and len({same, other, empty}) == 3


def test_the_probe_sees_small_predictions_that_will_grow() -> None:
    """Predictions of 1e-16 are not those of the empty program: what they come from may double with every example."""
    setup = [
        {"op": "s_const", "out": 2, "value": 1e-4},
        {"op": "s_mul", "in1": 2, "in2": 2, "out": 3},
        {"op": "s_mul", "in1": 3, "in2": 3, "out": 3},
    ]
    doubling = written({"op": "s_add", "in1": 3, "in2": 3, "out": 3}, {"op": "s_add", "in1": 3, "in2": 4, "out": 1}, setup=setup)
    assert SIMULATOR.probe([design(doubling)], SMALL) != SIMULATOR.probe([design(written())], SMALL)


DOUBLING = [{"op": "v_add", "in1": 1, "in2": 1, "out": 1}, {"op": "v_add", "in1": 0, "in2": 1, "out": 1}]
TIMES_ZERO = {"op": "vv_dot", "in1": 1, "in2": 2, "out": 1}


def test_the_probe_sees_what_overflows_after_a_thousand_examples() -> None:
    """Zeros while v1 is finite, then NaN: v1 = 2 v1 + x, and v2 holds zeros."""
    doubling, summing = written(TIMES_ZERO, learn=DOUBLING), written(TIMES_ZERO, learn=[DOUBLING[1]])
    late, never, empty = SIMULATOR.probe([design(each) for each in (doubling, summing, written())], WORKLOADS.get("linear-4"))
    assert late != never == empty
    assert measure(doubling, "linear-4")["stopped_tasks"] == 32 and measure(summing, "linear-4")["stopped_tasks"] == 0
    few = Workload("few", WORKLOADS.get("linear-4").data.head(500))
    assert len(set(SIMULATOR.probe([design(each) for each in (doubling, summing, written())], few))) == 1  # 500 are too few to stop
    assert measure(doubling, few)["stopped_tasks"] == 0


def test_a_program_is_run_on_only_if_a_register_grows_or_moves_unseen() -> None:
    """Then the probe knows after how many predictions each task stops."""
    double = {"op": "s_add", "in1": 2, "in2": 2, "out": 2}
    setup, zero = [{"op": "s_const", "out": 2, "value": 1.0}], {"op": "s_mul", "in1": 2, "in2": 3, "out": 1}
    doubling = behaviour(packed(written(zero, setup=setup, learn=[double])), 1)
    assert doubling.stops.tolist() == [[NEVER] * REPETITIONS, [1024] * REPETITIONS] and not doubling.answers.any()
    for still in (linear_regressor(), neural_network(), written(zero, setup=setup)):
        assert not (behaviour(packed(still), 4).stops != NEVER).any()
    at_once = behaviour(packed(written({"op": "s_div", "in1": 3, "in2": 4, "out": 1}, setup=setup, learn=[double])), 1)
    assert np.isnan(at_once.answers).all() and at_once.stops[0].tolist() == [0] * REPETITIONS


def squares(rate: float) -> dict[str, Any]:
    """Return a program that predicts s1 - s1, where s2 = rate (s2 - y)^2 and s1 its square: 0, until a large label makes s2 run away."""
    learn = [
        {"op": "s_sub", "in1": 2, "in2": 0, "out": 3},
        {"op": "s_mul", "in1": 3, "in2": 3, "out": 1},
        {"op": "s_const", "out": 3, "value": rate},
        {"op": "s_mul", "in1": 1, "in2": 3, "out": 2},
    ]
    return written({"op": "s_sub", "in1": 1, "in2": 1, "out": 1}, learn=learn)


def test_the_probe_sees_what_runs_away_at_a_large_label() -> None:
    """At labels that the ten examples do not have, and two per cent larger with one rate than with the other."""
    behaviours = [behaviour(packed(squares(rate)), 1) for rate in (0.101, 0.103)]
    assert not any(each.answers.any() or (each.stops[0] != NEVER).any() for each in behaviours)
    assert all((each.stops[1] != NEVER).any() for each in behaviours)
    assert len({each.key for each in behaviours}) == 2 and behaviour(packed(written()), 1).key not in {each.key for each in behaviours}


def test_the_probe_sees_what_drowns_late() -> None:
    """s1 = (s2 + y) - s2 is the label but for rounding, until s2, which doubles, is so large that the label is lost."""
    double, shift = {"op": "s_add", "in1": 2, "in2": 2, "out": 2}, {"op": "s_add", "in1": 2, "in2": 0, "out": 3}
    setup, back = [{"op": "s_const", "out": 2, "value": 1e-4}], {"op": "s_sub", "in1": 3, "in2": 2, "out": 1}
    fast, slow = (packed(written(setup=setup, learn=[shift, back, *growth])) for growth in ([double, double], [double]))
    sooner, later = (behaviour(program, 1, train_examples=500) for program in (fast, slow))
    np.testing.assert_allclose(sooner.answers, later.answers, rtol=1e-6)
    assert (sooner.stops[0] == later.stops[0]).all() and not np.allclose(sooner.moves, later.moves) and sooner.key != later.key


def test_the_probe_sees_that_one_task_in_thirty_stops() -> None:
    """Fifty times the first feature is rarely off by more than 100, and then predictions that were shown are 0 everywhere."""
    big = [{"op": "s_const", "out": 2, "value": 10.0}, {"op": "s_mul", "in1": 2, "in2": 2, "out": 2}]
    rare = [{"op": "v_norm", "in1": 0, "out": 3}, {"op": "s_sub", "in1": 3, "in2": 4, "out": 3}, {"op": "s_heaviside", "in1": 3, "out": 3}]
    scaled = {"op": "s_mul", "in1": 2, "in2": 3, "out": 1}
    threshold = [{"op": "s_const", "out": 4, "value": 2.8}, {"op": "s_add", "in1": 2, "in2": 2, "out": 2}]
    seen = behaviour(packed(written(*rare, scaled, setup=big + threshold)), 1)
    empty = behaviour(packed(written()), 1)
    assert (seen.stops[0, :SHOWN] == NEVER).all() and not seen.answers.any() and (seen.stops[0] != NEVER).any()
    assert seen.key != empty.key and (empty.stops == NEVER).all()


def test_more_canonical_examples_begin_with_the_fewer() -> None:
    few, many = probe_tasks(3, 10, 4), probe_tasks(3, 10, 4, train_examples=50)
    np.testing.assert_array_equal(few.train_x, many.train_x[:10])
    np.testing.assert_array_equal(few.train_y, many.train_y[:10])
    np.testing.assert_array_equal(few.valid_x, many.valid_x)


def test_functional_keys_change_only_with_the_version_of_the_probe() -> None:
    """Whoever has to change this raises `probe.VERSION`: a store's functional keys would be taken for the new ones."""
    assert VERSION == 4
    designs = SIMULATOR.space.sample(np.random.default_rng(0), 100)
    assert blake3(b"".join(SIMULATOR.probe(designs, SMALL))).hexdigest(length=8) == "22dfa4ebac235c52"


def test_a_program_is_a_candidate_of_the_functional_hash() -> None:
    arrays = TaskSet("linear", 3, tasks=2, train_examples=10, valid_examples=5).arrays()
    examples = [(arrays.train_x[..., t], arrays.train_y[:, t], arrays.valid_x[..., t]) for t in range(2)]
    doubled, mean_first, tripled = (functional_hash(Program(written(*part)), examples) for part in (DOUBLED, MEAN_FIRST, TRIPLED))
    assert doubled == mean_first != tripled
    regressor = Program(linear_regressor())
    assert functional_hash(regressor, examples) == functional_hash(regressor.canonical(), examples)
    assert functional_hash(regressor, examples) != functional_hash(Program(linear_regressor(0.06)), examples)
