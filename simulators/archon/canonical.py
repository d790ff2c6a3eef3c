"""The canonical form of an architecture: what is run. Architectures with one form make the same calls and give the same answer."""

from __future__ import annotations

from designgym.simulators.archon.architecture import Architecture, Layer
from designgym.simulators.archon.components.base import Component

__all__ = ["canonical"]


def canonical(architecture: Architecture) -> Architecture:
    """Return an architecture without what has no effect, each layer in one order.

    - Components of a layer work side by side, so their order means nothing; equal generators or fusers are one with all their samples.
    - Critiques that no ranker or fuser reads are not written, nor tests that nobody reads.
    - A ranker is not asked to order one candidate, nor to keep more than there are.
    - The answer is the first candidate of the last layer: no other is made there.
    """
    form = Architecture(architecture.layers, architecture.name)
    while (simpler := _simplified(form)) != form:  # what is left out may have been the only reader of something else
        form = simpler
    return form


def _simplified(architecture: Architecture) -> Architecture:
    layers = _without_idle_filters(_without_unread([_merged(layer) for layer in architecture]))
    return Architecture(tuple(_answer_alone(layers)), architecture.name)


DRAWN = ("generator", "fuser")
"""Kinds whose candidates are independent answers to the same messages: so many of one component, or of several, are the same ones."""


def _merged(layer: Layer) -> Layer:
    """Return a layer in order, with one component in place of equal ones that draw answers."""
    found: dict[Component, int] = {}
    others: list[Component] = []
    for component in layer:
        if component.type in DRAWN:
            single = component.changed(samples=1)
            found[single] = found.get(single, 0) + component.samples
        else:
            others.append(component)
    others += [single.changed(samples=n) for single, n in found.items()]
    return tuple(sorted(others, key=Component.key))


def _without_unread(layers: list[Layer]) -> list[Layer]:
    """Leave out critics and test writers whose texts nobody reads; a ranker without critiques is asked without."""
    kept: list[Layer] = []
    critiques_read = tests_read = False
    for layer in reversed(layers):
        first = layer[0]
        if (first.type == "critic" and not critiques_read) or (first.kind.role == "tests" and not tests_read):
            continue
        if first.kind.role == "source":
            critiques_read, tests_read = False, True
        elif first.kind.role == "mixer" or first.settings.get("use_critiques"):
            critiques_read = True
        if first.type == "unit_test_evaluator":
            tests_read = True
        elif first.kind.role == "tests":
            tests_read = False
        kept.append(layer)
    found: list[Layer] = []
    criticised = False
    for layer in reversed(kept):
        first = layer[0]
        if first.settings.get("use_critiques") and not criticised:
            layer = (first.changed(use_critiques=False),)
        criticised = (criticised or first.type == "critic") and first.kind.role not in ("source", "mixer")
        found.append(layer)
    return found


def _without_idle_filters(layers: list[Layer]) -> list[Layer]:
    """Leave out filters that have nothing to choose from and ask nobody; keep no more than there is."""
    found: list[Layer] = []
    before = 0
    for layer in layers:
        first = layer[0]
        if first.kind.role == "filter" and before == 1 and first.kind.work(first, 1).calls == 0:
            continue
        if "top_k" in first.settings and before:
            layer = (first.changed(top_k=min(first["top_k"], before)),)
        found.append(layer)
        work = [component.kind.work(component, before) for component in layer]
        before = sum(w.candidates for w in work) if first.kind.role in ("source", "mixer") else work[0].candidates
    return found


def _answer_alone(layers: list[Layer]) -> list[Layer]:
    """Make only the candidate of the last layer that is the answer."""
    first = layers[-1][0]
    if first.type in DRAWN:
        return [*layers[:-1], (first.changed(samples=1),)]
    if first.kind.role in ("source", "mixer"):
        return [*layers[:-1], (first,)]
    return [*layers[:-1], (first.changed(top_k=1),)] if "top_k" in first.settings else layers
