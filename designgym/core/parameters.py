"""The scalar kinds of parameter that a design space is made of; structured ones are in `designgym.core.groups`."""

from designgym.core.continuous import Float
from designgym.core.discrete import Categorical, DiscreteParameter, Integer, Ordinal, PowerOfTwo
from designgym.core.parameter_base import Column, ColumnKind, Encoded, Parameter, Scalar

__all__ = [
    "Categorical", "Column", "ColumnKind", "DiscreteParameter", "Encoded", "Float", "Integer", "Ordinal", "Parameter", "PowerOfTwo",
    "Scalar",
]  # fmt: skip
