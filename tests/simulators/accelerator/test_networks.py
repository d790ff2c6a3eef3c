"""Built-in networks: their operations and weights are those that the literature gives."""

import itertools

import pytest

from designgym.core.errors import UnknownNameError
from designgym.simulators.accelerator.networks import NETWORKS, layer, network

# millions of multiply-accumulate operations and of weights without biases and normalisation
KNOWN = {
    "alexnet": (724.4, 60.95), "vgg16": (15_470.3, 138.34), "resnet18": (1_814.1, 11.68), "resnet50": (3_858.0, 25.50),
    "mobilenetv2": (300.8, 3.470), "efficientnet_b0": (385.8, 5.236),
    # a block each: 128 x (4 x 768^2 + 2 x 768 x 3072) and 2 x 128^2 x 768; what attention multiplies by stands for weights too
    "bert_base": (931.1, 7.275), "llama7b_prefill": (105_763.6, 206.57), "llama7b_decode": (206.57, 206.57),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_operations_and_weights(name: str) -> None:
    found = network(name)
    weights = sum(count * each.weight_words for each, count in found.layers)
    assert found.macs / 1e6 == pytest.approx(KNOWN[name][0], rel=1e-4)
    assert weights / 1e6 == pytest.approx(KNOWN[name][1], rel=1e-3)


def test_every_network_is_known_here() -> None:
    assert set(NETWORKS) == set(KNOWN)


def test_parameters_of_efficientnet_b0() -> None:
    """5,288,548 with biases and normalisation, as in public models; the paper (table 2) has 5.3 million, and 0.39 billion operations."""
    parameters = 0
    for each in NETWORKS["efficientnet_b0"]():
        outputs = each.c if each.depthwise else each.k
        biases_only = each.name == "fc" or each.name.endswith(("_squeeze", "_excite"))
        parameters += each.weight_words + (outputs if biases_only else 2 * outputs)
    assert parameters == 5_288_548
    assert network("efficientnet_b0").macs / 1e9 == pytest.approx(0.39, abs=0.005)


def test_layers_follow_each_other() -> None:
    """The channels that a layer makes are those that the next one reads."""
    for name in ("vgg16", "mobilenetv2"):
        layers = list(NETWORKS[name]())
        for before, each in itertools.pairwise(layers):
            made = before.c if before.depthwise else before.k
            if made != each.c:
                assert each.name == "fc6" and each.c == before.k * 49  # pooled to 7 x 7 and flattened


def test_layers_by_name() -> None:
    found = layer("resnet18", "conv2_1")
    assert (found.k, found.c, found.r, found.p) == (64, 64, 3, 56)
    assert dict((each.name, count) for each, count in network("resnet18").layers)["conv2_1"] == 4
    with pytest.raises(UnknownNameError, match="unknown layer of resnet18 'conv2_9'"):
        layer("resnet18", "conv2_9")
    with pytest.raises(UnknownNameError, match="unknown network 'resnet19': did you mean 'resnet18'"):
        network("resnet19")
