"""A plugin: an environment that writes a line to a file for every simulation, so that tests can count them."""

import os
import time

import designgym as dg

LOG = "DESIGNGYM_TEST_LOG"
PAUSE = "DESIGNGYM_TEST_PAUSE_S"

SPACE = dg.DesignSpace(
    {
        "width": dg.PowerOfTwo(1, 64, unit="bit"),
        "ways": dg.Integer(1, 16),
        "policy": dg.Categorical("lru", "fifo", "none"),
        "depth": dg.Integer(0, 9),
    },
    conditions=[dg.Condition("depth", "policy != 'none'")],
    constraints=[dg.Constraint("width * ways <= 512", "the array would not fit")],
)


@dg.simulator(space=SPACE, metrics=[dg.metric("latency_ns", goal="min"), dg.metric("area_mm2", goal="min")], version="1")
def counting(design: dg.Design, workload: float, *, seed: int) -> dict[str, float]:
    """Latency and area of a made-up cache."""
    if pause := float(os.environ.get(PAUSE, "0")):
        time.sleep(pause)
    active = design["depth"] if design["policy"] != "none" else 0
    latency = workload * (
        1 + 64 / design["width"] + abs(design["ways"] - 5) / 3 + active / 7 + {"lru": 0.1, "fifo": 0.2, "none": 0.9}[design["policy"]]
    )
    if log := os.environ.get(LOG):
        key = f"{workload:g} {SPACE.canonical(design).literal}\n"
        with open(log, "a") as file:  # a line this short is written whole
            file.write(key)
    return {"latency_ns": latency, "area_mm2": design["width"] * design["ways"] / 64 + active / 10}


ENV = dg.register(
    "test/Counting-v0",
    counting,
    workloads={"one": 1.0, "pi": 3.14159},
    objectives={
        "latency": dg.minimize("latency_ns", subject_to={"area_mm2": "<= 6"}),
        "both": dg.pareto("latency_ns", "area_mm2", reference={"latency_ns": 100, "area_mm2": 20}),
    },
    budget=40,
)
