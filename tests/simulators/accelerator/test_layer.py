import pytest

from designgym.core.errors import InputError
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network


def test_counts_of_a_strided_convolution() -> None:
    layer = Layer("conv1", k=64, c=3, r=7, s=7, p=112, q=112, stride=2)
    assert (layer.y, layer.x) == (229, 229)
    assert layer.macs == 118_013_952  # ResNet's first convolution
    assert layer.input_words == 3 * 229 * 229
    assert layer.weight_words == 9_408
    assert layer.output_words == 64 * 112 * 112


def test_a_depthwise_layer_has_an_output_per_input_channel() -> None:
    layer = Layer("dw", k=1, c=144, r=3, s=3, p=56, q=56, depthwise=True)
    assert layer.output_words == 144 * 56 * 56
    assert layer.weight_words == 144 * 9
    assert layer.macs == 144 * 9 * 56 * 56


@pytest.mark.parametrize(("name", "value"), [("k", 0), ("stride", -1), ("p", 2.5), ("c", True)])
def test_a_dimension_that_is_no_positive_integer_is_named(name: str, value: object) -> None:
    dimensions: dict[str, object] = dict.fromkeys("kcrspq", 2)
    with pytest.raises(InputError, match=f"'odd': {name} must be a positive integer"):
        Layer("odd", **(dimensions | {name: value}))  # type: ignore[arg-type]


def test_a_depthwise_layer_has_no_k() -> None:
    with pytest.raises(InputError, match="k must be 1"):
        Layer("dw", k=8, c=8, r=3, s=3, p=4, q=4, depthwise=True)


def test_a_network_counts_repeated_layers() -> None:
    layer = Layer("fc", k=10, c=10, r=1, s=1, p=1, q=1)
    assert Network("mlp", ((layer, 3),)).macs == 300
    with pytest.raises(InputError, match="no layer"):
        Network("none", ())
    with pytest.raises(InputError, match="at least once"):
        Network("odd", ((layer, 0),))
