"""The simulated responder: how language models answer when put together in an architecture, without asking any.

It is a statistical model for developing and comparing search methods, not for claims about LLMs. Its parameters are stated in, or
fitted to, published figures: `fit_table` says how well, ``python -m designgym.simulators.archon.responder.fit`` repeats the fit. What no
figure pins down is called a guess where it stands: temperatures outside 0.5 to 1, tokens of judgements, iterative deepening, adaptive
stopping beyond two figures, unit tests in Python, judges of whom nothing is published, and correlation between model families.
"""

from __future__ import annotations

from designgym.simulators.archon.responder.curves import best_of_k, majority_of_k, particle_filter, weighted_majority_of_k
from designgym.simulators.archon.responder.fit_table import fit_table
from designgym.simulators.archon.responder.profiles import ModelProfile, benchmarks, models
from designgym.simulators.archon.responder.repeated_sampling import coverage
from designgym.simulators.archon.responder.simulated import PURPOSE, Node, Simulated, SimulatedResponder

__all__ = [
    "PURPOSE", "ModelProfile", "Node", "Simulated", "SimulatedResponder", "benchmarks", "best_of_k", "coverage", "fit_table",
    "majority_of_k", "models", "particle_filter", "weighted_majority_of_k",
]  # fmt: skip
