"""Our environments' ids in Gymnasium's registry, without importing Gymnasium, or anything else of ours, before it is used.

Gymnasium 1.x finds no plugins by itself (it did up to 0.29, through the entry point group ``gymnasium.envs``, which is declared all the
same). `install` makes up for that: the ids are entered at once if Gymnasium is loaded, else when it is. ``import designgym`` does so, and
so does a copy of this module that the installation (``setup.py``) puts beside the package, for Python to run at its start, so that
``gymnasium.make("designgym/DramController-v0")`` works in a program that never imports designgym. So nothing of ours is imported here.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

IDS = (
    "designgym/AcceleratorCodesign-v0",
    "designgym/Archon-v0",
    "designgym/ArchonEndpoint-v0",
    "designgym/AutoMLZero-v0",
    "designgym/AutoscaledCluster-v0",
    "designgym/BatchAndParallelism-v0",
    "designgym/DramController-v0",
    "designgym/DramController-v1",
    "designgym/DramControllerDramSys-v0",
    "designgym/DramControllerRamulator2-v1",
    "designgym/EyerissAccelerator-v0",
    "designgym/EyerissAcceleratorTimeloop-v0",
    "designgym/FarsiSoc-v0",
    "designgym/FarsiSocFarsi-v0",
    "designgym/HeterogeneousCluster-v0",
    "designgym/LlamaCppServing-v0",
    "designgym/MaestroMapping-v0",
    "designgym/MaestroMappingMaestro-v0",
    "designgym/NasCell-v0",
    "designgym/ScaleSim-v0",
    "designgym/ServingEndpoint-v0",
    "designgym/SplitwiseCluster-v0",
    "designgym/SplitwiseClusterRate-v0",
    "designgym/SymbolicRegression-v0",
    "designgym/VllmServing-v0",
    "designgym/VllmServingVllm-v0",
    "designgym/ZigZag-v0",
)
ENTRY_POINT = "designgym.envs.design_env:make_env"
_TRIGGER = "gymnasium.envs"  # its import fills the registry


def register_ids() -> None:
    """Enter the ids that are not there yet; the entry point is imported by the first ``gymnasium.make``."""
    from gymnasium.envs.registration import register, registry

    # Gymnasium takes any higher version for a correction. This one is another, larger problem: v0 is not out of date.
    warnings.filterwarnings("ignore", r".*designgym/DramController-v0 is out of date", DeprecationWarning)
    for id in IDS:
        if id not in registry:
            register(id, entry_point=ENTRY_POINT, kwargs={"env_id": id})


def install() -> None:
    """Enter the ids now if Gymnasium is loaded, else as soon as it is."""
    module = sys.modules.get(_TRIGGER)
    if module is not None and not getattr(module.__spec__, "_initializing", False):
        register_ids()
    elif not any(isinstance(finder, _Watch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watch())


class _Watch:
    """A finder that finds nothing itself: it lets the others find ``gymnasium.envs``, and adds our ids after it ran."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the others' spec of Gymnasium's module, with our ids added to what its loading does; None for all else."""
        if name != _TRIGGER:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_register(module: ModuleType) -> None:
                load(module)
                register_ids()

            spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec
