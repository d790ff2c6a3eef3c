"""The canonical form of a program: what is dead, how registers are called and in which order independent instructions stand.

Every step keeps what the program predicts to the last bit:

1. Instructions without effect on any prediction are removed. Memory persists between calls, so liveness runs round the training and
   validation loops to the least fixpoint; an instruction counts as a reader only if what it writes is live itself.
2. Registers that nothing writes hold zeros: those of a type become one.
3. Within a list, instructions that do not depend on each other are ordered by what they compute, not by how their registers are called.
4. Registers are renamed by their occurrences; label, prediction and features keep their places.
5. Inputs of commutative operations are sorted; operands that an operation does not use hold the defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from designgym.simulators.programs.compiled import (
    COMMUTATIVE,
    COUNT_OF,
    NONE,
    OFFSET_OF,
    OUTPUT_TYPE_OF,
    TYPE_1_OF,
    TYPE_2_OF,
    USES_VALUE,
    Array,
    Digest,
    allocating,
    allocating_entry_point,
    compiled,
    source_digest,
)
from designgym.simulators.programs.instructions import DEFAULT_VALUE, Packed, as_arrays, from_arrays, pack, unpack
from designgym.simulators.programs.operations import COUNTS, FEATURES, LABEL, PREDICTION, REGISTERS

_KEPT = 1 << 14  # programs: each is asked for by the searcher, the keys, the probe and the evaluation
_DEFAULT_BITS = int(np.array(DEFAULT_VALUE).view(np.int64))
_RESET = (1 << LABEL) | (1 << FEATURES)  # overwritten before predict and before learn
_SETUP, _PREDICT, _LEARN = 0, 1, 2
_TYPES = len(COUNTS)
_FIRST_FREE = (PREDICTION + 1, 1, 0)  # by type, the first name that is not reserved
_READS_1, _READS_2, _WRITES, _READS_BOTH = 1, 2, 4, 8  # how an instruction uses a register


def canonical_form(values: tuple[Any, ...], traits: frozenset[str]) -> tuple[Any, ...]:
    """Return the canonical form of setup, predict and learn (a `CanonicalForm`); it depends on no trait."""
    packed = pack(values)
    canonical = canonical_program(packed)
    return values if canonical == packed else unpack(canonical)


@lru_cache(maxsize=_KEPT)
def canonical_program(packed: Packed) -> Packed:
    """Return the canonical form of a packed program."""
    code, bounds = as_arrays(packed)
    result, new_bounds = np.empty_like(code), np.zeros_like(bounds)
    _canonicalise(code, bounds, result, new_bounds)
    return from_arrays(result, new_bounds.tolist())


@compiled
def _register(type_: int, address: int) -> int:
    """Returns the number of a register among all, or `NONE` if the operation has no such operand."""
    return NONE if type_ == NONE else OFFSET_OF[type_] + address % COUNT_OF[type_]


@compiled
def _decode(code: Array, regs: Array) -> None:
    """Fills ``regs``, shape ``(n, 3)``, with the registers that each instruction reads (two) and writes."""
    for i in range(code.shape[0]):
        op = code[i, 0] % TYPE_1_OF.size
        regs[i, 0] = _register(TYPE_1_OF[op], code[i, 1])
        regs[i, 1] = _register(TYPE_2_OF[op], code[i, 2])
        regs[i, 2] = _register(OUTPUT_TYPE_OF[op], code[i, 3])


@compiled
def _reads(regs: Array, i: int) -> int:
    mask = 0
    for k in range(2):
        if regs[i, k] != NONE:
            mask |= 1 << regs[i, k]
    return mask


@compiled
def _live_before(regs: Array, first: int, last: int, live: int, alive: Array) -> int:
    """Returns which registers are live before a list, given those live after it, and marks its live instructions."""
    for i in range(last - 1, first - 1, -1):
        write = 1 << regs[i, 2]
        alive[i] = (live & write) != 0
        if alive[i]:
            live = (live & ~write) | _reads(regs, i)
    return live


@compiled
def _mark_live(regs: Array, bounds: Array, alive: Array) -> None:
    at_predict = at_learn = 0
    while True:
        after_predict = (1 << PREDICTION) | ((at_predict | at_learn) & ~_RESET)
        before_predict = _live_before(regs, bounds[_PREDICT], bounds[_PREDICT + 1], after_predict, alive)
        before_learn = _live_before(regs, bounds[_LEARN], bounds[_LEARN + 1], before_predict & ~_RESET, alive)
        if before_predict == at_predict and before_learn == at_learn:
            break
        at_predict, at_learn = before_predict, before_learn
    _live_before(regs, bounds[_SETUP], bounds[_SETUP + 1], at_predict & ~_RESET, alive)


@compiled
def _merge_zeros(regs: Array, alive: Array) -> None:
    """Lets all readers of registers that are never written read the first of them."""
    written = 0
    for i in range(alive.size):
        if alive[i]:
            written |= 1 << regs[i, 2]
    for type_ in range(_TYPES):
        zero = NONE
        for register in range(OFFSET_OF[type_], OFFSET_OF[type_] + COUNT_OF[type_]):
            if not (written | _RESET) >> register & 1:
                if zero == NONE:
                    zero = register
                for i in range(alive.size):
                    for k in range(2):
                        if regs[i, k] == register:
                            regs[i, k] = zero


@compiled
def _mix(a: Digest, b: Digest) -> Digest:
    """Returns a 64-bit digest of two, the finaliser of splitmix64 (Steele et al. 2014). Collisions only leave an order as it was."""
    x = (np.uint64(a) ^ (np.uint64(b) * np.uint64(0x9E3779B97F4A7C15))) + np.uint64(0x632BE59BD9B4E019)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def _digest(own: Digest, regs: Array, i: int, op: int, first: Digest, second: Digest, output: Digest) -> Digest:
    """Returns a digest of an instruction from one of itself and of what it reads and writes."""
    if COMMUTATIVE[op] and second < first:
        first, second = second, first
    x = own
    if regs[i, 0] != NONE:
        x = _mix(x, first)
    if regs[i, 1] != NONE:
        x = _mix(x, second)
    return _mix(x, output)


@allocating
def _describe_registers(code: Array, list_of: Array, regs: Array, alive: Array, own: Array, register_digest: Array) -> None:
    """Fills a digest of each register: who uses it and how, names aside. Two rounds, so that users of users count."""
    for register in range(REGISTERS):
        reserved = register in (LABEL, PREDICTION, FEATURES)
        type_ = 0
        while type_ + 1 < _TYPES and register >= OFFSET_OF[type_ + 1]:
            type_ += 1
        register_digest[register] = np.uint64(1000 + register if reserved else type_)
    for i in range(alive.size):
        op = code[i, 0] % TYPE_1_OF.size
        own[i] = _mix(np.uint64(op * 4 + list_of[i]), np.uint64(code[i, 4] if USES_VALUE[op] else 0))
    total = np.zeros(REGISTERS, np.uint64)
    for _ in range(2):
        total[:] = 0
        for i in range(alive.size):
            if alive[i]:
                op = code[i, 0] % TYPE_1_OF.size
                first = register_digest[max(regs[i, 0], 0)]
                second = register_digest[max(regs[i, 1], 0)]
                digest = _digest(own[i], regs, i, op, first, second, register_digest[regs[i, 2]])
                for k in range(3):
                    if regs[i, k] != NONE:
                        role = 0 if k == 1 and COMMUTATIVE[op] else k
                        total[regs[i, k]] += _mix(digest, np.uint64(role))
        for register in range(REGISTERS):
            register_digest[register] = _mix(register_digest[register], total[register])


@allocating
def _describe_instructions(
    code: Array, first: int, last: int, regs: Array, alive: Array, own: Array, register_digest: Array, digests: Array
) -> None:
    """Fills a digest of each instruction of a list: what it computes from what the list finds in memory, and where it goes."""
    content = register_digest.copy()
    for i in range(first, last):
        if alive[i]:
            op = code[i, 0] % TYPE_1_OF.size
            one, two = content[max(regs[i, 0], 0)], content[max(regs[i, 1], 0)]
            digests[i] = _digest(own[i], regs, i, op, one, two, register_digest[regs[i, 2]])
            content[regs[i, 2]] = digests[i]


@compiled
def _depends(regs: Array, later: int, earlier: int) -> bool:
    """Returns whether two instructions of a list must stay in this order."""
    conflict = (1 << regs[earlier, 2]) & (_reads(regs, later) | (1 << regs[later, 2]))
    return conflict != 0 or ((1 << regs[later, 2]) & _reads(regs, earlier)) != 0


@allocating
def _schedule(first: int, last: int, regs: Array, alive: Array, digests: Array, order: Array, count: int) -> int:
    """Appends the live instructions of a list to ``order``: of those that wait for nothing, the one with the least digest comes next.

    Equal digests are taken in the order found, which a second pass finds again.
    """
    placed = np.zeros(last - first, np.bool_)
    for _ in range(first, last):
        best = NONE
        for i in range(first, last):
            if not alive[i] or placed[i - first]:
                continue
            ready = True
            for j in range(first, i):
                if alive[j] and not placed[j - first] and _depends(regs, i, j):
                    ready = False
                    break
            if ready and (best == NONE or digests[i] < digests[best]):
                best = i
        if best != NONE:
            placed[best - first] = True
            order[count] = best
            count += 1
    return count


@compiled
def _uses(code: Array, regs: Array, i: int, register: int) -> int:
    """Returns how an instruction uses a register; the inputs of a commutative operation are not told apart."""
    one, two, use = regs[i, 0] == register, regs[i, 1] == register, 0
    if one and two:
        use = _READS_BOTH
    elif one or (two and COMMUTATIVE[code[i, 0] % TYPE_1_OF.size]):
        use = _READS_1
    elif two:
        use = _READS_2
    return use + (_WRITES if regs[i, 2] == register else 0)


@compiled
def _earlier(code: Array, regs: Array, order: Array, count: int, a: int, b: int) -> bool:
    """Returns whether register ``a`` is used before ``b``, or otherwise where both are used first; False if they are used alike."""
    for position in range(count):
        use_a, use_b = _uses(code, regs, order[position], a), _uses(code, regs, order[position], b)
        if use_a != use_b:
            return use_a > use_b
    return False


@compiled
def _rename(code: Array, regs: Array, order: Array, count: int, names: Array) -> None:
    """Fills the new address of every register that is used: within its type, by its uses."""
    for type_ in range(_TYPES):
        low, high = OFFSET_OF[type_], OFFSET_OF[type_] + COUNT_OF[type_]
        free = low + _FIRST_FREE[type_]
        for register in range(low, free):
            names[register] = register - low
        for register in range(free, high):
            rank = 0
            for other in range(free, high):
                before = _earlier(code, regs, order, count, other, register)
                alike = not before and not _earlier(code, regs, order, count, register, other)
                if other != register and (before or (alike and other < register)):
                    rank += 1
            names[register] = free - low + rank


@allocating
def _write_canonical(code: Array, bounds: Array, result: Array, new_bounds: Array) -> None:
    """Writes the canonical form of ``code`` into ``result`` and where its lists begin into ``new_bounds``."""
    n = code.shape[0]
    regs = np.empty((n, 3), np.int64)
    alive = np.zeros(n, np.bool_)
    list_of = np.zeros(n, np.int64)
    for which in range(3):
        list_of[bounds[which] : bounds[which + 1]] = which
    _decode(code, regs)
    _mark_live(regs, bounds, alive)
    _merge_zeros(regs, alive)
    own, digests, register_digest = np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros(REGISTERS, np.uint64)
    _describe_registers(code, list_of, regs, alive, own, register_digest)
    order = np.empty(n, np.int64)
    count = 0
    for which in range(3):
        first, last = bounds[which], bounds[which + 1]
        _describe_instructions(code, first, last, regs, alive, own, register_digest, digests)
        count = _schedule(first, last, regs, alive, digests, order, count)
        new_bounds[which + 1] = count
    names = np.zeros(REGISTERS, np.int64)
    _rename(code, regs, order, count, names)
    for position in range(count):
        i = order[position]
        op = code[i, 0] % TYPE_1_OF.size
        one = 0 if regs[i, 0] == NONE else names[regs[i, 0]]
        two = 0 if regs[i, 1] == NONE else names[regs[i, 1]]
        if COMMUTATIVE[op] and two < one:
            one, two = two, one
        result[position, 0], result[position, 1], result[position, 2] = op, one, two
        result[position, 3] = names[regs[i, 2]]
        result[position, 4] = code[i, 4] if USES_VALUE[op] else _DEFAULT_BITS


def _compile(sources: int) -> Callable[..., None]:
    """Returns `_write_canonical` for Python. What is compiled depends on the digest of all sources: see `kernel`."""

    @allocating_entry_point
    def canonicalise(code: Array, bounds: Array, result: Array, new_bounds: Array) -> None:
        if sources != 0:
            _write_canonical(code, bounds, result, new_bounds)

    return canonicalise


_canonicalise = _compile(source_digest())
