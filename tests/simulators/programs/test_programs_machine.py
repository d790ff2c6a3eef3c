"""The compiled machine against the slow interpreter of `conftest`, on any program; and that it writes nowhere else."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.simulators.programs import Program, TaskSet
from designgym.simulators.programs.instructions import FIELDS, LISTS, Packed, pack
from designgym.simulators.programs.kernel import BLOCKS, memory_size, run_program
from designgym.simulators.programs.known_programs import affine_regressor, linear_regressor, neural_network
from designgym.simulators.programs.operations import CODES, OPERATIONS, REGISTERS
from designgym.simulators.programs.runner import run_packed
from designgym.simulators.programs.space import program_space

Reference = Callable[..., np.ndarray[Any, Any]]

DRAWS = [operation.name for operation in OPERATIONS if operation.setup_only]
ANYWHERE = [operation.name for operation in OPERATIONS if not operation.setup_only]


def instructions(names: list[str], most: int) -> st.SearchStrategy[list[Design]]:
    # few different addresses, so that instructions meet each other's results
    one = st.builds(
        lambda op, in1, in2, out, value: Design({"op": op, "in1": in1, "in2": in2, "out": out, "value": value}),
        st.sampled_from(names), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.sampled_from([1e-4, 0.1, 0.5, 1.0, 10.0]),
    )  # fmt: skip
    return st.lists(one, max_size=most)


def programs(setup: list[str] = ANYWHERE + DRAWS) -> st.SearchStrategy[dict[str, list[Design]]]:
    parts = {"setup": instructions(setup, 6), "predict": instructions(ANYWHERE, 6), "learn": instructions(ANYWHERE, 8)}
    return st.fixed_dictionaries(parts)


def packed(program: dict[str, Any]) -> Packed:
    return pack([program[name] for name in LISTS])


def small_tasks(features: int, seed: int = 0) -> Any:
    return TaskSet("affine", features, seed=seed, tasks=2, train_examples=4, valid_examples=3).arrays()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(), st.integers(1, 4), st.integers(0, 2**64 - 1))
def test_every_program_predicts_what_the_slow_interpreter_does(
    reference: Reference, program: dict[str, list[Design]], features: int, seed: int
) -> None:
    tasks = small_tasks(features)
    run = run_packed(packed(program), tasks, seed=seed, keep_answers=True)
    expected = reference(program, tasks, seed=seed)
    np.testing.assert_array_equal(run.answers, expected)  # to the last bit; NaN equals NaN
    assert run.finished.tolist() == [bool(abs(tasks.valid_y[-1, t] - expected[-1, t]) <= 100) for t in range(2)]
    for t in np.flatnonzero(run.finished):
        error = expected[4:, t] - tasks.valid_y[:, t]
        assert run.rms_error[t] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_each_operation_on_ordinary_numbers(reference: Reference, operation: Any) -> None:
    """Random programs stop early or multiply zeros; here every operation reads registers full of different numbers."""
    setup = [{"op": f"{letter}_uniform", "out": i, "value": 0.9} for letter in "svm" for i in (1, 2)]
    work = {"op": operation.name, "in1": 1, "in2": 2, "out": 0, "value": 0.3}
    to_vector = {"scalar": "sv_fill", "vector": "v_abs", "matrix": "mv_product"}[operation.output]
    predict = [{"op": to_vector, "in1": 0, "in2": 3, "out": 4}, {"op": "vv_dot", "in1": 4, "in2": 3, "out": 1}]
    if operation.output == "scalar":  # s0 is overwritten before predict
        work["out"] = predict[0]["in1"] = 3
    elif operation.output == "vector":  # and so is v0
        work["out"] = predict[0]["in1"] = 5
    setup.append({"op": "v_uniform", "out": 3, "value": 0.9})
    lists = {"setup": [*setup, work], "predict": predict, "learn": []}
    program = {name: [Design({"in1": 0, "in2": 0, "value": 0.1} | each) for each in lists[name]] for name in LISTS}
    tasks = small_tasks(3, seed=5)
    answers = run_packed(packed(program), tasks, seed=11, keep_answers=True).answers
    np.testing.assert_array_equal(answers, reference(program, tasks, seed=11))
    assert (np.isfinite(answers) & (answers != 0)).any()  # a task may stop, at the logarithm of a negative number for instance


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_code_at_all_makes_the_machine_write_outside_its_memory(data: st.DataObject) -> None:
    """Operations, addresses and numbers are any 64 bits; what lies around each array must stay as it was."""
    n, features, tasks, guard = data.draw(st.integers(0, 12)), data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3)), 64
    words = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-3, 80))
    code = np.array(data.draw(st.lists(words, min_size=n * FIELDS, max_size=n * FIELDS)), np.int64).reshape(n, FIELDS)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2)))
    size = memory_size(features, tasks)
    around, slots, decoded = np.full(size + 2 * guard, 7.0), np.full(BLOCKS + 2 * guard, 7), np.full((n + 2, 8), 7)
    answers, running, errors = np.full((9, tasks), 7.0), np.full((2, tasks), 7), np.full(3 * tasks, 7.0)
    scales = np.full((4, REGISTERS), 7.0)
    examples = TaskSet("linear", features, tasks=tasks, train_examples=4, valid_examples=3).arrays()
    run_program(
        code, code.view(np.float64)[:, 4], np.array([0, *cuts, n]), *examples.flat, 4, 100.0, np.uint64(0),
        around[guard:-guard], slots[guard:-guard], decoded[1:-1], running[0], errors[tasks:-tasks], answers[1:-1], scales[1:-1],
    )  # fmt: skip
    for array in (around[:guard], around[-guard:], slots[:guard], slots[-guard:], decoded[0], decoded[-1], running[1]):
        assert (array == 7).all()
    for array in (errors[:tasks], errors[-tasks:], answers[0], answers[-1], scales[0], scales[-1]):
        assert (array == 7).all()
    assert set(running[0].tolist()) <= {0, 1}
    assert len(set(slots[guard:-guard].tolist())) == BLOCKS  # still a permutation of the blocks


def test_numbers_drawn_in_setup_have_the_distributions_they_are_named_after() -> None:
    def draw(op: str, value: float, seed: int) -> np.ndarray[Any, Any]:
        setup = [{"op": op, "out": 1, "value": value}]
        # every example picks out other numbers, one task after the other: 300 examples of 16 features
        tasks = TaskSet("linear", 16, tasks=300, train_examples=1, valid_examples=16).arrays()
        tasks.valid_x[:] = np.eye(16)[..., None]
        program = Program({"setup": setup, "predict": [{"op": "vv_dot", "in1": 0, "in2": 1, "out": 1}], "learn": []})
        return run_packed(program._packed, tasks, seed=seed, keep_answers=True).answers[1:].ravel()

    normal, flat = draw("v_gaussian", 2.0, 3), draw("v_uniform", 2.0, 3)
    assert normal.mean() == pytest.approx(0, abs=0.12) and normal.std() == pytest.approx(2, rel=0.05)
    assert flat.mean() == pytest.approx(0, abs=0.08) and flat.std() == pytest.approx(2 / np.sqrt(3), rel=0.03)
    assert abs(flat).max() <= 2.0 and len(set(normal.tolist())) == len(normal)
    assert not np.array_equal(normal, draw("v_gaussian", 2.0, 4)) and np.array_equal(normal, draw("v_gaussian", 2.0, 3))


@pytest.mark.parametrize("known", [linear_regressor, affine_regressor, neural_network])
def test_a_program_can_be_called(reference: Reference, known: Callable[[], dict[str, Any]]) -> None:
    tasks = TaskSet("affine", 3, tasks=1, train_examples=20, valid_examples=5).arrays()
    train_x, train_y, valid_x = tasks.train_x[..., 0], tasks.train_y[:, 0], tasks.valid_x[..., 0]
    program = Program(known(), seed=4)
    answers = program(train_x, train_y, valid_x)
    np.testing.assert_array_equal(answers, reference(program.design, tasks, seed=4)[20:, 0])
    np.testing.assert_array_equal(answers, program(train_x, train_y, valid_x))  # a call leaves nothing behind
    assert not np.array_equal(answers, program(valid_x))
    assert program(valid_x[:0]).shape == (0,)


def test_a_called_program_has_no_largest_error_and_goes_on_after_nan() -> None:
    program = Program({"setup": [], "predict": [{"op": "v_mean", "in1": 0, "out": 1}, {"op": "s_log", "in1": 1, "out": 1}], "learn": []})
    answers = program([[1e300, 1e300], [-1.0, -1.0], [1.0, 1.0]])
    assert answers[0] > 600 and np.isnan(answers[1]) and answers[2] == 0.0


@pytest.mark.parametrize("arrays", [(), ([[1.0]], [1.0]), ([1.0, 2.0],), (np.zeros((2, 17)),), ([[1.0]], [1.0, 2.0], [[1.0]])])
def test_a_program_refuses_arrays_that_do_not_fit(arrays: tuple[Any, ...]) -> None:
    with pytest.raises(InputError, match=r"arrays|shapes"):
        Program(program_space().default())(*arrays)


def test_an_operation_that_does_not_exist_is_named() -> None:
    with pytest.raises(InputError, match="s_frobnicate"):
        pack([[Design({"op": "s_frobnicate", "in1": 0, "in2": 0, "out": 0, "value": 0.1})], [], []])


def test_the_table_of_operations_is_what_the_documentation_says() -> None:
    assert len(OPERATIONS) == len(CODES) == 65
