import json
import pickle
import time
from typing import Any

import numpy as np
import pytest

import designgym as dg
from designgym.core.design import Design
from designgym.core.errors import ExpressionError, InputError, InvalidDesignError, UnknownNameError
from designgym.core.groups import Permutation, Repeated
from designgym.core.parameters import Categorical, Float, Integer, PowerOfTwo
from designgym.core.rules import Condition, Constraint, Interchangeable, Rewrite, Unordered, rule_from_json
from designgym.core.space import DesignSpace
from designgym.core.testing import check_space


def chain() -> DesignSpace:
    """c is active only under b, b only under a."""
    return DesignSpace(
        a=Categorical("off", "on"),
        b=Integer(0, 4),
        c=Integer(0, 4),
        conditions=[Condition("c", "b > 2"), Condition("b", "a == 'on'")],
        constraints=[Constraint("b + c <= 7", "b and c together are at most 7")],
    )


def test_a_condition_on_an_inactive_parameter_does_not_hold() -> None:
    space = chain()
    assert space.active({"a": "off", "b": 4, "c": 1}) == {"a"}
    assert space.active({"a": "on", "b": 4, "c": 1}) == {"a", "b", "c"}
    assert space.active({"a": "on", "b": 1, "c": 1}) == {"a", "b"}
    assert space.validate({"a": "off"}) == Design({"a": "off", "b": 0, "c": 0})
    with pytest.raises(InvalidDesignError, match="b: missing"):
        space.validate({"a": "on"})


def test_inactive_values_make_no_design_illegal() -> None:
    space = chain()
    assert space.violations({"a": "off", "b": 4, "c": 4}) == ()
    assert space.violations({"a": "on", "b": 4, "c": 4}) == ("b and c together are at most 7",)
    check_space(space)


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(InvalidDesignError) as caught:
        chain().validate({"a": "maybe", "b": 9, "d": 1})
    text = str(caught.value)
    assert "'maybe'" in text and "got 9" in text and "unknown parameter 'd'" in text and "c: missing" in text
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems
    for wrong in ("text", 3, None, ["a"]):
        with pytest.raises(InvalidDesignError, match="expected a mapping"):
            chain().validate(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DesignSpace(), "at least one parameter"),
        (lambda: DesignSpace({"": Integer(0, 1)}), "non-empty"),
        (lambda: DesignSpace(traits=Integer(0, 1)), "traits"),
        (lambda: DesignSpace(a=3), "expected Integer"),  # type: ignore[arg-type]
        (lambda: DesignSpace(a=Integer(0, 1), conditions=[Condition("b", "a > 0")]), "unknown parameter"),
        (lambda: DesignSpace(a=Integer(0, 1), conditions=[Condition("a", "b > 0")]), "unknown parameter"),
        (lambda: DesignSpace(a=Integer(0, 1), constraints=[Constraint("x < 1", "no")]), "unknown parameter"),
        (lambda: DesignSpace(a=Integer(0, 1), symmetries=[Rewrite("b", "1")]), "unknown parameter"),
        (lambda: DesignSpace(a=Integer(0, 1), symmetries=[Rewrite("a", "z")]), "unknown parameter"),
        (lambda: DesignSpace(a=Integer(0, 1), symmetries=[Rewrite("a", "0", when="z == 1")]), "unknown parameter in expression"),
        (lambda: DesignSpace(a=Integer(0, 1), symmetries=[Unordered("b")]), "unordered rule 'b'"),
        (lambda: DesignSpace(a=Integer(0, 1), symmetries=[Interchangeable("a", "b")]), "interchangeable rule 'b'"),
        (lambda: DesignSpace(a=Integer(0, 1), symmetries=[Unordered("a")]), "Repeated"),
        (lambda: DesignSpace(a=Integer(0, 1), b=Integer(0, 2), symmetries=[Interchangeable("a", "b")]), "alike"),
        (lambda: DesignSpace(a=Categorical(0, 1), b=Categorical(False, True), symmetries=[Interchangeable("a", "b")]), "alike"),
        (lambda: DesignSpace(a=Integer(0, 1), conditions=Condition("a", "a > 0")), "conditions is .* expected a list of Condition"),  # type: ignore[arg-type]
        (lambda: DesignSpace(a=Integer(0, 1), constraints=["a < 1"]), "constraints is .* expected a list of Constraint"),  # type: ignore[list-item]
        (lambda: DesignSpace(a=Integer(0, 1), symmetries="a"), "symmetries is 'a', expected a list of Rewrite or"),  # type: ignore[arg-type]
        (lambda: Interchangeable("a"), "two or more"),
        (lambda: Interchangeable(["a", "b"], ["a", "c"]), "different names"),
        (lambda: Constraint("a < 1", " "), "needs a reason"),
        (
            lambda: DesignSpace(a=Integer(0, 1), b=Integer(0, 1), conditions=[Condition("a", "b > 0"), Condition("b", "a > 0")]),
            "circle",
        ),
    ],
)
def test_impossible_spaces_are_refused_when_they_are_made(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("policy == 'lruu'", "whether 'policy' is 'lruu', which it never is: 'policy' is one of 'lru', 'fifo'"),
        ("'lruu' != policy", "'lruu'"),
        ("policy in ('lru', 'random')", "'random'"),
        ("ways > 2 and not (ways == 17)", "17, which it never is: 'ways' is an integer from 1 to 16"),
        ("ways not in [1, 1.5]", "1.5"),
        ("share == -0.5", "-0.5, which it never is: 'share' is a number from 0 to 1"),
        ("banks == 6", "a power of two from 1 to 8"),
        ("order == ('a', 'c')", r"\('a', 'c'\)"),
    ],
)
def test_a_condition_on_a_value_that_its_parent_never_has_is_refused(when: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compared(when)


@pytest.mark.parametrize(
    "when",
    [
        "policy == 'lru'", "policy != 'fifo' or ways in (1, 16)", "ways == 4.0", "switch == 1", "level == True", "share == 0", "banks == 8",
        "order == ('b', 'a')", "policy == policy", "ways == banks", "ways + 1 == 17", "'fi' in policy", "ways > 99",
    ],
)  # fmt: skip
def test_a_condition_may_compare_with_what_its_parent_can_be(when: str) -> None:
    assert compared(when).conditions[0].when.text == when


def compared(when: str) -> DesignSpace:
    return DesignSpace(
        policy=Categorical("lru", "fifo"), ways=Integer(1, 16), share=Float(0, 1), banks=PowerOfTwo(1, 8), order=Permutation("a", "b"),
        switch=Categorical(False, True), level=Integer(0, 1), child=Integer(0, 1), conditions=[Condition("child", when)],
    )  # fmt: skip


def test_json_that_is_not_a_space_is_refused() -> None:
    data: Any
    for data in ({}, {"parameters": {"a": {}}}, {"parameters": [], "version": "1"}, {"parameters": {"a": 3}}):
        with pytest.raises(InputError):
            DesignSpace.from_json(data)
    good = DesignSpace(a=Integer(0, 1)).to_json()
    good["parameters"]["a"]["kind"] = "quaternion"
    with pytest.raises(UnknownNameError, match="quaternion"):
        DesignSpace.from_json(good)
    with pytest.raises(InputError, match="unknown rule"):
        rule_from_json({"kind": "wish"})


def test_equality_is_equality_of_json() -> None:
    one, two = (DesignSpace(a=Integer(0, 1), b=Float(0, 1)) for _ in range(2))
    assert one == two and hash(one) == hash(two) and len({one, two}) == 1
    assert one != DesignSpace(a=Integer(0, 1), b=Float(0, 1), version="2")
    assert one != DesignSpace(b=Float(0, 1), a=Integer(0, 1))  # order counts: encodings differ
    assert one != "a space" and "a=an integer" in repr(one)


def test_canonical_forms_of_equivalent_designs_are_equal() -> None:
    layers = Repeated(DesignSpace(k=Integer(1, 3)), 0, 3)
    space = DesignSpace(
        x0=Integer(0, 3), y0=Categorical("a", "b"), x1=Integer(0, 3), y1=Categorical("a", "b"), ways=PowerOfTwo(1, 16),
        sets=PowerOfTwo(1, 16),
        layers=layers, buffer=Categorical("shared", "split"),
        symmetries=[
            Interchangeable(["x0", "y0"], ["x1", "y1"]), Rewrite("ways", "min(ways, sets)"), Unordered("layers"),
            Rewrite("buffer", "'shared'", when="'read_only' in traits"),
        ],
    )  # fmt: skip
    check_space(space, traits=frozenset({"read_only"}))
    base = dict(x0=1, y0="b", x1=3, y1="a", ways=16, sets=4, layers=[{"k": 2}, {"k": 1}], buffer="split")
    swapped = base | dict(x0=3, y0="a", x1=1, y1="b", ways=8, layers=[{"k": 1}, {"k": 2}])
    assert space.canonical(space.validate(base)) == space.canonical(space.validate(swapped))
    assert space.canonical(space.validate(base | {"y0": "a"})) != space.canonical(space.validate(base))
    shared = space.validate(base | {"buffer": "shared"})
    assert space.canonical(shared) != space.canonical(space.validate(base))
    traits = frozenset({"read_only"})
    assert space.canonical(shared, traits) == space.canonical(space.validate(base), traits)


def test_a_rewrite_that_never_settles_or_leaves_the_values_is_an_error() -> None:
    flip = DesignSpace(a=Integer(0, 1), symmetries=[Rewrite("a", "1 - a")])
    with pytest.raises(InputError, match="do not settle"):
        flip.canonical(flip.default())
    outside = DesignSpace(a=Integer(0, 1), symmetries=[Rewrite("a", "7")])
    with pytest.raises(InputError, match="rewrite of 'a'"):
        outside.canonical(outside.default())


def test_an_empty_space_says_why_after_many_draws() -> None:
    space = DesignSpace(a=Integer(0, 3), constraints=[Constraint("a > 9", "a is never above 9")])
    with pytest.raises(InputError, match="a is never above 9"):
        space.sample(np.random.default_rng(0))
    parent = space.default()
    assert space.mutate(parent, np.random.default_rng(0)) == parent
    assert space.crossover(parent, parent, np.random.default_rng(0)) == parent
    assert list(space.neighbours(parent)) == []


def test_constraints_inside_groups_are_reported_with_their_place() -> None:
    inner = DesignSpace(k=Integer(0, 3), constraints=[Constraint("k != 2", "two is odd here")])
    space = DesignSpace(
        layers=Repeated(inner, 1, 2), total=Integer(0, 6), constraints=[Constraint("sum(values(layers, 'k')) <= 4", "too deep")]
    )
    assert space.violations(space.validate({"layers": [{"k": 1}, {"k": 2}], "total": 0})) == ("layers[1]: two is odd here",)
    assert space.violations(space.validate({"layers": [{"k": 3}, {"k": 3}], "total": 0})) == ("too deep",)
    check_space(space)


def test_sizes_of_huge_spaces_are_numbers() -> None:
    wide = DesignSpace({f"p{i}": Integer(0, 999) for i in range(200)})
    assert wide.size() == 1000**200
    assert DesignSpace(a=Permutation(*range(200)), b=Float(0, 1)).size() == float("inf")
    assert DesignSpace(a=Float(1, 1)).size() == 1


def test_one_parameter_is_a_space() -> None:
    space = DesignSpace(a=Categorical("only"))
    check_space(space)
    assert space.mutate(space.default(), np.random.default_rng(0)) == space.default()
    check_space(DesignSpace(a=Float(0, 1)))


def test_decode_refuses_wrong_shapes_and_numbers() -> None:
    space = chain()
    for x in (np.zeros(3), np.zeros((1, 4)), np.full((1, 3), np.nan)):
        with pytest.raises(InputError, match="shape"):
            space.decode(x)
    assert space.encode([]).shape == (0, 3) and space.decode(np.zeros((0, 3))) == []


def test_mutation_changes_active_parameters_only() -> None:
    space, rng = chain(), np.random.default_rng(0)
    parent = space.validate({"a": "off", "b": 3, "c": 2})
    children = [space.mutate(parent, rng) for _ in range(30)]
    assert all(child["a"] == "on" for child in children)


def test_a_design_is_a_mapping_with_one_text() -> None:
    design = chain().validate({"a": "on", "b": 1})
    assert design.literal == '{"a":"on","b":1,"c":0}' and json.loads(design.literal) == design.to_dict()
    assert {design: 1}[Design({"c": 0, "b": 1, "a": "on"})] == 1
    assert design.replace(b=2)["b"] == 2 and design["b"] == 1 and len(design) == 3 and list(design) == ["a", "b", "c"]
    assert design != {"a": "on", "b": 1, "c": 0} and "b=1" in repr(design)
    assert Design({"x": 1}) != Design({"x": 1.0}) and Design({"x": 1}) != Design({"x": True})
    with pytest.raises(TypeError):
        _ = Design({"x": object()}).literal


def test_nested_literals_are_those_of_the_whole_and_canonical_forms_are_not_made_twice() -> None:
    element = DesignSpace(kind=Categorical("a", "b"), n=Integer(0, 9), conditions=[Condition("n", "kind == 'a'")])
    space = DesignSpace(layers=Repeated(element, 3, 3), symmetries=[Unordered("layers")])
    design = space.validate({"layers": [{"kind": "b", "n": 5}, {"n": 7, "kind": "a"}, {"kind": "a", "n": 2}]})
    for element_first in (True, False):  # whether an element's own text is there already makes no difference
        twin = Design({"layers": tuple(Design(layer) for layer in design["layers"])})
        if element_first:
            _ = [layer.literal for layer in twin["layers"]]
        assert twin.literal == json.dumps(twin.to_dict(), sort_keys=True, separators=(",", ":"))
    canonical = space.canonical(design)
    assert canonical.literal == '{"layers":[{"kind":"a","n":2},{"kind":"a","n":7},{"kind":"b","n":0}]}'
    assert space.canonical(canonical) == canonical
    active = element.validate({"kind": "a", "n": 3})
    assert element.canonical(active) is active
    beyond_64_bits = Design({"layers": (Design({"n": 1 << 80}),)})
    assert beyond_64_bits.literal == '{"layers":[{"n":1208925819614629174706176}]}'


def test_draws_take_microseconds() -> None:
    space = DesignSpace({f"p{i}": Integer(1, 8) for i in range(10)})
    rng = np.random.default_rng(0)
    best = min(_timed(lambda: space.sample(rng, 200)) for _ in range(5)) / 200
    assert best < 150e-6  # measured 25 us on a quiet core; the margin is for busy machines


def _timed(work: object) -> float:
    started = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - started


def test_a_space_cannot_be_changed() -> None:
    space = dg.DesignSpace(a=dg.Integer(0, 3))
    before, hashed = space.to_json(), hash(space)
    for name in ("version", "parameters", "constraints", "columns", "anything"):
        with pytest.raises(AttributeError, match=r"cannot be changed: .* make another DesignSpace"):
            setattr(space, name, "2")
    with pytest.raises(AttributeError, match="cannot be changed"):
        del space.version
    assert (space.to_json(), hash(space)) == (before, hashed) and space.columns


def test_rules_that_have_no_value_name_the_design_and_the_remedy() -> None:
    space = dg.DesignSpace(
        a=dg.Integer(0, 3), b=dg.Integer(1, 4), c=dg.Integer(0, 1), constraints=[dg.Constraint("6 / a >= b", "b must fit")]
    )
    with pytest.raises(ExpressionError, match=r"^constraint: .*'6 / a >= b'.*division by zero, for a=0, b=2 in the design .*'c': 1.*guard"):
        space.violations({"a": 0, "b": 2, "c": 1})
    conditional = dg.DesignSpace(a=dg.Integer(0, 3), b=dg.Integer(1, 4), conditions=[dg.Condition("b", "6 / a > 2")])
    with pytest.raises(ExpressionError, match=r"^condition of 'b': .*for a=0 in the design"):
        conditional.active({"a": 0, "b": 2})
    rewritten = dg.DesignSpace(a=dg.Integer(0, 3), b=dg.Integer(1, 4), symmetries=[dg.Rewrite("b", to="6 // a")])
    with pytest.raises(ExpressionError, match=r"^rewrite of 'b': .*for a=0 in the design"):
        rewritten.canonical(rewritten.validate({"a": 0, "b": 2}))


def test_neighbours_of_equal_elements_come_once() -> None:
    space = dg.DesignSpace(group=dg.Repeated(dg.DesignSpace(k=dg.Integer(0, 1)), 0, 3))
    for elements in ([0, 0], [0, 0, 0], [0, 1, 1], [1, 0, 1], []):
        near = list(space.neighbours(space.validate({"group": [{"k": k} for k in elements]})))
        assert len(near) == len(set(near))
    shorter = {len(design["group"]) for design in space.neighbours(space.validate({"group": [{"k": 0}] * 3}))}
    assert shorter == {2, 3}  # removing one is still among them


def test_elements_of_a_group_may_be_plain_mappings() -> None:
    inner = DesignSpace(kind=Categorical("mlp", "conv"), kernel=Integer(1, 7), conditions=[Condition("kernel", "kind == 'conv'")])
    space = DesignSpace(layers=Repeated(inner, 0, 3))
    plain = {"layers": [{"kind": "mlp", "kernel": 5}]}
    assert space.canonical(plain) == space.canonical(space.validate(plain)) == space.validate({"layers": [{"kind": "mlp"}]})
