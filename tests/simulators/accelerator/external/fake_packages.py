"""Stand-ins for packages of others: a Python of its own in which they are installed, and do what a test wants."""

from __future__ import annotations

import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from designgym.simulators.accelerator.external.zigzag import TEMPLATES
from designgym.simulators.accelerator.external.zigzag_runner import MAPPINGS

MODE = "import json, os, pathlib, sys, time\nmode = pathlib.Path(__file__).with_name('mode').read_text()\n"
MISBEHAVE = """
    if mode == "hang":
        time.sleep(60)
    if mode == "exit":
        sys.exit(0)
    if mode == "crash":
        os.abort()
    if mode == "error":
        raise ValueError("this cannot be")
"""

ZIGZAG_API = (
    MODE
    + """
import yaml
class NoValidLoopOrderingFoundException(Exception):
    pass
class Evaluated:
    mac_energy = 2.5
def get_hardware_performance_zigzag(workload, accelerator, mapping, *, dump_folder, **options):
"""
    + MISBEHAVE
    + """
    if mode == "small":
        raise NoValidLoopOrderingFoundException("does not fit")
    if mode == "nan":
        return float("nan"), 10.0, [(Evaluated(), None)]
    assert os.environ["MPLBACKEND"] == "Agg" and options["loma_show_progress_bar"] is False
    pathlib.Path(dump_folder).mkdir()  # fails if it is there
    macs = 1
    for size in workload[0]["loop_sizes"]:
        macs *= size
    memories = yaml.safe_load(open(accelerator))["memories"]
    print("much to say")
    if mode == "echo":
        pathlib.Path(__file__).with_name("echo.json").write_text(
            json.dumps([workload, list(memories.items()), yaml.safe_load(open(mapping)), os.getcwd(), options]))
    return macs * memories["dram"]["r_cost"], float(macs), [(Evaluated(), None)]
"""
)
ZIGZAG_HARDWARE = """
memories:
  weights: {size: 64, r_cost: 0.5, w_cost: 0.5, served_dimensions: [], ports: [{name: r, bandwidth_min: 8, bandwidth_max: 8}]}
  a_buffer: {size: 8192, r_cost: 4.0, w_cost: 6.0, served_dimensions: [D1, D2], ports: [{name: r, bandwidth_min: 64, bandwidth_max: 64}]}
  dram: {size: 100000, r_cost: 700.0, w_cost: 750.0, served_dimensions: [D1, D2], ports: [{name: r, bandwidth_min: 64, bandwidth_max: 64}]}
operational_array: {unit_energy: 0.04, dimensions: [D1, D2], sizes: [8, 4]}
"""
ZIGZAG_MAPPING = """
- {name: Add, spatial_mapping: {D1: ["G, 8"]}}
- {name: default, spatial_mapping: {D1: ["K, 8"], D2: ["C, 4"]}}
"""
ZIGZAG = {
    "zigzag/__init__.py": "",
    "zigzag/api.py": ZIGZAG_API,
    **{f"zigzag/inputs/hardware/{name}.yaml": ZIGZAG_HARDWARE for name in TEMPLATES},
    **{f"zigzag/inputs/mapping/{name}.yaml": ZIGZAG_MAPPING for name in (*TEMPLATES, *MAPPINGS.values())},
    "zigzag_dse-9.9.dist-info/METADATA": "Name: zigzag-dse\nVersion: 9.9\n",
    "six-1.0.dist-info/METADATA": "Name: six\nVersion: 1.0\n",
}

SCALESIM_API = (
    MODE
    + """
class scalesim:
    def __init__(self, save_disk_space, verbose, config, topology, layout):
        self.config, self.topology = open(config).read(), open(topology).read()
        assert open(layout).read().startswith("Layer name") and save_disk_space and not verbose
    def run_scale(self, top_path):
"""
    + MISBEHAVE.replace("\n    ", "\n        ")
    + """
        folder = pathlib.Path(top_path) / "run"
        folder.mkdir(parents=True)
        if mode == "silent":
            return
        compute = "LayerID, Total Cycles (incl. prefetch), Total Cycles, Stall Cycles, Overall Util %,\\n0, 120.0, 100.0, 7.0, 5.5,\\n"
        names = [f"{m} {t} {w}" for m in ("SRAM", "DRAM") for t, w in (("IFMAP", "Reads"), ("Filter", "Reads"), ("OFMAP", "Writes"))]
        detail = "LayerID, " + ", ".join(names) + ",\\n0, 1.0, 2, 3, 10.0, 20, 30,\\n"
        if mode == "echo":
            pathlib.Path(__file__).with_name("echo.json").write_text(json.dumps([self.config, self.topology, os.getcwd()]))
        (folder / "COMPUTE_REPORT.csv").write_text(compute)
        (folder / "DETAILED_ACCESS_REPORT.csv").write_text(detail)
"""
)
SCALESIM = {
    "scalesim/__init__.py": "",
    "scalesim/scale_sim.py": SCALESIM_API,
    "scalesim-9.9.dist-info/METADATA": "Name: scalesim\nVersion: 9.9\n",
    "numpy-2.3.5.dist-info/METADATA": "Name: numpy\nVersion: 2.3.5\n",
}


def fake_python(folder: Path, package: Mapping[str, str], mode: str = "") -> Path:
    """Return a Python that has a package, which misbehaves in a mode."""
    root = folder / "packages"
    for name, text in package.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        (path.parent / "mode").write_text(mode)
    python = folder / "bin" / "python"
    python.parent.mkdir(exist_ok=True)
    python.write_text(f"#!/bin/sh\nPYTHONPATH='{root}' exec '{sys.executable}' \"$@\"\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return python
