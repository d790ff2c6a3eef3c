"""The design space of expressions: a list of nodes, the last of which is the result."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from designgym.core.canonical_form import CanonicalForm
from designgym.core.groups import Repeated
from designgym.core.parameters import Categorical
from designgym.core.rules import Condition
from designgym.core.space import DesignSpace
from designgym.simulators.symbolic.canonical import canonical_form
from designgym.simulators.symbolic.operations import MOST_NODES, OPERANDS, OPERATIONS

VERSION: Final = "1"
NODES: Final = "nodes"


@lru_cache(maxsize=1)
def expression_space() -> DesignSpace:
    """Return the space; every list of nodes is an expression, whatever is changed, inserted or removed (Cartesian genetic programming)."""
    binary = [operation.name for operation in OPERATIONS if operation.arity == 2]
    node = DesignSpace(
        op=Categorical(*(operation.name for operation in OPERATIONS)),
        a=Categorical(*OPERANDS),
        b=Categorical(*OPERANDS),
        conditions=[Condition("b", f"op in {binary!r}")],
        version=VERSION,
    )
    return DesignSpace(
        {NODES: Repeated(node, 1, MOST_NODES)},
        version=VERSION,
        symmetries=[CanonicalForm(canonical_form, [NODES], version=VERSION)],
    )
