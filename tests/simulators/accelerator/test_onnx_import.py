"""ONNX models as networks: built by hand and by PyTorch, with open axes, weights apart, and what is wrong in them."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from designgym.core.errors import InputError, NotInstalledError, UnknownNameError
from designgym.envs import environment
from designgym.simulators.accelerator import Layer, Network, network_of_onnx, network_of_torch, read_network
from designgym.simulators.accelerator.onnx_nodes import LAYERS, NO_MACS, REFUSED

onnx = pytest.importorskip("onnx")
helper = onnx.helper
FLOAT, INT = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


def saved(
    path: Path, nodes: Sequence[Any], inputs: Mapping[str, Sequence[int | str | None]], weights: Mapping[str, Sequence[int]] | None = None,
    opset: int = 21, domains: Sequence[str] = (), **given: Any,
) -> Path:  # fmt: skip
    """Write a model of these nodes; weights are zeros."""
    tensors = [onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in (weights or {}).items()]
    values = [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()]
    outputs = [helper.make_tensor_value_info(name, FLOAT, None) for name in nodes[-1].output]
    graph = helper.make_graph(nodes, "graph", values, outputs, tensors)
    sets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    onnx.save(helper.make_model(graph, opset_imports=sets, **given), path)
    return path


def test_every_operator_is_known() -> None:
    """A version of ONNX with another operator makes someone look whether it multiplies and accumulates."""
    names = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    assert names <= NO_MACS | set(LAYERS) | set(REFUSED)
    assert not NO_MACS & set(LAYERS) and not NO_MACS & set(REFUSED) and not set(LAYERS) & set(REFUSED)


def test_convolutions_and_products(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], "/stem/Conv", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"], "deep", group=8, auto_pad="SAME_UPPER"),
        helper.make_node("ConvTranspose", ["c", "w3"], ["d"], "up", strides=[2, 2], auto_pad="SAME_UPPER"),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "w4"], ["g"], "fc", transB=1),
        helper.make_node("Gemm", ["w5", "g"], ["h"], "first", transA=1),
    ]
    weights = {"w1": (8, 3, 3, 3), "w2": (8, 1, 3, 3), "w3": (8, 4, 4, 4), "w4": (10, 4), "w5": (1, 6)}
    path = saved(tmp_path / "mine.onnx", nodes, {"x": ("N", 3, 16, 16)}, weights)
    found = network_of_onnx(path)
    assert found == read_network(path) == Network(
        "mine",
        (
            (Layer("stem/Conv", 8, 3, 3, 3, 8, 8, 2), 1),
            (Layer("deep", 1, 8, 3, 3, 8, 8, depthwise=True), 1),
            (Layer("up", 4, 8, 2, 2, 8, 8), 4),
            (Layer("fc", 10, 4, 1, 1, 1, 1), 1),
            (Layer("first", 10, 1, 1, 1, 6, 1), 1),
        ),
    )  # fmt: skip
    for env in ("MaestroMapping", "EyerissAccelerator", "AcceleratorCodesign", "ZigZag", "ScaleSim"):
        spec = environment(f"designgym/{env}-v0")
        assert spec.workload(path).data == found
        assert spec.workload(f"{path}/stem/Conv").data.layers == found.layers[:1]
    four = network_of_onnx(saved(path, nodes[:-1], {"x": ("N", 3, 16, 16)}, weights), dimensions={"N": 4})
    assert four.layers[0] == (found.layers[0][0], 4) and four.layers[3][0].p == 4


def test_einsum_recurrence_and_quantised_operators(tmp_path: Path) -> None:
    def layers(node: Any, inputs: Mapping[str, Sequence[int | str | None]]) -> list[tuple[int, int, int, int]]:
        found = network_of_onnx(saved(tmp_path / "m.onnx", [node], inputs))
        return [(layer.p, layer.c, layer.k, count) for layer, count in found.layers]

    def einsum(equation: str, left: list[int], right: list[int]) -> list[tuple[int, int, int, int]]:
        return layers(helper.make_node("Einsum", ["x", "w"], ["y"], equation=equation), {"x": left, "w": right})

    assert einsum("bhqd,bhkd->bhqk", [2, 3, 7, 8], [2, 3, 5, 8]) == [(7, 8, 5, 6)]
    assert einsum("bqd,dk->bqk", [2, 7, 8], [8, 5]) == [(14, 8, 5, 1)]
    for equation, left, right in (("ij,jk", [2, 3], [3, 4]), ("ii,ij->j", [2, 2], [2, 4]), ("ij,k->k", [2, 3], [4])):
        with pytest.raises(InputError, match=r"Einsum \(node 'y'\) cannot be a layer: .*equation"):
            einsum(equation, left, right)
    lstm = helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=4, direction="bidirectional")
    assert layers(lstm, {"x": [7, 2, 8], "w": [2, 16, 8], "r": [2, 16, 4]}) == [(14, 8, 16, 2), (2, 4, 16, 14)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own
def test_torchs_export_gives_what_the_module_gives(tmp_path: Path) -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2),
        nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 64, 10), nn.Softmax(-1),
    ).eval()  # fmt: skip
    x, path = torch.zeros(1, 3, 16, 16), tmp_path / "module.onnx"
    try:
        torch.onnx.export(module, (x,), path, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "batch"}})
    except (ImportError, TypeError) as error:
        pytest.skip(f"this torch exports only with more packages: {error}")
    ours, theirs = network_of_torch(module, x), network_of_onnx(path)
    unnamed = [[(layer.k, layer.c, layer.r, layer.p, layer.stride, n) for layer, n in network.layers] for network in (ours, theirs)]
    assert unnamed[0] == unnamed[1] and len(unnamed[0]) == 7


def test_weights_may_be_missing(tmp_path: Path) -> None:
    path = saved(tmp_path / "apart.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": (2, 64)}, {"w": (64, 128)})
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    assert network_of_onnx(path).layers == ((Layer("y", 128, 64, 1, 1, 2, 1), 1),)


def test_open_axes_need_sizes(tmp_path: Path) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = saved(tmp_path / "open.onnx", [node], {"x": ("batch", "seq", 8)}, {"w": (8, 5)})
    with pytest.raises(
        InputError, match=r"axis 1 of the input 'x' has no size but the name 'seq': give it by .*dimensions=\{'seq': SIZE\}"
    ):
        network_of_onnx(path)
    with pytest.raises(InputError, match="axis 1 of the input 'x'"):
        environment("designgym/ZigZag-v0").workload(path)
    assert network_of_onnx(path, dimensions={"seq": 7}, name="open7") == Network("open7", ((Layer("y", 5, 8, 1, 1, 7, 1), 1),))
    assert network_of_onnx(path, dimensions={"x.1": 7, "batch": 3}).macs == 3 * 7 * 8 * 5
    with pytest.raises(UnknownNameError, match=r"unknown open axis of the inputs of .* 'seqs': did you mean 'seq'"):
        network_of_onnx(path, dimensions={"seqs": 7})
    with pytest.raises(InputError, match="the size of axis 'seq' must be a positive whole number, got 0"):
        network_of_onnx(path, dimensions={"seq": 0})
    both = saved(tmp_path / "both.onnx", [helper.make_node("MatMul", ["x", "z"], ["y"])], {"x": ("n", 8), "z": (8, "n")})
    with pytest.raises(InputError, match="axis 0 of the input 'x' has no size but the name 'n'"):
        network_of_onnx(both)  # it is no batch there
    unnamed = saved(tmp_path / "none.onnx", [node], {"x": (None, None, 8)}, {"w": (8, 5)})
    assert network_of_onnx(unnamed, dimensions={"x.1": 7}).macs == 7 * 8 * 5


def test_functions_and_control_flow(tmp_path: Path) -> None:
    product = helper.make_node("MatMul", ["a", "b"], ["c"])
    function = helper.make_function("mine", "Twice", ["a", "b"], ["c"], [product], [helper.make_opsetid("", 21)])
    call = helper.make_node("Twice", ["x", "w"], ["y"], domain="mine")
    path = saved(tmp_path / "f.onnx", [call], {"x": (2, 8)}, {"w": (8, 5)}, domains=["mine"], functions=[function])
    assert network_of_onnx(path).macs == 80

    def branch(*operators: str) -> Path:
        output = helper.make_tensor_value_info("z", FLOAT, None)
        inner = [
            helper.make_graph([helper.make_node(name, ["y", "y"][: 1 + (name == "MatMul")], ["z"])], name, [], [output])
            for name in operators
        ]
        condition = helper.make_node("Constant", [], ["when"], value=helper.make_tensor("t", onnx.TensorProto.BOOL, [], [True]))
        chosen = helper.make_node("If", ["when"], ["out"], "choice", then_branch=inner[0], else_branch=inner[1])
        first = helper.make_node("MatMul", ["x", "w"], ["y"])
        return saved(tmp_path / "if.onnx", [first, condition, chosen], {"x": (2, 8)}, {"w": (8, 2)})

    assert network_of_onnx(branch("Relu", "Identity")).macs == 32
    with pytest.raises(InputError, match=r"If \(node 'choice'\) cannot be a layer: it is control flow around products"):
        network_of_onnx(branch("Relu", "MatMul"))


def test_what_cannot_be_a_layer_is_said_in_a_sentence(tmp_path: Path) -> None:
    def refused(message: str, *nodes: Any, weights: Mapping[str, Sequence[int]] | None = None, **given: Any) -> None:
        inputs: Mapping[str, Sequence[int | str | None]] = {"x": (1, 4, 8, 8)}
        path = saved(tmp_path / "bad.onnx", nodes, inputs, weights or {"w": (4, 4, 3, 3)}, **given)
        with pytest.raises(InputError, match=message) as error:
            network_of_onnx(path)
        assert "\n" not in str(error.value)

    refused("bad.onnx has no operator with multiply-accumulates", helper.make_node("Relu", ["x"], ["y"]))
    refused(
        r"Conv \(node 'y'\) cannot be a layer: it has a stride of 1 between rows and of 2 between columns",
        helper.make_node("Conv", ["x", "w"], ["y"], strides=[1, 2]),
    )
    refused("the shapes of .* cannot be inferred: .*MatMul", helper.make_node("MatMul", ["x", "w"], ["y"]), weights={"w": (3, 4)})
    other = helper.make_node("Conv", ["x", "w"], ["y"])
    refused("weights .* are for another number of channels than the 4 of its input", other, weights={"w": (4, 3, 3, 3)})
    attention = helper.make_node("Attention", ["x", "x", "x"], ["y"])
    refused(r"Attention \(node 'y'\) .* export it as matrix products, with an opset below 23", attention, opset=23)
    unknown = helper.make_node("BiasGelu", ["x", "w"], ["y"], domain="com.microsoft")
    refused(r"com.microsoft.BiasGelu .* it is not known; .* say skip=\['com.microsoft.BiasGelu'\]", unknown, domains=["com.microsoft"])
    found = helper.make_node("NonZero", ["x"], ["at"]), helper.make_node("Cast", ["at"], ["z"], to=FLOAT)
    refused("the shape of its operand 'z' depends on values", *found, helper.make_node("MatMul", ["w", "z"], ["y"]), weights={"w": (2, 4)})


def test_operators_can_be_left_out(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Gelu", ["a"], ["y"], domain="com.microsoft")]
    path = saved(tmp_path / "m.onnx", nodes, {"x": (2, 8)}, {"w": (8, 5)}, domains=["com.microsoft"])
    assert network_of_onnx(path, skip=["com.microsoft.Gelu"]).macs == 80


def test_files_that_are_no_models(tmp_path: Path) -> None:
    good = saved(tmp_path / "good.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": (2, 64)}, {"w": (64, 128)})
    bad = tmp_path / "bad.onnx"
    whole = good.read_bytes()
    for content in (b"", b"name,k,c,r,s,p,q\n", whole[: len(whole) // 2], whole[:40], b"\x00" * 100, b"PK\x03\x04zip"):
        bad.write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.onnx is no ONNX model") as error:
            network_of_onnx(bad)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"cannot read the network .*none.onnx': No such file or directory"):
        network_of_onnx(tmp_path / "none.onnx")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(NotInstalledError, match=r"pip install 'designgym\[onnx\]'"):
        read_network(tmp_path / "mine.onnx")
