"""A function that is measured once per behaviour: the order of the two stages has no effect, and ``key`` says so."""

from designgym.hashing.tuners import equivalence_cached


@equivalence_cached(key=lambda first, second: sorted([first, second]))
def latency_ns(first, second):
    return 1.5 * first + 1.5 * second  # imagine a simulator of minutes


print([latency_ns(first, second) for first in range(8) for second in range(8)])
print(latency_ns.memo.counts)
