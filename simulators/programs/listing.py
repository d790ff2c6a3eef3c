"""Programs as people read them: the instructions that have an effect, numbered, list by list."""

from __future__ import annotations

from typing import Final

from designgym.core.design import Design
from designgym.simulators.programs.canonical import canonical_program
from designgym.simulators.programs.instructions import LISTS, pack, unpack
from designgym.simulators.programs.operations import ADDRESSES, CODES, COUNTS, OPERATIONS, TYPES, RegisterType

_FORMS: Final = {
    "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}", "scale": "{0} * {1}", "reciprocal": "1 / {0}",
    "matvec": "{0} @ {1}", "matmul": "{0} @ {1}", "uniform": "uniform(-{value}, {value})", "gaussian": "gaussian(0, {value})",
}  # fmt: skip
_NOTES: Final = {"setup": "once", "predict": "s1 from the features, v0", "learn": "after each prediction, s1; s0 is the label"}
_ALWAYS_SET: Final[tuple[str, ...]] = ("s0", "v0")


def listing(design: Design) -> str:
    """Return the canonical form of a program: each list with numbered instructions, and the registers that are read and never written."""
    written_as = [design[name] for name in LISTS]
    lists = unpack(canonical_program(pack(written_as)))
    lines, read, written = list[str](), set[str](), set[str](_ALWAYS_SET)
    for name, instructions in zip(LISTS, lists, strict=True):
        lines.append(f"{name} ({_NOTES[name]})" + ("" if instructions else ": nothing"))
        for number, instruction in enumerate(instructions, 1):
            inputs, output, text = _read(instruction)
            read.update(inputs)
            written.add(output)
            lines.append(f"{number:4}  {text}")
    if zeros := sorted(read - written):
        lines.append(f"never written, so 0: {', '.join(zeros)}")
    lines.append(f"{sum(map(len, lists))} of {sum(map(len, written_as))} instructions have an effect")
    return "\n".join(lines)


def _read(instruction: Design) -> tuple[list[str], str, str]:
    """Return what an instruction reads, what it writes, and its text."""
    operation = OPERATIONS[CODES[instruction["op"]]]
    inputs = [_register(type_, instruction[f"in{i}"]) for i, type_ in enumerate(operation.inputs, 1)]
    output = _register(operation.output, instruction["out"])
    value = f"{instruction['value']:.6g}"
    if operation.kind in _FORMS:
        text = _FORMS[operation.kind].format(*inputs, value=value)
    elif operation.uses_value:
        text = value
    else:
        text = f"{operation.kind}({', '.join(inputs)})"
    return inputs, output, f"{output} = {text}"


def _register(type_: RegisterType, address: int) -> str:
    return f"{type_[0]}{address % ADDRESSES % COUNTS[TYPES.index(type_)]}"
