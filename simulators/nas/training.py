"""The training of a network on a task: stochastic gradient descent with Nesterov's momentum under a cosine schedule."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from designgym.simulators.nas.network import CellNetwork
from designgym.simulators.nas.tasks import Task
from designgym.simulators.nas.weights import FlatWeights, generator

BATCH = 50
LEARNING_RATE = 0.2  # at its height; rises over the first tenth of the steps, then falls to 0 along half a cosine
WARM_UP = 0.1
MOMENTUM = 0.9
WEIGHT_DECAY = 1e-3  # of kernels

_training = threading.RLock()


@dataclass(frozen=True)
class Trained:
    """The result of a training.

    Attributes:
        validation_accuracy: Share of the validation images that is classified correctly.
        test_accuracy: Likewise of the test images.
        train_loss: Cross-entropy on the training images after the last step, in nats.
    """

    validation_accuracy: float
    test_accuracy: float
    train_loss: float


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, so that sums are added up in one order; trainings in one process take turns, since the setting is shared."""
    with _training:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def train(network: CellNetwork, task: Task, *, epochs: int, seed: int, device: str = "cpu") -> Trained:
    """Train a network from its drawn weights and judge it.

    After the last step, batch normalisation takes the statistics of all training images at once; validation and test images are
    normalised by these.

    Args:
        network: The network, made for the task's images and classes.
        task: The task.
        epochs: Passes over the training images.
        seed: Seed of the weights and of the order of the images, which is the same for all networks.
        device: Where to compute, ``cpu`` or ``cuda``; weights are drawn on the CPU, the same for both.
    """
    with one_thread(), torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        images = torch.from_numpy(task.planes()).to(device)
        labels = torch.from_numpy(task.labels).to(device)
        flat = FlatWeights(network, seed, device)
        _descend(network, flat, images[: task.train], labels[: task.train], epochs, seed)
        with torch.no_grad():
            weights = flat.views(flat.vector)
            weights.means, weights.variances = flat.statistics()
            loss = functional.cross_entropy(network(images[: task.train], weights), labels[: task.train])
            right = network(images[task.train :], weights, fixed=True).argmax(1) == labels[task.train :]
        validation, test = right[: task.validation], right[task.validation :]
        return Trained(float(validation.double().mean()), float(test.double().mean()), float(loss))


def _descend(network: CellNetwork, flat: FlatWeights, images: Tensor, labels: Tensor, epochs: int, seed: int) -> None:
    """Update the vector of weights in place."""
    size = min(BATCH, len(labels))
    batches = len(labels) // size
    steps = batches * epochs
    orders = generator(seed, "order of images")
    vector = flat.vector.requires_grad_()
    momentum = torch.zeros_like(vector)
    order = np.concatenate([orders.permutation(len(labels))[: batches * size] for _ in range(epochs)] or [np.zeros(0, np.int64)])
    for step, chosen in enumerate(torch.from_numpy(order).to(images.device).view(steps, size)):
        loss = functional.cross_entropy(network(images[chosen], flat.views(vector)), labels[chosen])
        (gradient,) = torch.autograd.grad(loss, vector)
        with torch.no_grad():
            gradient[: flat.decayed].add_(vector[: flat.decayed], alpha=WEIGHT_DECAY)
            momentum.mul_(MOMENTUM).add_(gradient)
            vector.sub_(gradient.add_(momentum, alpha=MOMENTUM), alpha=_rate(step, steps))
    vector.requires_grad_(False)


def _rate(step: int, steps: int) -> float:
    return LEARNING_RATE * min(1.0, (step + 1) / (WARM_UP * steps)) * 0.5 * (1 + math.cos(math.pi * step / steps))
