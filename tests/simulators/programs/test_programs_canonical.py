"""The canonical form: it predicts the same to the last bit, is its own form, and is one for programs that are written differently."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.design import Design
from designgym.core.workload import Workload
from designgym.simulators.programs import AutoMLZero, TaskSet
from designgym.simulators.programs.canonical import canonical_program
from designgym.simulators.programs.instructions import DEFAULT_VALUE, FIELDS, LISTS, Packed, from_arrays, pack, unpack
from designgym.simulators.programs.known_programs import linear_regressor, neural_network
from designgym.simulators.programs.operations import CODES, COUNTS, OPERATIONS, TYPES
from designgym.simulators.programs.runner import run_packed
from designgym.simulators.programs.space import program_space
from designgym.simulators.programs.tasks import probe_tasks

SPACE = program_space()
ANYWHERE = [operation for operation in OPERATIONS if not operation.setup_only]
NAMES = ("s_const", "s_add", "s_mul", "s_sub", "sv_scale", "v_add", "vv_dot", "v_max")
FEW = [operation for operation in ANYWHERE if operation.name in NAMES]
RESERVED = {"scalar": 2, "vector": 1, "matrix": 0}
Instruction = dict[str, Any]


def lists_of(operations: Sequence[Any]) -> st.SearchStrategy[dict[str, list[Instruction]]]:
    names = st.sampled_from([operation.name for operation in operations])
    address = st.integers(0, 5)
    one = st.fixed_dictionaries({"op": names, "in1": address, "in2": address, "out": address, "value": st.sampled_from([0.1, 1.0, 3.0])})
    return st.fixed_dictionaries(
        {"setup": st.lists(one, max_size=6), "predict": st.lists(one, max_size=7), "learn": st.lists(one, max_size=9)}
    )


def packed(program: dict[str, list[Instruction]]) -> Packed:
    return pack([[Design(each) for each in program[name]] for name in LISTS])


def written(**lists: list[tuple[Any, ...]]) -> dict[str, list[Instruction]]:
    """Return a program of ``(output, operation, inputs or number ...)``."""
    program: dict[str, list[Instruction]] = {name: [] for name in LISTS}
    for name, instructions in lists.items():
        for out, op, *rest in instructions:
            one: Instruction = {"op": op, "in1": 0, "in2": 0, "out": int(out[1:]), "value": DEFAULT_VALUE}
            for k, each in enumerate(rest, 1):
                one |= {f"in{k}": int(each[1:])} if isinstance(each, str) else {"value": float(each)}
            program[name].append(one)
    return program


def canonical(program: dict[str, list[Instruction]]) -> dict[str, list[Instruction]]:
    return {name: [dict(each) for each in part] for name, part in zip(LISTS, unpack(canonical_program(packed(program))), strict=True)}


def sizes(program: dict[str, list[Instruction]]) -> tuple[int, ...]:
    return tuple(len(canonical(program)[name]) for name in LISTS)


@settings(max_examples=150, deadline=None)
@given(st.one_of(lists_of(ANYWHERE), lists_of(FEW)), st.integers(1, 3))
def test_it_predicts_the_same_to_the_last_bit(program: dict[str, list[Instruction]], features: int) -> None:
    tasks = TaskSet("affine", features, tasks=2, train_examples=6, valid_examples=4).arrays()
    original = run_packed(packed(program), tasks, keep_answers=True)
    form = run_packed(canonical_program(packed(program)), tasks, keep_answers=True)
    np.testing.assert_array_equal(original.answers, form.answers)
    assert form.executed <= original.executed


@settings(max_examples=100, deadline=None)
@given(st.one_of(lists_of(OPERATIONS), lists_of(FEW)))
def test_it_is_its_own_form_and_no_longer_than_the_program(program: dict[str, list[Instruction]]) -> None:
    form = canonical_program(packed(program))
    assert canonical_program(form) == form
    assert all(len(new) <= len(old) for new, old in zip(form, packed(program), strict=True))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_64_bits_have_a_canonical_form(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 10))
    words = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-3, 80))
    code = np.array(data.draw(st.lists(words, min_size=n * FIELDS, max_size=n * FIELDS)), np.int64).reshape(n, FIELDS)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2)))
    program = from_arrays(code, [0, *cuts, n])
    form = canonical_program(program)
    assert canonical_program(form) == form
    if not any(OPERATIONS[op].setup_only for op in (code[:, 0] % len(OPERATIONS)).tolist()):
        tasks = probe_tasks(2, 4, 2)
        answers = [run_packed(each, tasks, keep_answers=True).answers for each in (program, form)]
        np.testing.assert_array_equal(answers[0], answers[1])


@settings(max_examples=100, deadline=None)
@given(st.one_of(lists_of(ANYWHERE), lists_of(FEW)), st.randoms(use_true_random=False))
def test_programs_that_differ_in_names_and_dead_code_have_one_form(program: dict[str, list[Instruction]], random: Any) -> None:
    names = {}
    for type_, count in zip(TYPES, COUNTS, strict=True):
        free = list(range(RESERVED[type_], count))
        shuffled = random.sample(free, len(free))
        names[type_] = {address: address for address in range(count)} | dict(zip(free, shuffled, strict=True))
    other: dict[str, list[Instruction]] = {}
    for name, instructions in program.items():
        other[name] = []
        for each in instructions:
            operation = OPERATIONS[CODES[each["op"]]]
            one = each | {"out": names[operation.output][each["out"] % COUNTS[TYPES.index(operation.output)]]}
            for key, type_ in zip(("in1", "in2"), operation.inputs, strict=False):
                one[key] = names[type_][each[key] % COUNTS[TYPES.index(type_)]]
            if len(operation.inputs) < 2:
                one["in2"] = random.randrange(6)
            if operation.commutative and random.random() < 0.5:
                one["in1"], one["in2"] = one["in2"], one["in1"]
            if not operation.uses_value:
                one["value"] = random.choice([0.01, 2.0])
            other[name].append(one)
    assert canonical(other) == canonical(program)


@settings(max_examples=100, deadline=None)
@given(lists_of(FEW), st.randoms(use_true_random=False))
def test_independent_neighbours_may_change_places(program: dict[str, list[Instruction]], random: Any) -> None:
    def touched(each: Instruction) -> tuple[set[str], str]:
        operation = OPERATIONS[CODES[each["op"]]]
        read = {f"{type_}{each[key]}" for key, type_ in zip(("in1", "in2"), operation.inputs, strict=False)}
        return read, f"{operation.output}{each['out']}"

    other = {name: list(instructions) for name, instructions in program.items()}
    for instructions in other.values():
        for _ in range(6):
            if len(instructions) > 1:
                i = random.randrange(len(instructions) - 1)
                (read_1, write_1), (read_2, write_2) = touched(instructions[i]), touched(instructions[i + 1])
                if write_1 not in read_2 | {write_2} and write_2 not in read_1:
                    instructions[i], instructions[i + 1] = instructions[i + 1], instructions[i]
    assert canonical(other) == canonical(program)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (written(), (0, 0, 0)),
        (written(setup=[("s2", "s_const", 1.0)], learn=[("s2", "s_add", "s0", "s2")]), (0, 0, 0)),  # nothing is predicted
        (written(setup=[("s1", "s_const", 1.0)]), (1, 0, 0)),  # a prediction made once and for all
        (written(setup=[("s1", "s_const", 1.0)], predict=[("s1", "s_abs", "s0")]), (0, 1, 0)),
        (written(predict=[("s1", "s_add", "s1", "s2")], learn=[("s3", "s_add", "s0", "s3")]), (0, 1, 0)),  # counts for itself only
        (written(predict=[("s1", "s_add", "s1", "s3")], learn=[("s3", "s_add", "s0", "s3")]), (0, 1, 1)),  # and here for predict
        (written(predict=[("s1", "s_abs", "s4")], learn=[("s2", "s_abs", "s0"), ("s4", "s_exp", "s2")]), (0, 1, 2)),
        (written(predict=[("s1", "s_abs", "s4"), ("s4", "s_exp", "s1")]), (0, 2, 0)),  # predict remembers
        (written(setup=[("v0", "sv_fill", "s0")], predict=[("s1", "v_mean", "v0")]), (0, 1, 0)),  # features are set before predict
        (written(setup=[("s0", "s_const", 1.0), ("s2", "s_exp", "s0")], predict=[("s1", "s_abs", "s2")]), (2, 1, 0)),
        (written(learn=[("s1", "s_abs", "s0")]), (0, 0, 1)),  # the last label is predicted
        (written(predict=[("s2", "s_exp", "s0"), ("s1", "s_abs", "s2")], learn=[("s2", "s_abs", "s0")]), (0, 2, 0)),
    ],
)  # fmt: skip
def test_what_is_dead(program: dict[str, list[Instruction]], expected: tuple[int, ...]) -> None:
    assert sizes(program) == expected


def test_known_programs_have_no_dead_instruction() -> None:
    for known in (linear_regressor(), neural_network()):
        design = SPACE.validate(known)
        assert [len(SPACE.canonical(design)[name]) for name in LISTS] == [len(known[name]) for name in LISTS]


def test_registers_that_nobody_writes_are_one() -> None:
    assert canonical(written(predict=[("s1", "s_max", "s2", "s3")])) == canonical(written(predict=[("s1", "s_max", "s5", "s5")]))


def test_maxima_of_zeros_and_nan_may_be_exchanged() -> None:
    """Otherwise sorting the inputs would change what division by the result gives."""
    for op in ("s_max", "s_min"):
        zero_of_each_sign = [("s2", "s_sub", "s5", "s4"), ("s3", "s_mul", "s2", "s5"), ("s4", op, "s3", "s5"), ("s1", "s_reciprocal", "s4")]
        swapped = [*zero_of_each_sign[:2], ("s4", op, "s5", "s3"), zero_of_each_sign[3]]
        tasks = probe_tasks(1, 2, 1)
        setup = [("s4", "s_const", 1.0)]
        runs = [
            run_packed(packed(written(setup=setup, predict=each)), tasks, keep_answers=True, limit=np.nan)
            for each in (zero_of_each_sign, swapped)
        ]
        np.testing.assert_array_equal(runs[0].answers, runs[1].answers)
        assert np.isinf(runs[0].answers).any()


def test_equivalent_programs_that_draw_numbers_have_equal_metrics() -> None:
    """Streams of random numbers belong to the canonical form: dead draws, other names and another order change nothing."""
    first = neural_network()
    second = neural_network()
    second["setup"] = [{"op": "m_uniform", "out": 2, "value": 1.0}, *second["setup"][::-1]]
    simulator = AutoMLZero()
    designs = [SPACE.validate(each) for each in (first, second)]
    assert len({SPACE.canonical(design).literal for design in designs}) == 1 and len(set(designs)) == 2
    workload = TaskSet("nonlinear", 4, tasks=4, train_examples=50, valid_examples=20)
    results = simulator.evaluate(designs, Workload("tasks", workload), seed=7)
    assert results[0] == results[1]
    assert results[0] != simulator.evaluate(designs[:1], Workload("tasks", workload), seed=8)[0]
