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
        setup: Names of the operations that setup may use.
        predict: Those of predict; operations for setup only are left out.
        learn: Those of learn, likewise.
        longest: Most instructions of setup, predict and learn.
        addresses: Registers of each type that instructions can name.
        resample: Probability that a mutation of a list draws the whole list anew.
    """

    setup: tuple[str, ...]
    predict: tuple[str, ...]
    learn: tuple[str, ...]
    longest: tuple[int, int, int]
    addresses: int = ADDRESSES
    resample: float = 0.0


_ALL = tuple(operation.name for operation in OPERATIONS)
_LINEAR = ("s_const", "s_sub", "s_mul", "sv_scale", "v_add", "vv_dot")
ALPHABETS = {
    "all": Alphabet(_ALL, _ALL, _ALL, (10, 10, 20)),
    # what AutoML-Zero's own demonstration searches: enough to write linear regression by gradient descent, not much else
    "linear": Alphabet(_LINEAR, _LINEAR, _LINEAR, (3, 2, 8), addresses=4),
    # what its integration test of linear regression searches: each list with the operations that it needs there; and with its mutation
    # that draws a whole list anew
    "regression": Alphabet(("s_const",), ("vv_dot",), ("s_sub", "s_mul", "sv_scale", "v_add"), (3, 1, 4), addresses=4, resample=0.1),
}


def program_space(alphabet: str = "all") -> DesignSpace:
    """Return the space of programs over one of `ALPHABETS`; raises `UnknownNameError` if there is none of that name."""
    if alphabet not in ALPHABETS:
        raise UnknownNameError("set of operations", alphabet, ALPHABETS)
    return space_of(ALPHABETS[alphabet])


def space_of(alphabet: Alphabet) -> DesignSpace:
    """Return the space of the programs of an alphabet."""
    lists = {}
    for name, names, longest in zip(LISTS, (alphabet.setup, alphabet.predict, alphabet.learn), alphabet.longest, strict=True):
        chosen = [each for each in OPERATIONS if each.name in names and not (each.setup_only and name != "setup")]
        lists[name] = Repeated(_instruction_space(chosen, alphabet.addresses), 0, longest, resample=alphabet.resample)
    return DesignSpace(lists, version=VERSION, symmetries=[CanonicalForm(canonical_form, LISTS, version=VERSION)])


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
