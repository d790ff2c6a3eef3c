"""Which machines serve a request: the least loaded ones, found in tournaments: of a thousand machines with ten comparisons.

The rules are those of splitwise-sim: Token JSQ joins the shortest queue in tokens; the mixed pool (Patel et al., ISCA 2024, section
IV.A) has lists of machines for prompts, for tokens, and for both, between which machines move as they are needed.
"""

from __future__ import annotations

from designgym.simulators.cluster.state import MIXED, PLANNED, PROMPT, QUEUED, TOKEN, TOKEN_JSQ, Cluster
from designgym.simulators.compiling import Array, Record, compiled, inlined


@inlined
def _better(machines: Array, load: int, a: int, b: int) -> int:
    """Return the less loaded of two machines; of equals the one that joined its list first. -1 stands for none."""
    if a < 0 or b < 0:
        return max(a, b)
    one, other = machines[a], machines[b]
    first, second = one.loads[load], other.loads[load]
    return a if first < second or (first == second and one.joined < other.joined) else b


@compiled
def _climb(machines: Array, best: Array, load: int, machine: int) -> None:
    """Decide again the matches that a machine is in, after its load has changed, or it has come or gone."""
    node = (best.size // 2 + machine) >> 1
    while node >= 1:
        winner = _better(machines, load, best[2 * node], best[2 * node + 1])
        if winner == best[node] and winner != machine:
            return  # nothing changes above
        best[node] = winner
        node >>= 1


@inlined
def add_load(c: Cluster, machine: int, load: int, amount: int) -> None:
    """Change a machine's load."""
    m = c.machines[machine]
    m.loads[load] += amount
    _climb(c.machines, c.best[m.place, load], load, machine)


@compiled
def join_list(c: Cluster, machine: int, place: int) -> None:
    """Move a machine from its list to the end of another one, or of the same."""
    s, m = c.state[0], c.machines[machine]
    m.joined = s.n_joined
    s.n_joined += 1
    old = m.place
    m.place = place
    for load in range(2):
        leaf = c.best.shape[2] // 2 + machine
        c.best[old, load, leaf] = -1
        c.best[place, load, leaf] = machine
        _climb(c.machines, c.best[old, load], load, machine)
        _climb(c.machines, c.best[place, load], load, machine)


@inlined
def least(c: Cluster, place: int, load: int) -> int:
    """Return the least loaded machine of a list, -1 if that is empty."""
    return int(c.best[place, load, 1])


@compiled
def _least_of_all(c: Cluster) -> int:
    """Return the machine with the shortest queue: of equals one for prompts before a mixed one before one for tokens."""
    found = -1
    for place in (PROMPT, MIXED, TOKEN):
        other = least(c, place, QUEUED)
        if found < 0 or (other >= 0 and c.machines[other].loads[QUEUED] < c.machines[found].loads[QUEUED]):
            found = other
    return found


@inlined
def _choose_in_pools(c: Cluster, q: Record) -> None:
    s = c.state[0]
    prompt, token = -1, -1
    for place in (PROMPT, MIXED):
        if prompt < 0:
            found = least(c, place, QUEUED)
            if found >= 0 and (c.machines[found].n_wait == 0 or c.machines[found].loads[QUEUED] + q.prompt_tokens <= s.prompt_queue_tokens):
                prompt = found
    for place in (TOKEN, MIXED):
        if token < 0:
            found = least(c, place, PLANNED)
            if found >= 0 and c.machines[found].loads[PLANNED] + q.prompt_tokens + q.output_tokens < 0:
                token = found
    if prompt < 0 and least(c, TOKEN, QUEUED) >= 0:
        prompt = least(c, TOKEN, QUEUED)
        join_list(c, prompt, MIXED)
        s.n_token_machines_lent += 1
    if token < 0 and least(c, PROMPT, PLANNED) >= 0:
        token = least(c, PROMPT, PLANNED)
        join_list(c, token, MIXED)
        s.n_prompt_machines_lent += 1
    if prompt < 0 or token < 0:
        prompt = token = _least_of_all(c)
        s.n_fallbacks += 1
    q.prompt_machine = prompt
    q.token_machine = token


@inlined
def place_request(c: Cluster, r: int) -> None:
    """Choose the machines of a request that arrives, and count it among what they have to do."""
    s, q = c.state[0], c.requests[r]
    if s.scheduler == TOKEN_JSQ:
        q.prompt_machine = q.token_machine = least(c, MIXED, QUEUED)
    else:
        _choose_in_pools(c, q)
    s.n_same_machine += q.prompt_machine == q.token_machine
    if q.prompt_machine == q.token_machine:
        add_load(c, q.prompt_machine, QUEUED, q.prompt_tokens + 1)
    else:
        add_load(c, q.prompt_machine, QUEUED, q.prompt_tokens)
        add_load(c, q.token_machine, QUEUED, 1)
        add_planned(c, q.prompt_machine, q.prompt_tokens + 1)
    add_planned(c, q.token_machine, q.prompt_tokens + q.output_tokens)


@inlined
def add_planned(c: Cluster, machine: int, amount: int) -> None:
    """Change the memory that is given away on a machine; Token JSQ takes no account of it."""
    if c.state[0].scheduler != TOKEN_JSQ:
        add_load(c, machine, PLANNED, amount)
