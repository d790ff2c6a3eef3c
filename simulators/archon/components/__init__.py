"""The components of architectures: a file for each, with its source."""

from __future__ import annotations

from designgym.simulators.archon.components.adaptive_stopping import ADAPTIVE_STOPPING
from designgym.simulators.archon.components.base import Kind
from designgym.simulators.archon.components.best_of_n import BEST_OF_N
from designgym.simulators.archon.components.critic import CRITIC
from designgym.simulators.archon.components.fuser import FUSER
from designgym.simulators.archon.components.generator import GENERATOR
from designgym.simulators.archon.components.iterative_deepening import ITERATIVE_DEEPENING
from designgym.simulators.archon.components.majority import MAJORITY
from designgym.simulators.archon.components.particle_filter import PARTICLE_FILTER
from designgym.simulators.archon.components.plan_search import PLAN_SEARCH
from designgym.simulators.archon.components.plan_verify_code import PLAN_VERIFY_CODE
from designgym.simulators.archon.components.ranker import RANKER
from designgym.simulators.archon.components.unit_test_evaluator import UNIT_TEST_EVALUATOR
from designgym.simulators.archon.components.unit_test_generator import UNIT_TEST_GENERATOR
from designgym.simulators.archon.components.verifier import VERIFIER

__all__ = ["KINDS"]

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        GENERATOR, FUSER, CRITIC, RANKER, VERIFIER, UNIT_TEST_GENERATOR, UNIT_TEST_EVALUATOR,
        MAJORITY, BEST_OF_N, PLAN_SEARCH, PLAN_VERIFY_CODE, PARTICLE_FILTER, ITERATIVE_DEEPENING, ADAPTIVE_STOPPING,
    )
}  # fmt: skip
"""Every kind of component by its name: Archon's, then those of neighbouring papers."""
