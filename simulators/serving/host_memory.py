"""KV blocks in the host's memory, as vLLM's native offloading keeps them: written when they are full, read back instead of computed.

Every full block of known tokens is copied there once it is computed; when there is no room, what was used longest ago goes. A waiting
request whose blocks are there, after those that the prefix cache of the GPU holds, gets room on the GPU and waits until they have been
read, one request after the other. Copies to the host take no time from anybody: they have their own stream and direction of the link.
"""

from __future__ import annotations

from designgym.simulators.compiling import Array, Record, compiled, inlined
from designgym.simulators.serving.block_pool import free_request, insert_after, register, take_blocks, take_hits, unlink
from designgym.simulators.serving.state import LOADING, NEVER, Memory
from designgym.simulators.serving.waiting_queue import prepend_waiting, remove_waiting


@compiled
def prepare_host(m: Memory) -> None:
    """Forget all blocks."""
    ends = m.host.size - 1
    for k in range(m.host.size):
        m.host[k].there = 0
    if ends >= 0:
        m.host[ends].before = m.host[ends].after = ends


@inlined
def _put_last(host: Array, key: int) -> None:
    insert_after(host, host[host.size - 1].before, key)


@compiled
def offload(m: Memory, q: Record) -> None:
    """Keep the full blocks of a request's computed tokens, those used longest ago making room."""
    s = m.server[0]
    for i in range(q.offloaded, min(q.computed, q.tokens) // s.block_size):
        key = m.keys[q.first_key + i]
        if m.host[key].there:
            unlink(m.host, key)
        else:
            if s.host_used == s.host_blocks:
                oldest = m.host[m.host.size - 1].after
                unlink(m.host, oldest)
                m.host[oldest].there = 0
                s.host_used -= 1
            m.host[key].there = 1
            s.host_used += 1
        _put_last(m.host, key)
        q.offloaded = i + 1


@inlined
def count_offloaded(m: Memory, q: Record, hits: int) -> int:
    """Return how many blocks of a request, after the first ``hits``, the host holds; at least one token is left to be computed."""
    s = m.server[0]
    found = 0
    for i in range(hits, (q.tokens - 1) // s.block_size):
        if m.host[m.keys[q.first_key + i]].there == 0:
            break
        found += 1
    return found


@compiled
def begin_loading(m: Memory, r: int, hits: int, found: int) -> None:
    """Take a request out of the queue, give it room, and have its blocks read after those of others that are being read."""
    s = m.server[0]
    q = m.requests[r]
    remove_waiting(s, m.requests, r)
    q.state = LOADING
    take_hits(m, q, hits)
    take_blocks(m, q, found)
    for i in range(hits, hits + found):
        key = m.keys[q.first_key + i]
        unlink(m.host, key)
        _put_last(m.host, key)
    q.computed = (hits + found) * s.block_size
    s.host_free_s = max(s.now_s, s.host_free_s) + found * s.host_block_s
    q.ready_s = s.host_free_s
    m.loading[s.n_loading] = r
    s.n_loading += 1
    s.loaded_tokens += found * s.block_size


@compiled
def _remove(m: Memory, place: int) -> None:
    s = m.server[0]
    for i in range(place, s.n_loading - 1):
        m.loading[i] = m.loading[i + 1]
    s.n_loading -= 1


@compiled
def next_loaded(m: Memory) -> int:
    """Return the place in the list of the first request that has its blocks, -1 if none has."""
    s = m.server[0]
    for place in range(s.n_loading):
        if m.requests[m.loading[place]].ready_s <= s.now_s:
            return place
    return -1


@compiled
def end_loading(m: Memory, place: int) -> None:
    """Take a request that has its blocks out of the list; others may find them on the GPU from now on."""
    q = m.requests[m.loading[place]]
    register(m, q, q.computed)
    _remove(m, place)


@compiled
def give_up_loading(m: Memory, place: int) -> None:
    """Let a request wait again without the room that it had; what was read for it is read once more."""
    r = m.loading[place]
    q = m.requests[r]
    free_request(m, q)
    q.computed = q.offloaded = 0
    _remove(m, place)
    prepend_waiting(m.server[0], m.requests, r)


@compiled
def next_ready_s(m: Memory) -> float:
    """Return when the next request has its blocks."""
    s = m.server[0]
    earliest = NEVER
    for place in range(s.n_loading):
        earliest = min(earliest, m.requests[m.loading[place]].ready_s)
    return earliest
