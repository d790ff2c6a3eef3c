"""``designgym/FarsiSoc-v0``: systems on chip for augmented and virtual reality, after FARSI (Boroujerdian et al., arXiv:2201.05232)."""

from __future__ import annotations

from designgym.core.objectives import Objective, minimize, pareto, target
from designgym.core.registry import register
from designgym.envs.farsi_validation import FarsiValidator
from designgym.simulators.soc.farsi_checkout import VARIABLE, FarsiCheckout
from designgym.simulators.soc.library import SocWorkloads
from designgym.simulators.soc.simulator import SocSimulator

POWER_MW, AREA_MM2 = 8.737, 17.475  # of the budgets; the latency's depends on the workload
BUDGETS_MS = {"audio_decoder": 21.0, "hpvm_cava": 34.0, "edge_detection": 34.0}

REFERENCE = {"latency_ms": 100.0, "power_mw": 100.0, "area_mm2": 40.0}
"""Reference point of the Pareto objectives: some times the budgets, where half and more of random designs lie inside in each metric."""


def _budget(latency_ms: float) -> Objective:
    return target({"latency_ms": latency_ms, "power_mw": POWER_MW, "area_mm2": AREA_MM2})


OBJECTIVES: dict[str, Objective] = {
    "budget_21ms": _budget(BUDGETS_MS["audio_decoder"]),
    "budget_34ms": _budget(BUDGETS_MS["edge_detection"]),
    "low_latency": minimize("latency_ms", subject_to={"power_mw": f"<= {POWER_MW}", "area_mm2": f"<= {AREA_MM2}"}),
    "low_energy": minimize("energy_mj"),
    "energy_delay": minimize("energy_mj * latency_ms", name="energy_delay_mj_ms"),
    "low_cost": minimize("cost", subject_to={"latency_ms": "<= 34", "power_mw": f"<= {POWER_MW}", "area_mm2": f"<= {AREA_MM2}"}),
    "pareto": pareto("latency_ms", "power_mw", "area_mm2", reference=REFERENCE),
}

_SHARED_OPTIONS = {
    "space": "structured (default), or archgym: its 34, 36 or 54 parameters, for tasks=8, 9 or 18",
    "load_order": "who is first when tasks get ready together: alphabetical (default), file, or all tasks, separated by commas",
    "tasks": "for how many tasks there are entries; default 15 with work (structured), 18 in all (archgym)",
}

register(
    "designgym/FarsiSoc-v0",
    SocSimulator,
    workloads=SocWorkloads(),
    objectives=OBJECTIVES,
    default_workload="audio_decoder",
    description="Processors, accelerators, memories and buses for a task graph of augmented or virtual reality, simulated phase by phase",
    options=_SHARED_OPTIONS | {"model": "corrected (default), or as_farsi: FARSI's own figures, quirks included"},
    validator=FarsiValidator(),
    functional="off",  # a simulation takes microseconds
)

register(
    "designgym/FarsiSocFarsi-v0",
    FarsiCheckout,
    workloads=SocWorkloads(),
    objectives=OBJECTIVES,
    default_workload="audio_decoder",
    description="The same systems on the user's checkout of FARSI; its figures are those of FarsiSoc-v0 with model=as_farsi",
    installed=lambda: FarsiCheckout().installed(),
    options=_SHARED_OPTIONS
    | {
        "path": f"folder of a checkout of FARSI or ArchGym; default: the environment variable {VARIABLE}",
        "cacti": "table (default): memories' figures from our table of CACTI's; run: FARSI runs CACTI, which takes seconds",
        "timeout_s": "seconds after which a run is stopped; default 120",
    },
    functional="off",
)
