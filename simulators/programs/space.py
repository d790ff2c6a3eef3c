"""The design space of programs: three lists of instructions, empty by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from designgym.core.canonical_form import CanonicalForm
from designgym.core.errors import UnknownNameError
from designgym.core.groups import Repeated
from designgym.core.parameters import Categorical, Float, Integer
from designgym.core.rules import Condition
from designgym.core.space import DesignSpace
from designgym.simulators.programs.canonical import canonical_form
from designgym.simulators.programs.instructions import DEFAULT_VALUE, HIGHEST_VALUE, LISTS, LOWEST_VALUE
from designgym.simulators.programs.operations import ADDRESSES, OPERATIONS, Operation

VERSION = "1"


@dataclass(frozen=True)
class Alphabet:
    """Which programs are searched.

    Attributes:
        operations: Names of the operations; those for setup only are left out of the other lists.
        longest: Most instructions of setup, predict and learn.
        addresses: Registers of each type that instructions can name.
    """

    operations: tuple[str, ...]
    longest: tuple[int, int, int]
    addresses: int = ADDRESSES


ALPHABETS = {
    "all": Alphabet(tuple(operation.name for operation in OPERATIONS), (10, 10, 20)),
    # what AutoML-Zero's own demonstration searches: enough to write linear regression by gradient descent, not much else
    "linear": Alphabet(("s_const", "s_sub", "s_mul", "sv_scale", "v_add", "vv_dot"), (3, 2, 8), addresses=4),
}


def program_space(alphabet: str = "all") -> DesignSpace:
    """Return the space of programs over one of `ALPHABETS`; raises `UnknownNameError` if there is none of that name."""
    if alphabet not in ALPHABETS:
        raise UnknownNameError("set of operations", alphabet, ALPHABETS)
    chosen = [operation for operation in OPERATIONS if operation.name in ALPHABETS[alphabet].operations]
    everywhere = [operation for operation in chosen if not operation.setup_only]
    lists = zip(LISTS, (chosen, everywhere, everywhere), ALPHABETS[alphabet].longest, strict=True)
    return DesignSpace(
        {name: Repeated(_instruction_space(operations, ALPHABETS[alphabet].addresses), 0, longest) for name, operations, longest in lists},
        version=VERSION,
        symmetries=[CanonicalForm(canonical_form, LISTS, version=VERSION)],
    )


def _instruction_space(operations: Sequence[Operation], addresses: int) -> DesignSpace:
    def those(names: list[str]) -> str:
        return f"op in {names!r}"

    return DesignSpace(
        op=Categorical(*(operation.name for operation in operations)),
        in1=Integer(0, addresses - 1),
        in2=Integer(0, addresses - 1),
        out=Integer(0, addresses - 1),
        value=Float(LOWEST_VALUE, HIGHEST_VALUE, log=True, default=DEFAULT_VALUE),
        conditions=[
            Condition("in1", those([operation.name for operation in operations if operation.inputs])),
            Condition("in2", those([operation.name for operation in operations if len(operation.inputs) == 2])),
            Condition("value", those([operation.name for operation in operations if operation.uses_value])),
        ],
    )
