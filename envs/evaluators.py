"""`make_evaluator`: from an environment's id to what evaluates its designs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from designgym.core.errors import InputError, shorten
from designgym.core.evaluator import AGREEMENT, Evaluator, Execute
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
    measurements: int = 1,
    forget: float = 0.0,
    agreement: float = AGREEMENT,
    execute: Execute | None = None,
    options: Mapping[str, Any] | None = None,
) -> Evaluator:
    """Return an evaluator of an environment's designs.

    Args:
        env: Environment or its id.
        workload: Workload or its name; the environment's default for None.
        cache: Where results are shared: ``local`` (in this process), a cache, or None to measure every design.
        functional: Whether designs are probed and functional hits served: ``auto`` (where it pays), ``on`` or ``off``. Functional
            keys are shared, and reserved, in the cache; ``shared`` is ``on`` and refuses a cache that no other worker can see. Without
            a cache there is nothing to serve and no probe is made.
        fidelity: Fraction of full fidelity in (0, 1].
        seed: Seed of a simulator that is not deterministic.
        measurements: A simulator that is not deterministic measures a behaviour again each time it comes up, under another seed, and the
            running mean is returned, until there are so many; then the mean is served. For the ``local`` cache.
        forget: Probability that a result is forgotten after it was served, so that a lucky one does not live for ever. For the ``local``
            cache.
        agreement: Relative difference of metrics up to which an audit confirms a fingerprint (`Evaluator`).
        execute: How a batch is run; in this process by default.
        options: Options of the environment's simulator.

    Raises:
        InputError: For a value that is not legal, or measurements and forgetting that would have no effect.
        UnknownNameError: For an environment, workload or option that does not exist.
        NotInstalledError: If the simulator cannot run here; the message says how to get it.
    """
    spec = environment(env) if isinstance(env, str) else env
    check_mode(functional)
    if isinstance(cache, str) and cache != "local":
        raise InputError(f"cache={shorten(cache)} does not exist: expected 'local', a cache object, or None")
    if functional == "shared" and (cache is None or isinstance(cache, str)):
        raise InputError(f"functional='shared' with cache={cache!r} shares with nobody: give cache=SharedCache('name'), or use 'on'")
    simulator = spec.installed_simulator(options)
    if measurements != 1 or forget != 0.0:
        if cache != "local":
            raise InputError(
                "measurements= and forget= are for cache='local': a cache object has its own, and without a cache there are none"
            )
        if simulator.deterministic:
            raise InputError(
                f"measurements of {simulator.name} are all the same, since its seed has no effect: leave measurements= and forget= out"
            )
    if cache == "local":
        cache = LocalCache(measurements=measurements, forget=forget)
    fingerprints = AuditedFingerprints(functional) if functional != "off" and cache is not None else None
    return Evaluator(
        simulator,
        spec.workload(workload),
        cache=cache,
        fingerprints=fingerprints,
        fidelity=fidelity,
        seed=seed,
        execute=execute,
        agreement=agreement,
    )
