"""The equivalence keys of designs: which context a result belongs to, hashed with what the design is or does."""

from __future__ import annotations

import json
from collections.abc import Sequence

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import EvaluationError
from designgym.core.protocols import Simulator
from designgym.core.trial import Keys
from designgym.core.workload import Workload

KEY_BYTES = 16  # 128 bits: among 10^12 keys the chance of one accidental collision is below 10^-14


class KeyMaker:
    """Makes the keys of one context: simulator and version, space, workload and traits, fidelity, and seed unless it has no effect.

    The whole space is in them, not its version alone: with other constraints an illegal design is another result, and with other
    symmetries or traits a canonical form stands for another class, also where somebody forgot to raise the version.
    """

    def __init__(self, simulator: Simulator, workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> None:
        self._simulator, self._workload, self._seed = simulator, workload, seed
        self._space = simulator.space
        self._traits = workload.traits
        context = {
            "format": 2, "simulator": [simulator.name, simulator.version], "space": simulator.space.to_json(),
            "workload": [workload.digest, sorted(workload.traits)], "fidelity": repr(float(fidelity)),
            "seed": None if simulator.deterministic else seed,
        }  # fmt: skip
        prefix = blake3(json.dumps(context, separators=(",", ":")).encode()).digest()
        self._literal, self._canonical, self._functional = (blake3(prefix + tag) for tag in (b"literal", b"canonical", b"functional"))

    def keys(self, design: Design) -> Keys:
        """Return the literal and the canonical key; the functional one is filled in after a probe."""
        canonical = self._space.canonical(design, self._traits)
        return Keys(_digest(self._literal, design.literal.encode()), _digest(self._canonical, canonical.literal.encode()))

    def functional(self, designs: Sequence[Design]) -> list[str] | None:
        """Probe the designs and return their functional keys, or None if the simulator has no probe.

        Raises:
            EvaluationError: If the probe returns another number of responses than designs.
        """
        responses = self._simulator.probe(designs, self._workload, seed=self._seed)
        if responses is None:
            return None
        if len(responses) != len(designs):
            raise EvaluationError(
                f"{self._simulator.name} returned {len(responses)} probe responses for {len(designs)} designs, expected one each"
            )
        return [_digest(self._functional, response) for response in responses]


def _digest(prefix: blake3, content: bytes) -> str:
    hasher = prefix.copy()
    hasher.update(content)
    return hasher.hexdigest(length=KEY_BYTES)
