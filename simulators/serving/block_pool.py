"""Blocks of KV memory: the list of free ones, and the prefix cache that finds blocks by what they hold.

As in vLLM v1: a free block that holds a known prefix can still be found, and leaves the list when it is; taking it from the front of
the list for other tokens is its eviction.
"""

from __future__ import annotations

from designgym.simulators.compiling import Array, Record, compiled, inlined
from designgym.simulators.serving.state import Memory


@inlined
def insert_after(blocks: Array, place: int, block: int) -> None:
    """Put a record into the list that ``before`` and ``after`` make, behind another."""
    after = blocks[place].after
    blocks[block].before = place
    blocks[block].after = after
    blocks[place].after = block
    blocks[after].before = block


@inlined
def unlink(blocks: Array, block: int) -> None:
    """Take a record out of that list."""
    before, after = blocks[block].before, blocks[block].after
    blocks[before].after = after
    blocks[after].before = before


@compiled
def prepare_blocks(m: Memory) -> None:
    """Make all blocks free, in the order of their numbers; block 0 is the null block, which nobody gets."""
    s = m.server[0]
    ends = s.n_blocks
    for b in range(s.n_blocks + 1):
        block = m.blocks[b]
        block.users = 0
        block.key = block.older = block.newer = -1
        block.before = b - 1
        block.after = b + 1
    m.blocks[ends].after = 1 if s.n_blocks > 1 else ends
    m.blocks[ends].before = s.n_blocks - 1 if s.n_blocks > 1 else ends
    if s.n_blocks > 1:
        m.blocks[1].before = ends
    s.free_blocks = s.n_blocks - 1
    for k in range(m.chains.size):
        m.chains[k].oldest = -1
        m.chains[k].newest = -1


@inlined
def _forget(m: Memory, block: int) -> None:
    """Take a block out of the prefix cache."""
    b = m.blocks[block]
    if b.key < 0:
        return
    if b.older >= 0:
        m.blocks[b.older].newer = b.newer
    else:
        m.chains[b.key].oldest = b.newer
    if b.newer >= 0:
        m.blocks[b.newer].older = b.older
    else:
        m.chains[b.key].newest = b.older
    b.key = b.older = b.newer = -1


@compiled
def take_blocks(m: Memory, q: Record, count: int) -> None:
    """Give a request so many blocks from the front of the free list, which has them."""
    s = m.server[0]
    for _ in range(count):
        block = m.blocks[s.n_blocks].after
        unlink(m.blocks, block)
        _forget(m, block)
        m.blocks[block].users = 1
        m.tables[q.first_slot + q.held] = block
        q.held += 1
    s.free_blocks -= count


@compiled
def count_hits(m: Memory, q: Record) -> tuple[int, int]:
    """Return how many leading blocks of a request the prefix cache holds, and how many of those are free.

    At least one token is left to be computed.
    """
    s = m.server[0]
    hits, idle = 0, 0
    if s.prefix_caching == 0:
        return hits, idle
    last = -1
    for i in range((q.tokens - 1) // s.block_size):
        block = m.chains[m.keys[q.first_key + i]].oldest
        if block < 0:
            break
        hits += 1
        last = 1 if m.blocks[block].users == 0 else 0
        idle += last
    if s.drop_last_hit and hits > 0:
        hits -= 1
        idle -= last
    return hits, idle


@compiled
def take_hits(m: Memory, q: Record, hits: int) -> None:
    """Give a request that holds nothing its leading blocks from the prefix cache."""
    s = m.server[0]
    for i in range(hits):
        block = m.chains[m.keys[q.first_key + i]].oldest
        if m.blocks[block].users == 0:
            unlink(m.blocks, block)
            s.free_blocks -= 1
        m.blocks[block].users += 1
        m.tables[q.first_slot + i] = block
    q.held = hits
    q.registered = hits


@compiled
def register(m: Memory, q: Record, tokens: int) -> None:
    """Put a request's blocks that are full with its first ``tokens`` tokens into the prefix cache."""
    s = m.server[0]
    if s.prefix_caching == 0:
        return
    for i in range(q.registered, tokens // s.block_size):
        block, key = m.tables[q.first_slot + i], m.keys[q.first_key + i]
        b, chain = m.blocks[block], m.chains[key]
        b.key = key
        b.older = chain.newest
        b.newer = -1
        if chain.newest >= 0:
            m.blocks[chain.newest].newer = block
        else:
            chain.oldest = block
        chain.newest = block
        q.registered = i + 1


@compiled
def free_request(m: Memory, q: Record) -> None:
    """Take all blocks from a request, its last one first.

    Free blocks that hold something go to the back of the list, others to the front.
    """
    s = m.server[0]
    ends = s.n_blocks
    for i in range(q.held - 1, -1, -1):
        block = m.tables[q.first_slot + i]
        m.blocks[block].users -= 1
        if m.blocks[block].users == 0:
            s.free_blocks += 1
            if m.blocks[block].key >= 0:
                insert_after(m.blocks, m.blocks[ends].before, block)
    for i in range(q.held):
        block = m.tables[q.first_slot + i]
        if m.blocks[block].users == 0 and m.blocks[block].key < 0:
            insert_after(m.blocks, ends, block)
    q.held = 0
    q.registered = 0
