"""What holds for all kinds of components: their documents, settings, work, failures, and independence of who is quick."""

import pickle
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon.components import KINDS
from designgym.simulators.archon.components.base import Candidate, Component
from tests.simulators.archon.scripted import Ask, Scripted, one, result

ARCHON = {"generator", "fuser", "critic", "ranker", "verifier", "unit_test_generator", "unit_test_evaluator"}
AMOUNTS = ("samples", "top_k", "particles", "steps", "rounds", "observations", "depth", "unit_test_cap")
REPLIES = (
    "[2] > [1]", "[1] good\n[2] bad", "CORRECT", "INCORRECT", "Score: 7", "Score: 2", "[1] PASSED\n[2] FAILED", "KEEP", "AGAIN", "HOLDS",
    "FAILS", "the end\nEND", "```python\nassert f(1) == 2\n```", "", "12",
)  # fmt: skip


def components() -> st.SearchStrategy[Component]:
    """Return components of all kinds with small amounts."""

    def made(name: str) -> st.SearchStrategy[Component]:
        amounts = {s: st.integers(1, 2 if s == "depth" else 3) for s in AMOUNTS if s in KINDS[name].all_settings}
        return st.fixed_dictionaries(amounts).map(lambda given: one(name, **given))

    return st.sampled_from(sorted(KINDS)).flatmap(made)


def chance(ask: Ask, seed: int, failures: float) -> str | None:
    """Answer anything, or nothing, by what is asked alone."""
    rng = random.Random(repr((ask.identity, seed)))
    return None if rng.random() < failures else rng.choice(REPLIES)


def given_candidates(fates: str) -> list[Candidate | None]:
    return [None if fate == "x" else Candidate(f"candidate {i}", dropped=fate == "d") for i, fate in enumerate(fates)]


def test_all_kinds_are_there_with_their_papers() -> None:
    assert len(KINDS) == 14 and set(KINDS) > ARCHON
    for name, kind in KINDS.items():
        assert kind.name == name and "arXiv" in kind.source and kind.doc and all(s.doc for s in kind.all_settings.values())
    assert not KINDS["majority"].calls_model and [n for n, k in KINDS.items() if not k.calls_model] == ["majority"]


@settings(max_examples=120, deadline=None)
@given(components(), st.text("cxd", max_size=4), st.integers(0, 99), st.sampled_from([0.0, 0.3, 1.0]), st.randoms(use_true_random=False))
def test_any_answers_and_failures_are_borne_within_the_work_whoever_is_quick(
    component: Component, fates: str, seed: int, failures: float, rng: random.Random
) -> None:
    def once() -> tuple[list[Candidate | None], set[object], list[str]]:
        context = Scripted(lambda ask: chance(ask, seed, failures), lambda ask: rng.random())
        left = result(  # which checks the work
            component, context, given_candidates(fates), come_s=lambda i: rng.random(), unit_tests=["It is so.", "It is not."]
        )
        return left, {ask.identity for ask in context.asked}, sorted(context.notes)

    assert once() == once()


@pytest.mark.parametrize("name", sorted(KINDS))
def test_components_survive_pickling(name: str) -> None:
    component = one(name)
    copy = pickle.loads(pickle.dumps(component))
    assert copy == component and hash(copy) == hash(component) and copy.key() == component.key()


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"majority"}))
def test_a_missing_model_is_an_error(name: str) -> None:
    for model in ("", "  ", None):
        with pytest.raises(InputError, match=rf"a {name} asks a model, but its model is .*: give the model's name"):
            Component.make(KINDS[name], model)  # type: ignore[arg-type]


def test_a_majority_has_no_model_nor_decoding() -> None:
    assert one("majority", "m").model == ""
    with pytest.raises(InputError, match="unknown setting of a majority 'temperature'"):
        one("majority", "", temperature=0.5)


@pytest.mark.parametrize(
    ("name", "bad", "message"),
    [
        ("generator", {"sample": 3}, "unknown setting of a generator 'sample': did you mean 'samples'"),
        ("generator", {"samples": 0}, "samples of a generator is 0, expected a whole number 1 or more"),
        ("generator", {"samples": 2.0}, "samples of a generator is 2.0, expected a whole number 1 or more"),
        ("generator", {"samples": True}, "samples of a generator is True, expected a whole number 1 or more"),
        ("generator", {"temperature": 2.5}, "temperature of a generator is 2.5, expected a number from 0 to 2"),
        ("generator", {"temperature": float("nan")}, "temperature of a generator is nan, expected a number from 0 to 2"),
        ("ranker", {"use_critiques": "yes"}, "use_critiques of a ranker is 'yes', expected true or false"),
        ("unit_test_generator", {"tests": "java"}, "tests of a unit_test_generator is 'java', expected 'words' or 'python'"),
        ("plan_search", {"depth": 4}, "depth of a plan_search is 4, expected a whole number from 1 to 3"),
        ("particle_filter", {"resampling_temperature": 0}, "expected a number from 0.01 to 1000"),
        ("iterative_deepening", {"factor": 0.5}, "factor of a iterative_deepening is 0.5, expected a number from 1 to 16"),
        ("majority", {"weighted": 1}, "weighted of a majority is 1, expected true or false"),
        ("best_of_n", {"top_k": None}, "top_k of a best_of_n is None, expected a whole number 1 or more"),
    ],
)
def test_settings_that_cannot_be(name: str, bad: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        one(name, **bad)
    assert message in str(caught.value)


def test_whole_numbers_are_numbers() -> None:
    assert one("generator", temperature=1) == one("generator", temperature=1.0)
    assert one("generator", temperature=1).key() == one("generator", temperature=1.0).key()


def test_components_differ_by_kind_model_and_settings() -> None:
    different = [one("generator"), one("fuser"), one("generator", "n"), one("generator", samples=2), one("generator", temperature=0.1)]
    assert len(set(different)) == 5 and len({component.key() for component in different}) == 5
