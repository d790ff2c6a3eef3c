"""The components of architectures: a file for each, with its source."""

from __future__ import annotations

from designgym.simulators.archon.components.base import Kind
from designgym.simulators.archon.components.critic import CRITIC
from designgym.simulators.archon.components.fuser import FUSER
from designgym.simulators.archon.components.generator import GENERATOR
from designgym.simulators.archon.components.ranker import RANKER
from designgym.simulators.archon.components.unit_test_evaluator import UNIT_TEST_EVALUATOR
from designgym.simulators.archon.components.unit_test_generator import UNIT_TEST_GENERATOR
from designgym.simulators.archon.components.verifier import VERIFIER

__all__ = ["KINDS"]

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (GENERATOR, FUSER, CRITIC, RANKER, VERIFIER, UNIT_TEST_GENERATOR, UNIT_TEST_EVALUATOR)
}
"""Every kind of component by its name."""
