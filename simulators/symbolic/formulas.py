"""Formulas of physics to be found again: a part of the Feynman Symbolic Regression Database.

Source: S.-M. Udrescu and M. Tegmark, "AI Feynman: a physics-inspired method for symbolic regression", Science Advances 6, eaay2631 (2020),
table 4 and the ranges that come with its database: which equation of the Feynman Lectures, which variables, and from where to where they
are drawn. Written in our own terms; those that do not fit into a design are left out. Ids are those of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Range = tuple[float, float]

_USUAL: Final[Range] = (1.0, 5.0)


@dataclass(frozen=True)
class Formula:
    """One formula.

    Attributes:
        id: Volume, chapter and number of the equation in the Feynman Lectures.
        about: What it says, in a few words.
        text: The formula.
        variables: What it reads, in the order of the inputs.
        ranges: Where each variable is drawn from, uniformly.
    """

    id: str
    about: str
    text: str
    variables: tuple[str, ...]
    ranges: tuple[Range, ...]


def _formula(id: str, about: str, text: str, variables: str, *, usual: Range = _USUAL, **others: Range) -> Formula:
    names = tuple(variables.split())
    return Formula(id, about, text, names, tuple(others.get(name, usual) for name in names))


_SLOW: Final[Range] = (1.0, 2.0)  # a velocity ...
_LIGHT: Final[Range] = (3.0, 10.0)  # ... and that of light
_NARROW: Final[Range] = (1.0, 3.0)

FORMULAS: Final = (
    _formula("I.12.1", "friction", "mu * N", "mu N"),
    _formula("I.25.13", "voltage of a capacitor", "q / C", "q C"),
    _formula("I.29.4", "wave number", "omega / c", "omega c", usual=(1.0, 10.0)),
    _formula("I.14.4", "energy of a spring", "k * x**2 / 2", "k x"),
    _formula("I.34.27", "energy of a photon", "h / (2 * pi) * omega", "omega h"),
    _formula("I.39.22", "pressure of an ideal gas", "n * k * T / V", "n T V k"),
    _formula("II.38.14", "shear modulus", "Y / (2 * (1 + sigma))", "Y sigma"),
    _formula("I.12.4", "field of a charge", "q / (4 * pi * epsilon * r**2)", "q epsilon r"),
    _formula("I.27.6", "focal length", "1 / (1 / d1 + n / d2)", "d1 d2 n"),
    _formula("I.6.20a", "standard normal density", "exp(-(theta**2 / 2)) / sqrt(2 * pi)", "theta", usual=_NARROW),
    _formula("I.47.23", "speed of sound", "sqrt(gamma * p / rho)", "gamma p rho"),
    _formula("I.10.7", "relativistic mass", "m / sqrt(1 - (v / c)**2)", "m v c", v=_SLOW, c=_LIGHT),
    _formula("I.8.14", "distance of two points", "sqrt((x2 - x1)**2 + (y2 - y1)**2)", "x1 x2 y1 y2"),
    _formula("I.13.4", "kinetic energy", "m * (v**2 + u**2 + w**2) / 2", "m v u w"),
    _formula("I.18.4", "centre of mass", "(m1 * r1 + m2 * r2) / (m1 + m2)", "m1 m2 r1 r2"),
    _formula("I.16.6", "addition of velocities", "(u + v) / (1 + u * v / c**2)", "c v u"),
    _formula("I.12.11", "Lorentz force", "q * (E + B * v * sin(theta))", "q E B v theta"),
    _formula("III.17.37", "angular distribution", "beta * (1 + alpha * cos(theta))", "beta alpha theta"),
    _formula("I.50.26", "anharmonic oscillation", "a * (cos(omega * t) + alpha * cos(omega * t)**2)", "a omega t alpha", usual=_NARROW),
    _formula("I.37.4", "interference", "I1 + I2 + 2 * sqrt(I1 * I2) * cos(delta)", "I1 I2 delta"),
    _formula("II.11.28", "dielectric constant", "1 + n * alpha / (1 - n * alpha / 3)", "n alpha", usual=(0.0, 1.0)),
    _formula("III.4.32", "photons in a mode", "1 / (exp(h / (2 * pi) * omega / (k * T)) - 1)", "h omega k T"),
    _formula("II.35.21", "magnetisation", "n * mu * tanh(mu * B / (k * T))", "n mu B k T"),
    _formula("I.29.16", "sum of two waves", "sqrt(x1**2 + x2**2 - 2 * x1 * x2 * cos(theta1 - theta2))", "x1 x2 theta1 theta2"),
    _formula("I.40.1", "barometric formula", "n * exp(-(m * g * x / (k * T)))", "n m x T g k"),
)

BY_ID: Final = {formula.id: formula for formula in FORMULAS}
