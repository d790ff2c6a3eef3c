"""An external command-line program as an environment. Run it: ``python examples/external_program.py [BUDGET]``.

`designgym.run_program` gives each run a fresh folder, a process group of its own and a time limit; exit code and stderr come first in
the error. Here the "vendor tool" is a small script that this file writes; put the path of your program in its place.
"""

import re
import sys
import tempfile
from pathlib import Path

import designgym as dg

VENDOR_TOOL = """
import json, pathlib, sys, time
config = json.loads(pathlib.Path("config.json").read_text())
if config["banks"] * config["width"] > 1024:
    sys.exit("ERROR 17: does not fit the reticle")
if config["mode"] == "exact" and config["banks"] > 8:
    time.sleep(60)  # this tool hangs now and then
cycles = 1e6 / (config["banks"] ** 0.7 * config["width"] ** 0.4) * (1.0 if config["mode"] == "exact" else 1.02)
power = config["banks"] * config["width"] * 0.9
pathlib.Path("report.txt").write_text(f"Total runtime : {cycles / 1000:.4f} us\\nPower: {power:.1f} mW\\n")
print("done, see report.txt")
"""
TIMES_NS = {"ns": 1.0, "us": 1e3, "ms": 1e6}  # the tool prints whichever unit it likes

tool = Path(tempfile.mkdtemp(prefix="vendor-tool-")) / "vendor_tool.py"
tool.write_text(VENDOR_TOOL)


@dg.simulator(
    space=dg.DesignSpace(banks=dg.PowerOfTwo(1, 16), width=dg.PowerOfTwo(8, 128), mode=dg.Categorical("fast", "exact")),
    metrics=[dg.metric("runtime_ns", goal="min"), dg.metric("power_mw", goal="min")],
    version="1",
)
def vendor(design, workload, *, seed):
    """The vendor's tool, one process per design."""
    config = '{{"banks": {banks}, "width": {width}, "mode": "{mode}"}}'.format(**design)
    result = dg.run_program([sys.executable, tool], timeout_s=workload["timeout_s"], files={"config.json": config}, collect=["report.txt"])
    runtime = re.search(r"Total runtime\s*:\s*([\d.]+) (ns|us|ms)", result.files["report.txt"])
    power = re.search(r"Power:\s*([\d.]+) mW", result.files["report.txt"])
    if not runtime or not power:  # a report that we do not understand is a failure, never a number
        raise ValueError(f"cannot read the report: {result.files['report.txt']!r}")
    return {"runtime_ns": float(runtime[1]) * TIMES_NS[runtime[2]], "power_mw": float(power[1])}


dg.register(
    "mine/VendorTool-v0",
    vendor,
    workloads={"benchmark": {"timeout_s": 2.0}},
    objective=dg.minimize("runtime_ns", subject_to={"power_mw": "<= 500"}),
)

if __name__ == "__main__":
    budget = int(sys.argv[1]) if len(sys.argv) > 1 else 25

    evaluator = dg.envs.make_evaluator("mine/VendorTool-v0")
    for example in (
        {"banks": 4, "width": 32, "mode": "fast"},
        {"banks": 16, "width": 128, "mode": "fast"},
        {"banks": 16, "width": 8, "mode": "exact"},
    ):
        [trial] = evaluator.evaluate([evaluator.simulator.space.validate(example)])
        print(example, "->", trial.metrics.status, dict(trial.metrics.values) or trial.metrics.error)

    study = dg.Study("vendor-tool", "mine/VendorTool-v0", searchers=["regularized_evolution"], budget=budget, store=":memory:")
    print(study.run(backend="local").best())
