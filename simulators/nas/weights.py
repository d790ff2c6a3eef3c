"""Initial weights, drawn by name: the same name, shape and seed give the same numbers, in any network and any process."""

from __future__ import annotations

import numpy as np
import torch
from blake3 import blake3
from numpy.typing import NDArray
from torch import Tensor

from designgym.simulators.nas.network import CellNetwork, Weights


def generator(*words: object) -> np.random.Generator:
    """Return the random generator of that name."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(blake3(repr(words).encode()).digest(length=16), "little")))


def drawn_kernels(network: CellNetwork, seed: int) -> list[NDArray[np.float64]]:
    """Return the kernels of a network's convolutions, normal with variance 2 / fan-in (He et al., ICCV 2015)."""
    return [
        np.concatenate([generator(seed, role, n).standard_normal((n, *conv.shape[1:])) for role, n in conv.roles])
        * np.sqrt(2 / np.prod(conv.shape[1:]))
        for conv in network.convolutions
    ]


class FlatWeights:
    """A network's weights as pieces of one vector, so that an optimiser's step is a handful of operations.

    Kernels are drawn; scales start at 1, shifts at 0, and so do the dense layer and its bias: the first logits are even.
    """

    def __init__(self, network: CellNetwork, seed: int, device: str = "cpu") -> None:
        kernels = drawn_kernels(network, seed)
        out = [conv.shape[0] for conv in network.convolutions]
        pieces = [
            *(kernel.ravel() for kernel in kernels),
            *(np.ones(n) for n in out),
            *(np.zeros(n) for n in out),
            np.zeros(network.features * network.classes),
            np.zeros(network.classes),
        ]
        self._shapes = [conv.shape for conv in network.convolutions]
        self._sizes = [len(piece) for piece in pieces]
        self._dense_shape = (network.features, network.classes)
        self.vector = torch.from_numpy(np.concatenate(pieces).astype(np.float32)).to(device)
        self.decayed = sum(self._sizes[: len(kernels)])
        """The kernels come first: so many numbers of the vector."""

    def views(self, vector: Tensor) -> Weights:
        """Return a vector of this layout as weights, without a copy; gradients flow back to the vector."""
        n = len(self._shapes)
        pieces = vector.split(self._sizes)
        kernels = [piece.view(shape) for piece, shape in zip(pieces, self._shapes, strict=False)]
        return Weights(
            kernels, list(pieces[n : 2 * n]), list(pieces[2 * n : 3 * n]), pieces[3 * n].view(self._dense_shape), pieces[3 * n + 1]
        )

    def statistics(self) -> tuple[list[Tensor], list[Tensor]]:
        """Return room for running means and variances of batch normalisation."""
        out = [shape[0] for shape in self._shapes]
        device = self.vector.device
        return [torch.zeros(n, device=device) for n in out], [torch.ones(n, device=device) for n in out]
