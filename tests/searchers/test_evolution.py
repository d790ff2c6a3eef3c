"""Regularised evolution: where it begins."""

from __future__ import annotations

import designgym as dg
from designgym.searchers import make_searcher

STEP = dg.DesignSpace(op=dg.Categorical("add", "mul"), at=dg.Integer(0, 3))
PROGRAMS = dg.DesignSpace(steps=dg.Repeated(STEP, 0, 8))


def test_evolution_may_begin_at_the_default_design() -> None:
    searcher = make_searcher("regularized_evolution", PROGRAMS, dg.minimize("x"), seed=0, population=6, start="default")
    first = searcher.ask(6)
    assert first[0] == PROGRAMS.default() and first[0]["steps"] == ()
    assert len({design.literal for design in first}) == 6
    assert max(len(design["steps"]) for design in first) <= 4, "mutants of the empty program are short"
    assert make_searcher("regularized_evolution", PROGRAMS, dg.minimize("x"), seed=0, population=6).ask(1) != first[:1]


def test_an_illegal_default_is_not_proposed() -> None:
    space = dg.DesignSpace(steps=dg.Repeated(STEP, 0, 8), n=dg.Integer(0, 9), constraints=[dg.Constraint("n > 0", "none is too few")])
    searcher = make_searcher("regularized_evolution", space, dg.minimize("x"), seed=0, population=6, start="default")
    assert not any(space.violations(design) for design in searcher.ask(6))
