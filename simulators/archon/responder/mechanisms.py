"""The responder's mechanisms: a few numbers for each benchmark, and three for each model that judges and fuses there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from types import MappingProxyType

from designgym.simulators.archon.responder.tables import table

__all__ = ["Mechanisms", "Role", "mechanisms"]


@dataclass(frozen=True)
class Role:
    """A model as judge and fuser on a benchmark, beyond what its skill says.

    Attributes:
        fuse: Probit by which its answers are better with candidates to read than without.
        judge: Log-odds by which it prefers right candidates more than others do.
        read: Factor of what critiques and checks help it.
    """

    fuse: float = 0.0
    judge: float = 0.0
    read: float = 1.0


@dataclass(frozen=True)
class Mechanisms:
    """How answers come about on a benchmark. Log-odds are those of a right candidate against a wrong one.

    Attributes:
        correlation: Of two samples of one question, on the scale of a normal variable; only where skill alone is published.
        between: Correlation of difficulty between families of models.
        rework: Share of questions that a fuser answers anew with the candidates as help; for the others it follows one of them.
        lean: Share of the candidates' level in the probit of an answer that is made anew; the rest is the fuser's own.
        pick: Log-odds of the candidate that a fuser follows.
        gain: Probit by which many candidates help any fuser.
        rank: Log-odds of a ranker.
        rank_read: What critiques add to them.
        verify: Log-odds of a verifier's acceptance.
        test: Log-odds of passing unit tests.
        critique: Probit that critiques add to a fuser's answers.
        verified: Probit that a verifier before it adds.
        tested: Probit that unit tests before it add.
        ordered: Probit that an order of criticised candidates adds.
        roles: By model, what sets it apart.
    """

    correlation: float = 0.6
    between: float = 0.7
    rework: float = 0.5
    lean: float = 0.4
    pick: float = 0.5
    gain: float = 0.3
    rank: float = 0.3
    rank_read: float = 0.5
    verify: float = 0.3
    test: float = 0.3
    critique: float = 0.1
    verified: float = 0.1
    tested: float = 0.1
    ordered: float = 0.1
    roles: Mapping[str, Role] = field(default_factory=lambda: MappingProxyType({}))

    def role(self, model: str) -> Role:
        """Return a model's role; one that no figure tells of is like the others."""
        return self.roles.get(model, Role())


NUMBERS = tuple(item.name for item in fields(Mechanisms) if item.name != "roles")


@cache
def mechanisms(benchmark: str) -> Mechanisms:
    """Return the fitted mechanisms of one of Archon's benchmarks."""
    rows = table("mechanisms").to_dict("records")
    values = {str(row["parameter"]): float(row["value"]) for row in rows if row["benchmark"] == benchmark}
    roles = {
        str(row["model"]): Role(float(row["fuse"]), float(row["judge"]), float(row["read"]))
        for row in table("roles").to_dict("records")
        if row["benchmark"] == benchmark
    }
    return replace(Mechanisms(), **values, roles=MappingProxyType(roles))
