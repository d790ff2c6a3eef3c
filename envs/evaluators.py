"""`make_evaluator`: from an environment's id to what evaluates its designs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from designgym.core.errors import InputError, shorten
from designgym.core.evaluator import Evaluator, Execute
from designgym.core.protocols import EquivalenceCache
from designgym.core.registry import EnvironmentSpec
from designgym.core.workload import Workload
from designgym.envs import environment
from designgym.hashing.fingerprints import AuditedFingerprints, Mode, check_mode
from designgym.hashing.local_cache import LocalCache


def make_evaluator(
    env: str | EnvironmentSpec,
    *,
    workload: str | Workload | None = None,
    cache: EquivalenceCache | Literal["local"] | None = "local",
    functional: Mode = "auto",
    fidelity: float = 1.0,
    seed: int = 0,
    execute: Execute | None = None,
    options: Mapping[str, Any] | None = None,
) -> Evaluator:
    """Return an evaluator of an environment's designs.

    Args:
        env: Environment or its id.
        workload: Workload or its name; the environment's default for None.
        cache: Where results are shared: ``local`` (in this process), a cache, or None to measure every design.
        functional: Whether designs are probed and functional hits served: ``auto`` (where it pays), ``on`` or ``off``. Without
            a cache there is nothing to serve and no probe is made.
        fidelity: Fraction of full fidelity in (0, 1].
        seed: Seed of a simulator that is not deterministic.
        execute: How a batch is run; in this process by default.
        options: Options of the environment's simulator.

    Raises:
        UnknownNameError: For an environment, workload or option that does not exist.
        NotInstalledError: If the simulator cannot run here; the message says how to get it.
    """
    spec = environment(env) if isinstance(env, str) else env
    check_mode(functional)
    if isinstance(cache, str) and cache != "local":
        raise InputError(f"cache={shorten(cache)} does not exist: expected 'local', a cache object, or None")
    simulator = spec.installed_simulator(options)
    if cache == "local":
        cache = LocalCache()
    fingerprints = AuditedFingerprints(functional) if functional != "off" and cache is not None else None
    return Evaluator(
        simulator, spec.workload(workload), cache=cache, fingerprints=fingerprints, fidelity=fidelity, seed=seed, execute=execute
    )
