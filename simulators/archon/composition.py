"""The rules by which components may be put together (Archon, arXiv 2409.15254, section 3.2 and appendix A.1), each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from designgym.simulators.archon.components.base import Component

__all__ = ["broken_rules"]

Layers = Sequence[Sequence[Component]]


def _one_type(layers: Layers) -> Iterator[str]:
    for i, layer in enumerate(layers):
        if len(types := sorted({c.type for c in layer})) > 1:
            # other sources of candidates may stand beside generators: each answers the question for itself
            if all(c.kind.role == "source" for c in layer):
                continue
            yield f"layer {i} mixes {' and '.join(types)}: a layer has one type of component"


def _sources_first(layers: Layers) -> Iterator[str]:
    for i, layer in enumerate(layers[1:], start=1):
        if found := sorted({c.type for c in layer if c.kind.role == "source"}):
            yield f"layer {i} has a {found[0]}: what makes candidates from the question stands only in the first layer"


def _not_first(layers: Layers) -> Iterator[str]:
    if found := sorted({c.type for c in layers[0] if c.kind.role != "source"}):
        yield f"layer 0 has a {found[0]}: it needs candidates, so a generator must come before it"


def _candidates_there(layers: Layers) -> Iterator[str]:
    there = False
    for i, layer in enumerate(layers):
        if not there and (found := sorted({c.type for c in layer if c.kind.role in ("mixer", "filter")})):
            yield f"layer {i} has a {found[0]}, but no layer before it a generator: it needs candidates"
            return
        there = there or any(c.kind.role == "source" for c in layer)
    if not there:
        yield "there is no generator: nothing answers the question"


def _alone(layers: Layers) -> Iterator[str]:
    for i, layer in enumerate(layers):
        if len(layer) > 1 and (found := [c.type for c in layer if c.kind.role not in ("source", "mixer")]):
            yield f"layer {i} has {len(layer)} components, one of them a {found[0]}: it stands alone in its layer"


def _critic_before_use(layers: Layers) -> Iterator[str]:
    for i, layer in enumerate(layers):
        if any(c.type == "critic" for c in layer) and not _critiques_read(layers[i + 1 :]):
            yield f"layer {i} has a critic whose critiques nobody reads: a critic comes before a ranker or fuser that does"


def _critiques_read(after: Layers) -> bool:
    for layer in after:
        if any(c.type == "fuser" or (c.type == "ranker" and c["use_critiques"]) for c in layer):
            return True
        if any(c.kind.role in ("source", "mixer") for c in layer):
            return False  # critiques stay with the candidates that they are about
    return False


def _tests_together(layers: Layers) -> Iterator[str]:
    for i, layer in enumerate(layers):
        after = layers[i + 1] if i + 1 < len(layers) else ()
        before = layers[i - 1] if i else ()
        if any(c.type == "unit_test_generator" for c in layer) and not any(c.type == "unit_test_evaluator" for c in after):
            yield f"layer {i} has a unit_test_generator, but layer {i + 1} no unit_test_evaluator: one stands directly before the other"
        if any(c.type == "unit_test_evaluator" for c in layer) and not any(c.type == "unit_test_generator" for c in before):
            yield f"layer {i} has a unit_test_evaluator, but layer {i - 1} no unit_test_generator: one stands directly before the other"


def _tests_there(layers: Layers) -> Iterator[str]:
    there = False
    for i, layer in enumerate(layers):
        if not there and any(c.type == "unit_test_evaluator" for c in layer):
            yield f"layer {i} has a unit_test_evaluator, but no layer before it a unit_test_generator: there are no tests to pass"
        there = (there or any(c.type == "unit_test_generator" for c in layer)) and not any(c.type == "unit_test_evaluator" for c in layer)


Rule = Callable[[Layers], Iterator[str]]
PAPER: tuple[Rule, ...] = (_one_type, _sources_first, _not_first, _alone, _critic_before_use, _tests_together)
RUNNABLE: tuple[Rule, ...] = (_one_type, _alone, _candidates_there, _tests_there)


def broken_rules(layers: Layers, *, runnable: bool = False) -> list[str]:
    """Return every rule that is broken, in words with the layer; empty if none is.

    Args:
        layers: The layers.
        runnable: Check only what running needs: configurations of Archon's repository break rules of its paper (unit tests are written
            first there, and generators read them).
    """
    return [reason for rule in (RUNNABLE if runnable else PAPER) for reason in rule(layers)]
