"""A small Ray Tune sweep: four searchers x three seeds on a DRAM controller, 200 evaluations each.

Run it with ``designgym run examples/dram_sweep.py``; run it again and it resumes. The report: ``designgym report
dram-sweep --html sweep.html``.
"""

import designgym as dg

study = dg.Study(
    "dram-sweep",
    env="designgym/DramController-v0",
    workload="cloud-like",
    objective="energy_delay",
    searchers=["random", "tpe", "xgboost", dg.searchers.RegularizedEvolution(population=50)],
    budget=200,
    seeds=3,
)

if __name__ == "__main__":
    print(study.run().best())
