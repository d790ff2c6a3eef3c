"""Modules of PyTorch as networks: the built-in ones from their papers, and as much work as PyTorch counts."""

import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from designgym.core.errors import InputError
from designgym.envs import environment
from designgym.simulators.accelerator import Layer, Network, network_of_torch, network_workload
from designgym.simulators.accelerator.networks import network
from tests.simulators.accelerator.torch_networks import AlexNet, BertBlock, MobileNetV2, ResNet18, Vgg16


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export's own
        yield


def shapes(found: Network) -> list[tuple[Layer, int]]:
    return [(replace(layer, name=""), count) for layer, count in found.layers]


def counted(module: nn.Module, *inputs: torch.Tensor) -> int:
    """Return the multiply-accumulates that PyTorch counts when a module runs."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module.eval()(*inputs)
    return counter.get_total_flops() // 2


BUILT_IN = {
    "alexnet": (AlexNet, (1, 3, 227, 227)), "vgg16": (Vgg16, (1, 3, 224, 224)), "resnet18": (ResNet18, (1, 3, 224, 224)),
    "mobilenetv2": (MobileNetV2, (1, 3, 224, 224)), "bert_base": (BertBlock, (1, 128, 768)),
}  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if name == "mobilenetv2" else name for name in BUILT_IN])
def test_networks_from_their_papers_are_the_built_in_ones(name: str) -> None:
    make, shape = BUILT_IN[name]
    with torch.device("meta"):  # shapes suffice
        found = network_of_torch(make(), torch.empty(shape), name=name)
    assert found.name == name and shapes(found) == shapes(network(name))
    if name in ("alexnet", "bert_base"):
        expected = [layer.name for layer, _ in network(name).layers]
        exact = [layer.name for layer, _ in found.layers]
        assert [layer for layer in exact if "." not in layer] == [n.removesuffix("_a") for n in expected if n.removesuffix("_0") == n]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 3), groups=st.integers(1, 3), inputs=st.integers(1, 3), outputs=st.integers(1, 3), size=st.integers(1, 4),
    stride=st.integers(1, 3), dilation=st.integers(1, 3), padding=st.integers(0, 2), axes=st.integers(1, 2),
)  # fmt: skip
def test_convolutions_have_the_work_that_torch_counts(
    batch: int, groups: int, inputs: int, outputs: int, size: int, stride: int, dilation: int, padding: int, axes: int
) -> None:
    kind = nn.Conv1d if axes == 1 else nn.Conv2d
    conv = kind(groups * inputs, groups * outputs, size, stride, padding, dilation, groups)
    x = torch.zeros(batch, groups * inputs, *[12, 11][:axes])
    assert network_of_torch(conv, x).macs == counted(conv, x)


def test_a_convolution_with_everything_has_the_work_that_torch_counts() -> None:
    conv, x = nn.Conv2d(4, 6, 3, 2, 1, dilation=3, groups=2), torch.zeros(3, 4, 12, 11)
    assert network_of_torch(conv, x).macs == counted(conv, x)


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (4, 2), (5, 3), (3, 1)])
def test_transposed_convolutions_have_the_work_that_torch_counts(size: int, stride: int) -> None:
    """Where the output is as many times larger as the stride says, so that no product is beyond the edges."""
    padding = (size - stride + 1) // 2
    up = nn.ConvTranspose2d(4, 6, size, stride, padding, output_padding=stride - size + 2 * padding, groups=2)
    x = torch.zeros(2, 4, 8, 7)
    found = network_of_torch(up, x)
    assert found.macs == counted(up, x)
    assert sum(count for _, count in found.layers) == 2 * 2 * stride**2  # images, groups, phases


class Products(nn.Module):
    """All ways to write a product of matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.attention = nn.Linear(8, 5), nn.MultiheadAttention(8, 2, batch_first=True)
        self.gru, self.embedding = nn.GRU(8, 4, bidirectional=True), nn.Embedding(10, 8)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        with torch.no_grad():
            scores = x @ x.transpose(1, 2)
        return [
            self.linear(x), self.attention(x, x, x)[0], self.gru(x)[0], self.embedding(torch.zeros(3, dtype=torch.long)), scores,
            torch.einsum("bij,bkj->bik", x, x), torch.bmm(x, x.transpose(1, 2)), torch.baddbmm(scores, x, x.transpose(1, 2)),
            torch.addmm(torch.ones(7), x[0], x[1].T), x[0] @ x[1].T, functional.layer_norm(x, [8]).softmax(-1), x.topk(2)[0],
        ]  # fmt: skip


def test_products_have_the_work_that_torch_counts() -> None:
    module, x = Products(), torch.zeros(2, 7, 8)
    module.train()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        found = network_of_torch(module, x)
        assert module.training and not torch.backends.mha.get_fastpath_enabled()
        assert found.macs == counted(module, x)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert network_of_torch(module, x) == found  # and without that too


class Vectors(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
        return [torch.mv(x, y), torch.dot(y, y), torch.inner(x, x)]


def test_products_of_vectors_are_not_lost() -> None:
    """PyTorch counts none of them: it takes them apart into products of elements and sums."""
    assert network_of_torch(Vectors(), (torch.zeros(3, 8), torch.zeros(8))).macs == 3 * 8 + 8 + 3 * 3 * 8


def test_layers_are_called_like_modules() -> None:
    net = nn.Sequential()
    net.add_module("stem", nn.Conv2d(3, 8, 3))
    net.add_module("block", nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 1)))
    found = network_of_torch(net, torch.zeros(1, 3, 9, 9), name="mine")
    assert [layer.name for layer, _ in found.layers] == ["stem", "block.0", "block.1"]
    simulator = environment("designgym/AcceleratorCodesign-v0").simulator(mapper_evaluations=50)
    result = simulator.evaluate([simulator.space.default()], network_workload("mine", found))[0]
    assert result.ok and result["latency_cycles"] >= found.macs / 2**16


class VectorsByVectors(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.vecdot(x, x)


class Branch(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ x if x.sum() > 0 else x


class Fourier(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft(x).abs() @ x.new_ones(5, 5)


class Selected(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[x[:, 0] > 0] @ x


class Bilinear(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.bilinear(x, x, x.new_ones(4, 8, 8))


class Unknown(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.qr(x)[0] @ x


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.ReLU(), "ReLU has no operator with multiply-accumulates"),
        (nn.Linear(3, 4), "Linear cannot be exported for inputs of these shapes: .*"),
        (Branch(), "Branch cannot be exported for inputs of these shapes: .*"),
        (Fourier(), r"Fourier: aten._fft_r2c \(node _fft_r2c\) cannot be a layer: it multiplies and accumulates, and is no layer"),
        (Selected(), r"Selected: aten.matmul \(node matmul\) cannot be a layer: its sizes \[u0, 8\] depend on values"),
        (VectorsByVectors(), "aten.linalg_vecdot .* it multiplies and accumulates, and is no layer"),
        (Bilinear(), "Bilinear: aten._trilinear .* it multiplies and accumulates"),
        (Unknown(), r"Unknown: aten.linalg_qr .* it is not known; if it has no .* say skip=\['aten.linalg_qr'\]"),
        (nn.Sequential(nn.Unflatten(0, (1, 1, 8)), nn.Conv2d(1, 1, 3, (1, 2))), r"conv.* \(node convolution of 1\) .* stride of 1 between"),
        (3, "expected a torch.nn.Module, got 3"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_layer_is_said_in_a_sentence(module: nn.Module, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        network_of_torch(module, torch.zeros(8, 8))
    assert "\n" not in str(refused.value)


def test_operators_can_be_left_out() -> None:
    assert network_of_torch(Unknown(), torch.zeros(8, 8), skip=["aten.linalg_qr"]).macs == 512


def test_arguments_by_name_and_several() -> None:
    class Named(nn.Module):
        def forward(self, x: torch.Tensor, *, weight: torch.Tensor) -> torch.Tensor:
            return x @ weight

    found = network_of_torch(Named(), [torch.zeros(3, 8)], example_kwargs={"weight": torch.zeros(8, 5)})
    assert found.layers == ((Layer("matmul", 5, 8, 1, 1, 3, 1), 1),)


def test_designgym_imports_no_torch_for_it() -> None:
    code = "import sys, designgym.simulators.accelerator.torch_import; print('torch' in sys.modules, 'onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == ["False", "False"]
