"""The simulated responder: determinism, what it spends, what it refuses, and the shape of what it says."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.components import KINDS
from designgym.simulators.archon.components.base import Component, Kind
from designgym.simulators.archon.paper_space import paper_architecture, paper_space
from designgym.simulators.archon.responder import Simulated, SimulatedResponder, benchmarks, models
from designgym.simulators.archon.responder.pool import EXACT
from designgym.simulators.archon.wide_space import SOURCES, wide_architecture, wide_space

BEST = ["claude-3.5-sonnet", "gpt-4o", "gpt-4-turbo", "llama-3.1-405b", "claude-3-opus", "qwen2-72b", "llama-3.1-70b", "qwen1.5-110b"]
ARRAYS = ("score", "calls", "input_tokens", "output_tokens", "cost_usd", "latency_s")


def one(kind: str, model: str = "", **settings: Any) -> Component:
    return Component.make(KINDS[kind], model, **settings)


def equal(a: Simulated, b: Simulated) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ARRAYS) and a.nodes == b.nodes


def mean(responder: SimulatedResponder, *layers: Component | Sequence[Component]) -> float:
    return float(responder.evaluate(Architecture.of(*layers)).score.mean())


@given(st.permutations(BEST[:4]), st.permutations(BEST[:4]))
@settings(max_examples=15)
def test_the_order_within_a_layer_changes_no_bit(generators: list[str], fusers: list[str]) -> None:
    def of(first: list[str], second: list[str]) -> Simulated:
        made, joined = [one("generator", m) for m in first], [one("fuser", m) for m in second]
        architecture = Architecture.of(made, joined, one("ranker", "gpt-4o"), one("fuser", "gpt-4o"))
        return SimulatedResponder("math", queries=40).evaluate(architecture)

    assert equal(of(generators, fusers), of(BEST[:4], BEST[:4]))


def test_seed_and_benchmark_are_what_decides_and_nothing_else() -> None:
    architecture = Architecture.of([one("generator", m) for m in BEST], one("critic", "gpt-4o"), one("fuser", "gpt-4o"))
    first = SimulatedResponder("mt-bench", seed=3)
    first.evaluate(Architecture.of(one("generator", "gpt-4o", samples=3), one("verifier", "gpt-4o")))
    assert equal(first.evaluate(architecture), SimulatedResponder("mt-bench", seed=3).evaluate(architecture))
    assert not equal(first.evaluate(architecture), SimulatedResponder("mt-bench", seed=4).evaluate(architecture))


@pytest.mark.parametrize("benchmark", ["mt-bench", "mixeval-hard", "math"])
def test_one_sample_scores_the_published_skill_and_costs_its_tokens(benchmark: str) -> None:
    profile = models()["gpt-4o"]
    found = SimulatedResponder(benchmark, queries=500).evaluate(Architecture.of(one("generator", "gpt-4o")))
    assert found.score.mean() == pytest.approx(profile.skill[benchmark], abs=0.005)
    assert found.score.std() > 0.1  # questions differ in difficulty
    price = profile.price
    np.testing.assert_allclose(
        found.cost_usd, (found.input_tokens * price.usd_per_million_input + found.output_tokens * price.usd_per_million_output) / 1e6
    )
    assert np.all(found.latency_s > profile.first_token_s + found.output_tokens / profile.tokens_per_s - 1e-9)


def test_calls_are_those_of_the_architecture() -> None:
    judge = "gpt-4o"
    generators = [one("generator", model, samples=2) for model in BEST]
    chains: tuple[list[Component | list[Component]], ...] = (
        [one("critic", judge), one("ranker", judge), [one("fuser", model) for model in BEST[:3]], one("fuser", judge)],
        [one("verifier", judge)],
        [one("unit_test_generator", judge), one("unit_test_evaluator", judge), one("fuser", judge, samples=3)],
    )
    for last in chains:
        architecture = Architecture.of(generators, *last)
        found = SimulatedResponder("alpaca-eval", queries=20).evaluate(architecture)
        np.testing.assert_allclose(found.calls, architecture.calls, rtol=1e-9)
        assert sum(node.calls for node in found.nodes) == pytest.approx(architecture.calls)
        assert sum(node.cost_usd for node in found.nodes) == pytest.approx(found.cost_usd.mean())


def test_what_waits_for_nothing_takes_no_time_of_its_own() -> None:
    responder = SimulatedResponder("math", queries=50)
    slow, fast = one("generator", "claude-3-opus"), one("generator", "claude-3-haiku")
    alone = responder.evaluate(Architecture.of(slow)).latency_s
    np.testing.assert_allclose(responder.evaluate(Architecture.of([slow, fast])).latency_s, alone)
    tests = [one("unit_test_generator", "gpt-4o", unit_test_cap=1), one("unit_test_evaluator", "gpt-4o")]
    evaluated = responder.evaluate(Architecture.of(slow, *tests))
    shorter = one("unit_test_generator", "claude-3-haiku", unit_test_cap=1)  # writing tests is over before the slow answer is there
    np.testing.assert_allclose(responder.evaluate(Architecture.of(slow, shorter, tests[1])).latency_s, evaluated.latency_s)
    assert np.all(evaluated.latency_s > alone)


def test_scores_are_probabilities_and_differ_between_designs_of_the_papers_space() -> None:
    responder = SimulatedResponder("mt-bench", queries=60)
    names = [*BEST, "wizardlm-2-8x22b", "qwen1.5-72b"]
    designs = paper_space().sample(np.random.default_rng(0), 60)
    scores = []
    for design in designs:
        found = responder.evaluate(paper_architecture(design, names, "gpt-4o"))
        assert np.all((found.score >= 0) & (found.score <= 1))
        assert np.all(found.cost_usd > 0)
        assert np.all(np.isfinite(found.latency_s))
        scores.append(float(found.score.mean()))
    assert len({round(score, 9) for score in scores}) > 0.9 * len(scores)
    assert max(scores) - min(scores) > 0.05


def test_critic_ranker_and_fuser_serve_instructions_best_and_checks_serve_code() -> None:
    judge = "gpt-4o"
    ten = one("generator", judge, samples=10)
    chains: dict[str, list[Component]] = {
        "E": [],
        "E+F": [one("fuser", judge)],
        "E+R": [one("ranker", judge)],
        "E+C+R+F": [one("critic", judge), one("ranker", judge), one("fuser", judge)],
        "E+U+F": [one("unit_test_generator", judge), one("unit_test_evaluator", judge), one("fuser", judge)],
    }
    instructions, code = SimulatedResponder("mt-bench"), SimulatedResponder("code-contests")
    told = {name: mean(instructions, ten, *chain) for name, chain in chains.items()}
    coded = {name: mean(code, ten, *chain) for name, chain in chains.items()}
    assert max(told, key=told.__getitem__) == "E+C+R+F"
    assert max(coded, key=coded.__getitem__) == "E+U+F"
    assert told["E"] < told["E+R"] < told["E+F"]


def test_layers_of_fusers_help_less_and_less() -> None:
    responder = SimulatedResponder("mt-bench")
    names = ["qwen2-72b", "wizardlm-2-8x22b", "llama-3.1-70b", "qwen1.5-110b"]
    last, many = one("fuser", "qwen2-72b"), [one("fuser", name) for name in names]
    scores = [mean(responder, [one("generator", name) for name in names], *[many] * n, last) for n in range(6)]
    gains = np.diff(scores)
    assert gains[0] > 0.01
    assert abs(gains[4]) < gains[0] / 4


def test_a_weak_fuser_does_harm() -> None:
    responder = SimulatedResponder("alpaca-eval")
    ten = one("generator", "gpt-4o", samples=10)
    assert mean(responder, ten, one("fuser", "open-7b")) < mean(responder, ten) < mean(responder, ten, one("fuser", "gpt-4o"))


def test_samples_at_temperature_zero_are_one() -> None:
    responder = SimulatedResponder("code-contests")
    checks = [one("unit_test_generator", "gpt-4o"), one("unit_test_evaluator", "gpt-4o")]
    cold, warm = (one("generator", "gpt-4o", samples=8, temperature=t) for t in (0.0, 0.7))
    assert mean(responder, cold, *checks) == pytest.approx(mean(responder, one("generator", "gpt-4o")), abs=1e-9)
    assert mean(responder, warm, *checks) > mean(responder, cold, *checks) + 0.01


def test_answers_that_are_cut_off_are_wrong_more_often() -> None:
    responder = SimulatedResponder("math")
    full, cut = (responder.evaluate(Architecture.of(one("generator", "gpt-4o", max_tokens=n))) for n in (2048, 300))
    assert cut.score.mean() < full.score.mean() / 2
    assert cut.output_tokens.max() <= 300


def test_many_questions_score_as_few_do_within_their_chance() -> None:
    layers = ([one("generator", model) for model in BEST], one("ranker", "gpt-4o"), one("fuser", "gpt-4o"))
    few = [mean(SimulatedResponder("mixeval", queries=100, seed=seed), *layers) for seed in range(8)]
    many = mean(SimulatedResponder("mixeval", queries=5000), *layers)
    assert np.mean(few) == pytest.approx(many, abs=0.01)
    assert np.std(few) > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mt-bnch",), "mt-bench"),
        ((7,), "benchmark"),
        (("math", 0), "queries is 0"),
        (("math", True), "queries is True"),
        (("math", 10, -1), "seed is -1"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(arguments: tuple[Any, ...], said: str) -> None:
    names = dict(zip(("benchmark", "queries", "seed"), arguments, strict=False))
    with pytest.raises(InputError, match=said):
        SimulatedResponder(**names)


def test_unknown_models_and_components_are_refused() -> None:
    responder = SimulatedResponder("math", queries=5)
    with pytest.raises(UnknownNameError, match="gpt-4o"):
        responder.evaluate(Architecture.of(one("generator", "gpt-4oo")))
    with pytest.raises(UnknownNameError, match="published skill on math"):
        responder.evaluate(Architecture.of(one("generator", "pythia-1b")))
    with pytest.raises(InputError, match="nobody"):
        responder.evaluate(Architecture.of(one("generator", "gpt-4o"), one("ranker", "nobody")))
    with pytest.raises(InputError, match="illegal"):
        responder.evaluate(Architecture.of(one("ranker", "gpt-4o")))
    kind = dataclasses.replace(KINDS["critic"], name="oracle")
    assert isinstance(kind, Kind)
    with pytest.raises(UnknownNameError, match="oracle"):
        responder.evaluate(Architecture.of(one("generator", "gpt-4o"), Component.make(kind, "gpt-4o")))


def test_every_kind_of_component_runs_on_every_benchmark() -> None:
    for benchmark in benchmarks():
        having = [name for name, profile in models().items() if benchmark in profile.skill]
        responder, model = SimulatedResponder(benchmark, queries=10), having[0]
        for kind in KINDS.values():
            settings = {"samples": 3} if "samples" in kind.settings else {}
            part = one(kind.name, model if kind.calls_model else "", **settings)
            first = part if kind.role == "source" else one("generator", model, samples=3)
            layers = [first] if kind.role == "source" else [first, part]
            if kind.name == "unit_test_generator":
                layers.append(one("unit_test_evaluator", model))
            if kind.name == "unit_test_evaluator":
                layers.insert(1, one("unit_test_generator", model, tests="python"))
            if kind.name == "critic":
                layers.append(one("fuser", model))
            found = responder.evaluate(Architecture.of(*layers))
            assert np.all((found.score >= 0) & (found.score <= 1)), (benchmark, kind.name)
            assert np.all(found.calls > 0)
            assert np.all(np.isfinite(found.latency_s))


def test_architectures_of_the_wide_space_run_and_are_worth_what_they_can_be() -> None:
    responder = SimulatedResponder("code-contests", queries=30)
    space = wide_space(BEST[:4], SOURCES)
    scores, most = [], 0
    for design in space.sample(np.random.default_rng(2), 80):
        architecture = wide_architecture(design)
        found = responder.evaluate(architecture)
        assert np.all((found.score >= 0) & (found.score <= 1))
        assert np.all((found.cost_usd > 0) & np.isfinite(found.latency_s) & (found.latency_s > 0))
        scores.append(float(found.score.mean()))
        most = max(most, *(work.candidates for row in architecture.work() for work in row))
    assert most > 8
    assert len({round(score, 9) for score in scores}) > 60


@pytest.mark.parametrize("kind", ["ranker", "verifier", "best_of_n"])
def test_a_few_candidates_more_than_are_told_apart_change_little(kind: str) -> None:
    responder = SimulatedResponder("code-contests", queries=50)
    exact, roughly = (mean(responder, one("generator", "gpt-4o", samples=n), one(kind, "gpt-4o")) for n in (EXACT, EXACT + 1))
    assert roughly == pytest.approx(exact, abs=0.015)
