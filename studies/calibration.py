"""Whether fingerprints pay: found out once per study and workload, by measured times, and noted in the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from designgym.core.keys import KeyMaker
from designgym.core.measuring import MISUSE, Measurer
from designgym.core.workload import Workload
from designgym.hashing.local_cache import LocalCache
from designgym.studies.definition import Definition
from designgym.studies.figures.units import duration
from designgym.studies.measuring import InProcess, SharedMeasuring
from designgym.studies.store import Store

log = logging.getLogger(__name__)

QUESTION = "fingerprints pay on "  # and the workload: what the store notes the answer to
CALIBRATION_DESIGNS = 64
CALIBRATION_SEED = 20_230_617  # any number: it only has to be the same every time
WORTH = 2.0  # fingerprints are made if they save twice what they cost: less is within the noise of a short calibration


def fingerprints_pay(definition: Definition, workload: Workload, store: Store) -> bool:
    """Return whether the runs on a workload make functional keys: as the definition says, or as the store noted the first time."""
    if definition.functional != "auto":
        return definition.functional != "off"
    question = f"{QUESTION}{workload.name}"
    known = store.decisions(definition.name)
    if question not in known:
        known[question] = store.decide(definition.name, question, _calibrate(definition, workload, store))
    return bool(known[question]["answer"])


def _calibrate(definition: Definition, workload: Workload, store: Store) -> dict[str, float | bool]:
    """Measure and probe a sample of designs once: do functional keys, beyond canonical ones, save more time than probes take?

    The measured results go to the store; the first run that uses one counts it as its own measurement. An evaluation that needs GPUs is
    expensive by declaration: nothing is measured, since this process holds none, and fingerprints are made if there are any.
    """
    simulator, space = definition.simulator, definition.simulator.space
    seed = definition.context.simulator_seed
    keys = KeyMaker(simulator, workload, fidelity=definition.fidelity, seed=seed)
    sample = space.sample(np.random.default_rng(CALIBRATION_SEED), CALIBRATION_DESIGNS)
    distinct = list({keys.keys(design).canonical: design for design in sample}.values())
    try:
        if keys.functional(distinct[:1]) is None:  # also compiles what needs compiling
            return {"answer": False, "has_probe": False}
        if simulator.resources.gpus:
            return {"answer": True, "has_probe": True, "gpus": simulator.resources.gpus}
        began = time.perf_counter()
        functional = keys.functional(distinct) or []
        probe_s = (time.perf_counter() - began) / len(distinct)
    except MISUSE:
        raise
    except Exception as error:
        log.warning("the probe of %s raised %s: %s; designs are measured without fingerprints", simulator.name, type(error).__name__, error)
        return {"answer": False, "has_probe": True}
    measuring = SharedMeasuring(
        simulator, workload, fidelity=definition.fidelity, seed=seed, runner=InProcess(simulator), cache=LocalCache(), store=store,
        reuse=definition.reuse,
    )  # fmt: skip
    # one to warm up, then few: their cost is what is asked for, and an expensive simulator must not be kept busy here
    results, _ = Measurer(simulator, workload, definition.fidelity, seed, measuring)(distinct[:4])
    costs = [result.cost_s for result in results[1:]] or [results[0].cost_s]
    cost_s = float(np.median(costs))
    share = 1 - len(set(functional)) / len(functional)
    return {
        "answer": bool(share * cost_s > WORTH * probe_s), "has_probe": True, "probe_s": probe_s, "cost_s": cost_s, "share": share,
    }  # fmt: skip


def calibration_words(decisions: Mapping[str, Any]) -> list[str]:
    """Return in words what was decided for each workload and why, where there is a probe: another machine may decide otherwise."""
    found = [(question.removeprefix(QUESTION), answer) for question, answer in decisions.items() if question.startswith(QUESTION)]
    return [_words(answer, f" on {workload}" if len(found) > 1 else "") for workload, answer in found if answer["has_probe"]]


def _words(decision: Mapping[str, Any], where: str) -> str:
    state = "on" if decision["answer"] else "off"
    if "gpus" in decision:
        return f"{state}{where}: an evaluation occupies {decision['gpus']:g} GPU, a probe none"
    if "probe_s" not in decision:
        return f"{state}{where}: the probe failed"
    return (
        f"{state}{where}: a probe costs {duration(decision['probe_s'])}, a simulation {duration(decision['cost_s'])}, and "
        f"{100 * decision['share']:.0f} % of sampled designs behave like another; decided by measured times: write "
        f"functional='{state}' to repeat exactly on another machine"
    )
