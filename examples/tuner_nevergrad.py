"""Nevergrad, or anything else with ask and tell: what is asked is always new."""

import nevergrad as ng

from designgym.hashing.tuners import CachedAskTell

stages = ng.p.Tuple(ng.p.Choice(range(10)), ng.p.Choice(range(10)))
stages.random_state.seed(0)
optimizer = CachedAskTell(ng.optimizers.DiscreteOnePlusOne(stages, budget=1000), key=lambda candidate: sorted(candidate.value))
best = optimizer.minimize(lambda candidate: sum((x - y) ** 2 for x, y in zip(sorted(candidate.value), (3, 7), strict=True)), budget=40)
print(best.value, optimizer.memo.counts)
