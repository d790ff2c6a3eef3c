"""MAESTRO's mapping language: what is read, what is written, and what is refused with its line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.accelerator.datacentric.mapping import Directive, Mapping
from designgym.simulators.accelerator.datacentric.mapping_text import MappedLayer, parse_network, print_network
from designgym.simulators.accelerator.datacentric.shape import ConvShape
from tests.simulators.accelerator.datacentric.random_mappings import random_case

TEXT = """
// a comment
Constant Clusters 4;
Network two {
  Layer first {
    Type: CONV
    Stride { X: 2, Y: 1 }
    Dimensions { K: 64, C: 3, R: 3, S: 5, Y: 58, X: 57 }
    Dataflow {
      SpatialMap(1,1) K;             // outer level
      TemporalMap(Sz(R),Sz(R)) R;
      TemporalMap(Sz(S), Sz(S)) S;
      TemporalMap(2,1) Y';
      Cluster(Clusters, P);
      SpatialMap(1,1) C
      TemporalMap(7,7) X;
    }
  }
  Layer second { Type: DSCONV Dimensions { N: 1, C: 8, R: 3, S: 5, Y: 9, X: 9 } }
}
"""


def test_what_is_read() -> None:
    first, second = parse_network(TEXT)
    assert first.shape == ConvShape(64, 3, 3, 5, 58, 57, stride_y=1, stride_x=2)
    outer = (Directive("K", 1, 1, True), Directive("R", 3, 3), Directive("S", 5, 5), Directive("Y'", 2, 1))
    assert first.mapping == Mapping((outer, (Directive("C", 1, 1, True), Directive("X", 7, 7))), (4,))
    assert second == MappedLayer("second", ConvShape(1, 8, 3, 5, 9, 9, depthwise=True), first.mapping)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(1, 3))
def test_what_is_written_is_read_again(seed: int, depthwise: bool, levels: int) -> None:
    mapping, shape, _ = random_case(np.random.default_rng(seed), depthwise=depthwise, levels=levels)
    layer = MappedLayer("a-layer.1", shape, mapping)
    assert parse_network(print_network([layer, layer])) == [layer, layer]


BAD = {
    "no network": ("Layer x {}", r"text line 1: got 'Layer', expected 'Network'"),
    "nothing": ("", r"text line 1: got the end of the text, expected 'Network'"),
    "unknown directive": (TEXT.replace("SpatialMap(1,1) C", "SpatialMapp(1,1) C"), r"line 15: got 'SpatialMapp', expected TemporalMap"),
    "unknown dimension": (TEXT.replace("(7,7) X", "(7,7) Z"), r"line 16: dimension 'Z' of a directive is none of K, C"),
    "no number": (TEXT.replace("(7,7) X", "(7,x) X"), r"line 16: got 'x', expected a positive whole number or Sz"),
    "zero": (TEXT.replace("(7,7) X", "(0,7) X"), r"line 16: got '0', expected a positive whole number"),
    "negative": (TEXT.replace("(7,7) X", "(-7,7) X"), r"line 16: got '-', expected a positive whole number"),
    "fraction": (TEXT.replace("(7,7) X", "(7.5,7) X"), r"line 16: "),
    "missing parenthesis": (TEXT.replace("(7,7) X", "(7,7 X"), r"line 16: got 'X', expected '\)'"),
    "size of nothing": (TEXT.replace("Sz(R),Sz(R)", "Sz(Q),Sz(R)"), r"line 11: Sz\(Q\): no size of Q is given"),
    "cluster of no kind": (TEXT.replace("Clusters, P", "Clusters, Q"), r"line 14: got 'Q', expected P or L"),
    "type": (TEXT.replace("DSCONV", "LSTM"), r"line 19: layers of type 'LSTM' are not supported"),
    "no type": (TEXT.replace("Type: CONV", ""), r"line 5: layer 'first' has no type"),
    "batch": (TEXT.replace("N: 1", "N: 2"), r"line 19: layer 'second' has a batch"),
    "no size": (TEXT.replace("C: 3, ", ""), r"line 5: layer 'first' has no size of C"),
    "size twice": (TEXT.replace("C: 3, ", "C: 3, C: 3, "), r"line 8: C is there twice"),
    "unknown size": (TEXT.replace("C: 3, ", "C: 3, B: 3, "), r"line 8: got 'B', expected one of K, C"),
    "filter too large": (TEXT.replace("R: 3, S: 5, Y: 58", "R: 59, S: 5, Y: 58"), r"line 5: layer 'first': a filter of 59 x 5"),
    "dimension twice": (TEXT.replace("(7,7) X", "(7,7) C"), r"line 16: level 1 .* maps dimension C twice"),
    "window unknown": (TEXT.replace("TemporalMap(Sz(R),Sz(R)) R;", ""), r"line 9: level 0 .* maps Y' without R"),
    "empty level": (TEXT.replace("SpatialMap(1,1) C", "").replace("TemporalMap(7,7) X;", ""), r"line 9: level 1 .* has no directive"),
    "no dataflow": (TEXT.replace("Dataflow", "Flow"), r"line 9: got 'Flow', expected Type, Stride, Dimensions, Dataflow"),
    "end missing": (TEXT.rstrip()[:-1], r"line 19: got the end of the text, expected 'Layer'"),
    "more behind": (TEXT + "more", r"line 21: got 'more', expected the end of the text"),
    "brace missing": (TEXT.replace("X: 57 }", "X: 57 "), r"line 9: got 'Dataflow', expected one of K, C"),
    "brace of a dataflow missing": (TEXT.replace("Dataflow {", "Dataflow"), r"line 10: got 'SpatialMap', expected '{'"),
    "output and input coordinates": (TEXT.replace("(7,7) X", "(7,7) X; TemporalMap(1,1) X'"), r"line 16: level 1 .* dimension X twice"),
    "type twice": (TEXT.replace("Stride {", "Type: CONV Stride {"), r"line 7: layer 'first' has Type twice"),
    "dataflow twice": (TEXT.replace("Dimensions { N", "Dataflow { SpatialMap(1,1) C; } Dataflow { N"), "has Dataflow twice"),
    "no digit": (TEXT.replace("(7,7) X", "(²,7) X"), r"line 16: got '²', expected a positive whole number"),
    "another script": (TEXT.replace("(7,7) X", "(\N{FULLWIDTH DIGIT SEVEN},7) X"), r"line 16: got .*, expected a positive whole number"),
    "not ASCII": (TEXT.replace("Network", "Nétwork"), r"line 4: got 'Nétwork', expected 'Network'"),
    "beyond 32 bits": (TEXT.replace("(7,7) X", "(2147483648,7) X"), r"line 16: got '2147483648', expected at most 2147483647"),
    "many digits": (TEXT.replace("(7,7) X", f"({'9' * 5000},7) X"), r"line 16: got '9999.*, expected at most 2147483647"),
    "one long word": (TEXT.replace("SpatialMap(1,1) C", "x" * 1_000_000), r"line 15: got 'xxx.*, expected TemporalMap"),
    "only braces": ("{" * 10_000, r"line 1: got '{', expected 'Network'"),
    "null": ("\0" * 100, r"line 1: got '\\x00', expected 'Network'"),
    "no layers": ("Network x { }", r"the network has no layer"),
    "no dataflow at all": ("Network x {\nLayer a { Type: CONV Dimensions { K 1 C 1 R 1 S 1 Y 1 X 1 }}}", r"line 2: .* has no Dataflow"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_text_is_refused_with_its_line(name: str) -> None:
    text, message = BAD[name]
    with pytest.raises(InputError, match=message) as error:
        parse_network(text, source="text")
    assert len(str(error.value)) < 300


def test_bad_mappings_are_refused() -> None:
    level = (Directive("K", 1, 1, True),)
    with pytest.raises(InputError, match="a cluster size between each two, got 2 levels and 0 cluster sizes"):
        Mapping((level, level))
    with pytest.raises(InputError, match="a cluster size must be a positive integer, got 0"):
        Mapping((level, level), (0,))
    with pytest.raises(InputError, match=r"size of a directive on K must be a positive integer, got 1\.5"):
        Directive("K", 1.5, 1)  # type: ignore[arg-type]
