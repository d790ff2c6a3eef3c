"""What resampling reaches if a verifier that errs decides when to stop (Stroebl et al. 2024, Inference Scaling fLaws, arXiv 2411.17501)."""

from __future__ import annotations

from designgym.core.errors import InputError
from designgym.simulators.archon.statistics.checks import share, whole

__all__ = ["verified_accuracy", "verifier_ceiling"]


def verifier_ceiling(p: float, f: float, true_accept: float = 1.0) -> float:
    """Return the share of accepted answers that are right: what no number of attempts exceeds.

    It is p t / (p t + (1 - p) f), for attempts that are alike: over tasks of different difficulty take the mean.

    Args:
        p: Probability that an attempt is right.
        f: Probability that a wrong one is accepted.
        true_accept: Probability t that a right one is accepted.

    Raises:
        InputError: If one is no probability, or nothing is ever accepted.
    """
    p, f, t = share("p", p), share("f", f), share("true_accept", true_accept)
    if not (accepted := p * t + (1 - p) * f):
        raise InputError(f"with p = {p:g}, f = {f:g} and true_accept = {t:g} nothing is ever accepted, so that there is no accuracy of it")
    return p * t / accepted


def verified_accuracy(p: float, f: float, n: int, true_accept: float = 1.0, *, abstain: bool = True) -> float:
    """Return how often the answer is right that the verifier accepts first, of at most n attempts.

    Args:
        p: Probability that an attempt is right.
        f: Probability that a wrong one is accepted.
        n: Attempts.
        true_accept: Probability that a right one is accepted.
        abstain: Whether there is no answer, which counts as wrong, if none is accepted; the last attempt is the answer otherwise.

    Raises:
        InputError: If a value cannot be.
    """
    p, f, t = share("p", p), share("f", f), share("true_accept", true_accept)
    whole("n, the number of attempts,", n, 1)
    accepted = p * t + (1 - p) * f
    none_accepted = (1 - accepted) ** n
    right = verifier_ceiling(p, f, t) * (1 - none_accepted) if accepted else 0.0
    if abstain or accepted == 1:
        return right
    return right + none_accepted * p * (1 - t) / (1 - accepted)
