"""An environment of one's own: a space, a function, metrics with units, an objective, one call.

Run it: ``python examples/own_simulator.py [BUDGET]``.
"""

import sys

import gymnasium

import designgym as dg

space = dg.DesignSpace(
    size_kib=dg.PowerOfTwo(8, 512, unit="KiB"),
    ways=dg.Integer(1, 16),
    policy=dg.Categorical("lru", "fifo"),
    prefetch=dg.Categorical("none", "stride"),
    degree=dg.Integer(1, 4),
    conditions=[dg.Condition("degree", when="prefetch == 'stride'")],  # without effect otherwise
    constraints=[dg.Constraint("ways <= size_kib", "a way needs at least 1 KiB")],
    symmetries=[dg.Rewrite("policy", to="'lru'", when="ways == 1")],  # one way: nothing to choose
)


@dg.simulator(space=space, metrics=[dg.metric("latency_ns", goal="min"), dg.metric("area_mm2", goal="min")], version="1")
def cache(design, workload, *, seed):
    """A rough cache: misses fall with size and ways, hits get slower and area grows."""
    misses = workload["working_set_kib"] / (workload["working_set_kib"] + 3 * design["size_kib"]) / design["ways"] ** 0.3
    if design["policy"] == "fifo" and design["ways"] > 1:
        misses *= 1.15
    if design["prefetch"] == "stride":
        misses *= 1 - workload["regular"] * (1 - 0.6 ** design["degree"])
    hit_ns = 0.5 + 0.1 * design["ways"] ** 0.5 + 0.002 * design["size_kib"]
    area = 0.02 * design["size_kib"] * (1 + 0.02 * design["ways"]) + 0.1 * design["degree"] * (design["prefetch"] == "stride")
    return {"latency_ns": hit_ns + 80 * misses, "area_mm2": area}


dg.register(
    "mine/Cache-v0",
    cache,
    workloads={"stream": {"working_set_kib": 4096, "regular": 0.9}, "tree": {"working_set_kib": 512, "regular": 0.1}},
    objective=dg.minimize("latency_ns", subject_to={"area_mm2": "<= 4"}),
)

if __name__ == "__main__":
    budget = int(sys.argv[1]) if len(sys.argv) > 1 else 100  # evaluations per search run

    env = gymnasium.make("mine/Cache-v0", workload="tree", render_mode="ansi")  # any Gymnasium agent
    env.reset(seed=0)
    env.step(env.action_space.sample())
    print(env.render())

    study = dg.Study("own-cache", "mine/Cache-v0", workload="tree", searchers=["random", "genetic"], budget=budget, store=":memory:")
    result = study.run(backend="local")
    print(result.summary(by="searcher").to_string())
    print(result.best())
