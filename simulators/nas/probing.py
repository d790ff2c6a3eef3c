"""The functional key of a cell: what its network answers to ten images, with weights that follow the role of each vertex.

Nothing is trained. Weights are drawn by `designgym.simulators.nas.roles`, each from numbers of its own. Two networks that answer alike with
such arbitrary weights are the same function of weights and images, but for a set of weights of measure zero. Then their gradients are the
same too, and trained from the same weights they stay together: that is why an answer before training can stand for one after it. Weights
shared more widely, for instance by operation alone, would not do: two parallel convolutions of one input would pass for a single one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from designgym.core.fingerprint import fingerprint
from designgym.simulators.nas.network import CellNetwork, Weights
from designgym.simulators.nas.tasks import Task
from designgym.simulators.nas.training import one_thread
from designgym.simulators.nas.weights import drawn_kernels, generator

EXAMPLES = 10


def answer(network: CellNetwork, task: Task, seed: int) -> torch.Tensor:
    """Return the logits of the first training images, in double precision; shape ``(examples, classes)``.

    The dense layer, scales and shifts, which training starts at constants, are drawn as well: constants would hide channels.
    """
    images = torch.from_numpy(task.planes()[: min(EXAMPLES, task.train)].astype(np.float64))
    weights = Weights(
        kernels=[torch.from_numpy(kernel) for kernel in drawn_kernels(network, seed)],
        scales=[torch.from_numpy(0.5 + _uniform("scale", conv.roles, seed)) for conv in network.convolutions],
        shifts=[torch.from_numpy(_uniform("shift", conv.roles, seed)) for conv in network.convolutions],
        dense=torch.from_numpy(generator(seed, "dense").standard_normal((network.features, network.classes))),
        bias=torch.from_numpy(generator(seed, "bias").standard_normal(network.classes)),
    )
    with one_thread(), torch.no_grad():
        return network(images, weights)


def _uniform(word: str, roles: Sequence[tuple[str, int]], seed: int) -> NDArray[np.float64]:
    return np.concatenate([generator(seed, word, role).random(n) for role, n in roles])


def probed(network: CellNetwork, task: Task, seed: int) -> bytes:
    """Return the functional key: the answer, and the two sizes that are metrics but leave no trace in it."""
    return fingerprint((answer(network, task, seed), network.parameters, network.macs)).key
