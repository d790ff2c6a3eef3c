"""`CellTraining`: cells of NAS-Bench-101, really trained, as a simulator of designs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.fingerprint import fingerprint
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.workload import Workload
from designgym.simulators.nas.cell import Cell
from designgym.simulators.nas.space import cell_space
from designgym.simulators.nas.tasks import Task

if TYPE_CHECKING:
    from designgym.simulators.nas.network import CellNetwork

__all__ = ["CellTraining"]

Device = Literal["cpu", "cuda"]

_METRICS = (
    metric("validation_accuracy", goal="max", doc="share of the validation images classified correctly; to be searched by"),
    metric("test_accuracy", goal="max", doc="share of the test images classified correctly; to be reported"),
    metric("train_loss", goal="min", doc="cross-entropy on the training images after the last step, in nats"),
    metric("parameters", goal="min", doc="trained numbers of the network"),
    metric("macs", goal="min", doc="multiply-accumulate operations on an image: convolutions and the dense layer"),
)


class CellTraining:
    """A cell stacked into a small network and trained on a `Task`, on one CPU core or a GPU.

    Fidelity is the share of the epochs, at least one; the learning rate falls to zero within them. The seed sets the initial weights and
    the order of the images: equal cells give equal numbers under equal seeds, to the last bit on the same kind of machine, in any batch
    and any process.

    Args:
        device: Where networks are trained: ``cpu``, or ``cuda`` for a GPU that the process holds. They round differently, so results are
            kept apart.

    Raises:
        InputError: For another device.
    """

    name = "nas-cell"
    metrics: tuple[MetricSpec, ...] = _METRICS
    deterministic = False

    def __init__(self, device: Device = "cpu") -> None:
        if device not in get_args(Device):
            raise InputError(f"device of a cell's training must be 'cpu' or 'cuda', got {shorten(device)}")
        self.device: Device = device
        self.version = "1" if device == "cpu" else f"1+{device}"
        self.resources = Resources(cpus=1.0, gpus=float(device == "cuda"))
        self.space = cell_space()

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Train every cell, equal ones in the batch once.

        Raises:
            InputError: If the workload is not a task, the fidelity not in (0, 1], or there is no GPU to train on.
        """
        task = _task(workload)
        if not 0 < fidelity <= 1:
            raise InputError(f"fidelity, the share of the epochs, must be in (0, 1], got {shorten(fidelity)}")
        epochs = max(math.ceil(fidelity * task.epochs - 1e-9), 1)
        _require(self.device)
        reasons = [self.space.violations(design) for design in designs]
        cells = [None if problems else self._cell(design) for design, problems in zip(designs, reasons, strict=True)]
        trained = {cell: _trained(cell, task, epochs, seed, self.device) for cell in dict.fromkeys(cells) if cell is not None}
        return [Metrics.infeasible(why) if cell is None else trained[cell] for cell, why in zip(cells, reasons, strict=True)]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        """Return the functional key of each cell; see `designgym.simulators.nas.probing`. That of an illegal design is of its reasons."""
        from designgym.simulators.nas.probing import probed

        task = _task(workload)
        reasons = [self.space.violations(design) for design in designs]
        return [
            fingerprint(why).key if why else probed(_network(self._cell(design), task), task, seed)
            for design, why in zip(designs, reasons, strict=True)
        ]

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return the cell without dead vertices, a line per vertex."""
        return str(self._cell(design))

    def _cell(self, design: Design) -> Cell:
        return Cell.of_design(self.space.canonical(design))


def _task(workload: Workload) -> Task:
    if not isinstance(workload.data, Task):
        raise InputError(
            f"workload {workload.name!r} of a cell's training holds {type(workload.data).__name__}, expected one made by "
            "image_task(images, labels) of designgym.simulators.nas"
        )
    return workload.data


def _network(cell: Cell, task: Task) -> CellNetwork:
    from designgym.simulators.nas.network import CellNetwork  # torch takes seconds, and who only looks at designs needs none

    return CellNetwork(cell, task.shape, task.classes)


def _require(device: Device) -> None:
    if device == "cpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise InputError(
            f"device='cuda', but torch {torch.__version__} sees no GPU in this process: "
            "evaluate on workers that hold one, or use device='cpu'"
        )


def _trained(cell: Cell, task: Task, epochs: int, seed: int, device: Device) -> Metrics:
    from designgym.simulators.nas.training import train

    started = time.perf_counter()
    network = _network(cell, task)
    result = train(network, task, epochs=epochs, seed=seed, device=device)
    values = {
        "validation_accuracy": result.validation_accuracy,
        "test_accuracy": result.test_accuracy,
        "train_loss": result.train_loss,
        "parameters": float(network.parameters),
        "macs": float(network.macs),
    }
    if not math.isfinite(result.train_loss):
        return Metrics.failed(f"the training diverged: its loss is {result.train_loss}", time.perf_counter() - started)
    return Metrics(values, cost_s=time.perf_counter() - started)
