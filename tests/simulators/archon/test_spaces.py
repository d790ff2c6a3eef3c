"""The design spaces: the paper's counts, only legal architectures, and equal forms for architectures that are one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.core.testing import check_space
from designgym.simulators.archon.canonical import canonical
from designgym.simulators.archon.paper_space import FUSION_LAYERS, MOST_GENERATORS, paper_architecture, paper_space
from designgym.simulators.archon.wide_space import AMOUNTS, MOST_SOURCES, wide_architecture, wide_space

TEN = [f"model-{i}" for i in range(MOST_GENERATORS)]
WIDE = wide_space(["a", "b", "c"], checks=("none", "verifier", "unit_tests", "python_tests"))


def test_the_paper_counts_its_designs_and_those_that_are_legal() -> None:
    """18,750 and 9,576 = 38 x 84 x 3 (Archon, appendix A.4)."""
    space = paper_space()
    assert space.size() == 18_750
    assert space.choices is not None
    names, values = zip(*space.choices, strict=True)
    legal = [d for d in (dict(zip(names, v, strict=True)) for v in itertools.product(*values)) if not space.violations(d)]
    pairs = {(d["generators"], d["samples"]) for d in legal}
    fusions = {tuple(d[f"fusers_{n + 1}"] for n in range(FUSION_LAYERS)) for d in legal}
    assert (len(legal), len(pairs), len(fusions)) == (9_576, 38, 84)
    assert space.violations({**space.default(), "generators": 5, "samples": 5}) == (
        "a fuser has room for at most 24 candidates (generators x samples)",
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_legal_design_of_the_paper_is_an_architecture_that_keeps_all_rules(seed: int) -> None:
    (design,) = paper_space().sample(np.random.default_rng(seed))
    architecture = paper_architecture(design, TEN, "judge")
    assert not architecture.violations()
    fusers = sum(design[f"fusers_{n}"] for n in (1, 2, 3))
    assert sum(len(layer) for layer in architecture if layer[0].type == "fuser") == fusers + 1
    assert architecture.layers[-1][0].type == "fuser" and len(architecture.layers[-1]) == 1


def test_a_wide_space_is_sound() -> None:
    check_space(WIDE)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_wide_designs_are_legal_architectures_and_equal_forms_are_one_architecture(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (design,) = WIDE.sample(rng)
    architecture = wide_architecture(design)
    assert not architecture.violations()
    form = WIDE.canonical(design)
    assert canonical(wide_architecture(form)) == canonical(architecture)
    moved = WIDE.validate({**design, "sources": [design["sources"][i] for i in rng.permutation(len(design["sources"]))]})
    assert WIDE.canonical(moved) == form


def test_samples_of_equal_generators_are_put_together_in_no_more_parts() -> None:
    source = dict(WIDE.default()["sources"][0])
    for n in range(1, MOST_SOURCES + 1):
        for amounts in itertools.combinations_with_replacement(AMOUNTS, n):
            design = WIDE.validate({"sources": [{**source, "amount": amount} for amount in amounts], "stages": []})
            form = WIDE.canonical(design)
            assert len(form["sources"]) <= n and sum(s["amount"] for s in form["sources"]) == sum(amounts)
            assert WIDE.canonical(WIDE.validate(form)) == form


def test_stages_that_do_nothing_are_left_out() -> None:
    stage = {"critic": False, "keep": 0, "check": "none", "judge": "a", "fusers": 0, "fuser": "b"}
    sources = WIDE.default()["sources"]
    assert WIDE.canonical(WIDE.validate({"sources": sources, "stages": [stage, {**stage, "fusers": 2}]})) == WIDE.canonical(
        WIDE.validate({"sources": sources, "stages": [{**stage, "fusers": 2}]})
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"models": []}, r"models are \[\], expected one or more different names"),
        ({"models": ["a", "a"]}, "expected one or more different names"),
        ({"models": ["a"], "sources": ["oracle"]}, r"kinds of sources are \['oracle'\], expected some of generator"),
        ({"models": ["a"], "checks": ["luck"]}, r"kinds of checks are \['luck'\], expected some of none, verifier"),
    ],
)
def test_spaces_that_cannot_be(arguments: dict[str, list[str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        wide_space(**arguments)
