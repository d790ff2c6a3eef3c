"""The six cluster designs of Splitwise (Patel et al., ISCA 2024, section V), and the sizes that the paper's figures compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.cluster.config import ClusterConfig, Pool, Scheduler

__all__ = ["DESIGNS", "PAPER_SIZES", "ClusterDesign", "splitwise_cluster"]


@dataclass(frozen=True)
class ClusterDesign:
    """A way to build a cluster: which machines compute prompts, and which the other tokens; None where all do both.

    Attributes:
        prompt_machine: Type of the machines for prompts, or of all.
        token_machine: Type of those for tokens.
    """

    prompt_machine: str
    token_machine: str | None = None

    @property
    def scheduler(self) -> Scheduler:
        """How requests are placed."""
        return "token_jsq" if self.token_machine is None else "mixed_pool"


DESIGNS: Mapping[str, ClusterDesign] = {
    "Baseline-A100": ClusterDesign("a100"),
    "Baseline-H100": ClusterDesign("h100"),
    "Splitwise-AA": ClusterDesign("a100", "a100"),
    "Splitwise-HH": ClusterDesign("h100", "h100"),
    "Splitwise-HA": ClusterDesign("h100", "a100"),
    "Splitwise-HHcap": ClusterDesign("h100", "h100_capped"),
}

PAPER_SIZES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "iso_power_conv": {
        "Baseline-A100": (70, 0), "Baseline-H100": (40, 0), "Splitwise-AA": (45, 25), "Splitwise-HH": (25, 15),
        "Splitwise-HA": (25, 26), "Splitwise-HHcap": (25, 21),
    },
    "iso_power_code": {
        "Baseline-A100": (70, 0), "Baseline-H100": (40, 0), "Splitwise-AA": (55, 15), "Splitwise-HH": (35, 5),
        "Splitwise-HA": (35, 8), "Splitwise-HHcap": (35, 7),
    },
    "iso_cost_conv": {
        "Baseline-A100": (86, 0), "Baseline-H100": (40, 0), "Splitwise-AA": (51, 35), "Splitwise-HH": (25, 15),
        "Splitwise-HA": (30, 21), "Splitwise-HHcap": (30, 10),
    },
}  # fmt: skip
"""Machines for prompts and for tokens by comparison and design, as in splitwise-sim's scripts: at equal power, and at equal cost."""


def splitwise_cluster(design: str, prompt_machines: int, token_machines: int = 0) -> ClusterConfig:
    """Return a cluster of one of the six designs, with splitwise-sim's limits.

    Args:
        design: Its name.
        prompt_machines: Machines for prompts; of a baseline all machines.
        token_machines: Machines for tokens; 0 for a baseline.

    Raises:
        InputError: If there is no such design, or a number of machines does not fit it.
    """
    if design not in DESIGNS:
        raise UnknownNameError("design", design, DESIGNS)
    chosen = DESIGNS[design]
    if chosen.token_machine is None:
        if token_machines:
            raise InputError(f"{design} has machines of one kind, for prompts and tokens: token_machines must be 0, not {token_machines}")
        return ClusterConfig((Pool(chosen.prompt_machine, prompt_machines),), "token_jsq")
    if not (prompt_machines > 0 and token_machines > 0):
        raise InputError(f"{design} needs machines for prompts and for tokens, got {prompt_machines} and {token_machines}")
    return ClusterConfig(
        (Pool(chosen.prompt_machine, prompt_machines, "prompt"), Pool(chosen.token_machine, token_machines, "token")), "mixed_pool"
    )
