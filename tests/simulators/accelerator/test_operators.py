"""Operators as layers: as many multiply-accumulates, and for each layer as many inputs as the operator reads there."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.accelerator import Layer
from designgym.simulators.accelerator.operators import Convolution, LayerList, attention, matrix_product, recurrent

small = st.integers(1, 5)


def work(layers: list[tuple[Layer, int]]) -> int:
    return sum(count * layer.macs for layer, count in layers)


def read(outputs: int, taps: int, stride: int) -> int:
    return len({at * stride + tap for at in range(outputs) for tap in range(taps)})


@given(outputs=st.integers(1, 20), taps=small, stride=small, dilation=small)
def test_a_dilated_convolution_is_taken_apart_by_the_inputs_that_it_reads(outputs: int, taps: int, stride: int, dilation: int) -> None:
    layers = Convolution(1, 3, 2, 1, [taps], [outputs], [stride], [dilation]).layers("conv")
    groups: dict[int, set[int]] = {}
    sizes: Counter[int] = Counter()
    for at in range(outputs):
        reads = {at * stride + tap * dilation for tap in range(taps)}
        remainder = at * stride % dilation if taps > 1 else 0
        groups.setdefault(remainder, set()).update(reads)
        sizes[remainder] += 1
    found: Counter[tuple[int, int]] = Counter()
    for layer, count in layers:
        found[layer.q, read(layer.q, layer.s, layer.stride)] += count
    assert found == Counter((sizes[one], len(groups[one])) for one in groups)
    assert work(layers) == outputs * taps * 6


@given(outputs=st.integers(1, 20), taps=small, stride=small, dilation=small, padding=st.integers(0, 4))
def test_a_transposed_convolution_is_taken_apart_by_the_inputs_that_it_reads(
    outputs: int, taps: int, stride: int, dilation: int, padding: int
) -> None:
    layers = Convolution(1, 3, 2, 1, [taps], [outputs], [stride], [dilation], True, [padding]).layers("up")
    apart = dilation // math.gcd(stride, dilation)
    groups: dict[tuple[int, int], set[int]] = {}
    sizes: Counter[tuple[int, int]] = Counter()
    products = 0
    for output in range(outputs):
        places = [output + padding - tap * dilation for tap in range(taps)]
        reads = {place // stride for place in places if place % stride == 0}
        products += len(reads)
        if reads:
            key = ((output + padding) % stride, next(iter(reads)) % apart if len(reads) > 1 else 0)
            groups.setdefault(key, set()).update(reads)
            sizes[key] += 1
    expected = Counter((sizes[one], len(groups[one])) for one in groups)
    found: Counter[tuple[int, int]] = Counter()
    for layer, count in layers:
        assert layer.stride == 1
        found[layer.q, layer.x] += count
    assert found == expected and work(layers) == products * 6


@given(
    batch=small, groups=small, inputs=small, outputs=small, filters=st.tuples(small, small), pixels=st.tuples(small, small),
    stride=small, dilation=st.tuples(small, small),
)  # fmt: skip
def test_convolutions_keep_their_work(
    batch: int, groups: int, inputs: int, outputs: int, filters: tuple[int, int], pixels: tuple[int, int], stride: int,
    dilation: tuple[int, int],
) -> None:  # fmt: skip
    conv = Convolution(batch, groups * inputs, groups * outputs, groups, filters, pixels, (stride, stride), dilation)
    try:
        layers = conv.layers("conv")
    except InputError as error:
        assert (dilation[0] != dilation[1] or 1 in filters) and stride > 1 and "a layer has one stride" in str(error)
        return
    assert work(layers) == batch * groups * inputs * outputs * math.prod(filters) * math.prod(pixels)


def test_groups_and_channels_apart() -> None:
    def grouped(inputs: int, outputs: int, groups: int) -> list[tuple[Layer, int]]:
        return Convolution(2, inputs, outputs, groups, [3, 3], [8, 8], [1, 1], [1, 1]).layers("conv")

    assert grouped(8, 6, 2) == [(Layer("conv", 3, 4, 3, 3, 8, 8), 4)]
    assert grouped(8, 8, 8) == [(Layer("conv", 1, 8, 3, 3, 8, 8, depthwise=True), 2)]
    assert grouped(8, 24, 8) == [(Layer("conv", 1, 8, 3, 3, 8, 8, depthwise=True), 6)]  # three outputs of each channel
    assert grouped(1, 1, 1) == [(Layer("conv", 1, 1, 3, 3, 8, 8), 2)]


def test_strides_that_differ() -> None:
    def strided(pixels: list[int], stride: list[int]) -> list[tuple[Layer, int]]:
        return Convolution(1, 1, 1, 1, [3, 3], pixels, stride, [1, 1]).layers("conv")

    assert strided([1, 8], [3, 2])[0][0].stride == strided([8, 1], [2, 3])[0][0].stride == 2
    assert strided([1, 1], [3, 2])[0][0].stride == 1
    one_tap = Convolution(1, 1, 1, 1, [1, 3], [8, 8], [2, 1], [1, 1]).layers("conv")
    assert one_tap == [(Layer("conv", 1, 1, 1, 3, 8, 8), 1)]  # reads eight rows
    with pytest.raises(InputError, match="a stride of 1 between rows and of 2 between columns, a layer has one stride"):
        strided([8, 8], [1, 2])
    with pytest.raises(InputError, match="it has 3 axes, a layer has two"):
        Convolution(1, 1, 1, 1, [3, 3, 3], [4, 4, 4], [1, 1, 1], [1, 1, 1]).layers("conv")


def test_matrix_products() -> None:
    def one(left: list[int], right: list[int]) -> tuple[int, int, int, int]:
        ((layer, count),) = matrix_product(left, right, "product")
        assert (layer.r, layer.s, layer.q, layer.stride) == (1, 1, 1, 1)
        return layer.p, layer.c, layer.k, count

    assert one([2, 7, 8], [8, 5]) == (14, 8, 5, 1)  # weights are shared
    assert one([7, 8], [2, 8, 5]) == (7, 8, 10, 1)  # inputs are shared
    assert one([2, 3, 7, 8], [2, 3, 8, 5]) == (7, 8, 5, 6)
    assert one([2, 3, 7, 8], [3, 8, 5]) == (14, 8, 5, 3)
    assert one([8], [8]) == (1, 8, 1, 1)
    assert one([7, 8], [8]) == (7, 8, 1, 1)
    assert one([8], [2, 8, 5]) == (1, 8, 10, 1)


@given(st.lists(st.tuples(small, st.sampled_from(["both", "left", "right"])), max_size=3), small, small, small)
def test_matrix_products_keep_their_work(lead: list[tuple[int, str]], rows: int, inner: int, columns: int) -> None:
    left = [size if side != "right" else 1 for size, side in lead]
    right = [size if side != "left" else 1 for size, side in lead]
    layers = matrix_product([*left, rows, inner], [*right, inner, columns], "product")
    assert work(layers) == math.prod(size for size, _ in lead) * rows * inner * columns


def test_attention_with_shared_keys_and_values() -> None:
    many = attention([2, 8, 7, 16], [2, 8, 9, 16], [2, 8, 9, 4], "a")
    assert many == [(Layer("a.scores", 9, 16, 1, 1, 7, 1), 16), (Layer("a.read", 4, 9, 1, 1, 7, 1), 16)]
    shared = attention([2, 8, 7, 16], [2, 2, 9, 16], [2, 2, 9, 4], "a")
    assert shared == [(Layer("a.scores", 9, 16, 1, 1, 28, 1), 4), (Layer("a.read", 4, 9, 1, 1, 28, 1), 4)]
    of_one_query = attention([1, 7, 16], [8, 9, 16], [8, 9, 4], "a")
    assert work(many) == work(shared) == 2 * 8 * 7 * 9 * (16 + 4) and work(of_one_query) == 8 * 7 * 9 * (16 + 4)


def test_recurrence_and_names() -> None:
    assert work(recurrent(steps=7, batch=2, inputs=8, hidden=4, gates=4, directions=2, name="lstm")) == 2 * 7 * 2 * 16 * (8 + 4)
    found = LayerList()
    found.add([(Layer("a", 1, 1, 1, 1, 1, 1), 1), (Layer("a", 2, 1, 1, 1, 1, 1), 2), (Layer("b", 1, 1, 1, 1, 1, 1), 3)])
    assert [(layer.name, count) for layer, count in found.network("n", "n").layers] == [("a", 4), ("a#2", 2)]
    with pytest.raises(InputError, match="nothing has no operator with multiply-accumulates"):
        LayerList().network("n", "nothing")
