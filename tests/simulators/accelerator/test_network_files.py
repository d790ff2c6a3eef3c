"""Files of networks: what is written is what is read, all environments read the same, and what is wrong is said in a sentence."""

import pickle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError, UnknownNameError
from designgym.envs import environment
from designgym.simulators.accelerator import Layer, Network, network_workload, read_network, write_network
from designgym.simulators.accelerator.workloads import find_network

ENVIRONMENTS = [f"designgym/{name}-v0" for name in ("MaestroMapping", "EyerissAccelerator", "AcceleratorCodesign", "ZigZag", "ScaleSim")]
CONV, DEPTHWISE = Layer("conv", 16, 8, 3, 3, 8, 8, stride=2), Layer("a/b", 1, 8, 5, 3, 4, 6, depthwise=True)
TEXTS = {
    ".csv": "name,k,c,r,s,p,q,stride,depthwise,count\nconv,16,8,3,3,8,8,2,0,3\na/b,1,8,5,3,4,6,1,1,1\nagain, 16, 8, 3, 3, 8, 8, 2, 0, 1\n",
    ".json": '[{"name": "conv", "k": 16, "c": 8, "r": 3, "s": 3, "p": 8, "q": 8, "stride": 2, "count": 3},'
    '{"name": "a/b", "c": 8, "r": 5, "s": 3, "p": 4, "q": 6, "depthwise": true},'
    '{"name": "again", "k": 16, "c": 8, "r": 3, "s": 3, "p": 8, "q": 8, "stride": 2}]',
}
MAESTRO = (
    "Network n { Layer conv { Type: CONV Stride { X: 2, Y: 2 } Dimensions { K: 8, C: 3, R: 3, S: 3, Y: 21, X: 21 }\n"
    "Dataflow { SpatialMap(1,1) K; } }\n"
    "Layer again { Type: CONV Stride { X: 2, Y: 2 } Dimensions { K: 8, C: 3, R: 3, S: 3, Y: 21, X: 21 } } }"
)

sizes = st.integers(1, 10**12)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
layers = st.builds(Layer, names, sizes, sizes, sizes, sizes, sizes, sizes, sizes) | st.builds(
    Layer, names, st.just(1), sizes, sizes, sizes, sizes, sizes, sizes, st.just(True)
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(listed=st.lists(st.tuples(layers, sizes), min_size=1, max_size=5), suffix=st.sampled_from([".csv", ".json", ".CSV"]))
def test_what_is_written_is_read(tmp_path: Path, listed: list[tuple[Layer, int]], suffix: str) -> None:
    network = Network("mine", tuple(listed))
    write_network(network, tmp_path / f"mine{suffix}")
    assert read_network(tmp_path / f"mine{suffix}") == network


@given(listed=st.lists(st.tuples(layers, sizes), min_size=1, max_size=5))
def test_merging_keeps_work_and_order(listed: list[tuple[Layer, int]]) -> None:
    network = Network("mine", (*listed, *listed))
    merged = network.merged()
    assert merged.macs == network.macs and merged.merged() == merged
    assert [layer for layer, _ in merged.layers] == [layer for layer, _ in Network("mine", tuple(listed)).merged().layers]


@pytest.mark.parametrize("suffix", TEXTS)
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_all_environments_read_the_same(tmp_path: Path, env: str, suffix: str) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_text(TEXTS[suffix])
    spec = environment(env)
    assert spec.workload(path).data == Network("mine", ((CONV, 4), (DEPTHWISE, 1)))
    single = spec.workload(f"{path}/a/b")
    assert single.name == "mine/a/b" and single.data.layers == ((DEPTHWISE, 1),)
    maestro = tmp_path / "net.m"
    maestro.write_text(MAESTRO)
    assert spec.workload(maestro).data == Network("net", ((Layer("conv", 8, 3, 3, 3, 10, 10, 2), 2),))
    assert spec.workload("resnet18/conv2_1").data == spec.workload("resnet18-conv2_1").data
    for unknown, message in (
        (f"{path}/a/c", "unknown layer of mine 'a/c': .*'a/b'"),
        ("resnet18/conv2_9", "unknown layer of resnet18 'conv2_9'"),
        ("resnet19", "unknown workload 'resnet19': did you mean 'resnet18'.* FILE/LAYER"),
        (str(tmp_path / "none.onnx"), "cannot read the network .*none.onnx': No such file or directory"),
        (str(tmp_path / "none.csv/a"), "cannot read the network .*none.csv': No such file or directory"),
    ):
        with pytest.raises(InputError, match=message):
            spec.workload(unknown)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_what_a_file_holds_is_what_results_are_kept_by_and_what_travels(tmp_path: Path, env: str) -> None:
    spec, path = environment(env), tmp_path / "mine.csv"
    path.write_text(TEXTS[".csv"])
    before = spec.workload(path)
    travelled = pickle.loads(pickle.dumps(before))
    path.write_text(TEXTS[".csv"].replace("16,", "17,"))
    assert spec.workload(path).digest != before.digest  # the same path, another network
    path.unlink()
    assert travelled.data == before.data and travelled.digest == before.digest  # a worker needs no file
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "mine.csv").write_text(TEXTS[".csv"])
    assert spec.workload(other / "mine.csv").digest == before.digest


def test_networks_of_ones_own_have_what_every_environment_knows_of_its_workloads() -> None:
    network = find_network("resnet18")
    mine = network_workload("mine", network)
    for env in ENVIRONMENTS:
        assert environment(env).workload("resnet18").traits <= mine.traits
    assert network_workload("resnet18", [layer for layer, count in network.layers for _ in range(count)]).data == network


BAD = {
    ("a.txt", ""): "cannot read the network .*a.txt': expected the suffix .csv .a table., .json .JSON., .m .MAESTRO's language. or .onnx",
    ("a", ""): "expected the suffix",
    ("a.csv", ""): "lacks the columns name, k, c, r, s, p, q: expected name,k,c,r,s,p,q,stride,depthwise,count",
    ("a.csv", "name,k,c\n"): "lacks the columns r, s, p, q",
    ("a.csv", "name,k,c,r,s,p,q,strides\n"): "unknown column of .*a.csv 'strides': did you mean 'stride'",
    ("a.csv", "name,k,c,r,s,p,q,q\n"): "has a column twice",
    ("a.csv", "name,k,c,r,s,p,q\n"): "has no layer",
    ("a.csv", "name,k,c,r,s,p,q\na,1,1,1,1,1\n"): "line 2: another number of cells than the header",
    ("a.csv", "name,k,c,r,s,p,q\na,1,1,1,1,1,1.5\n"): "line 2, column q: got '1.5', expected a whole number",
    ("a.csv", "name,k,c,r,s,p,q\na,1,1,1,1,1,-1\n"): "line 2: layer 'a': q must be a positive integer, got -1",
    ("a.csv", 'name,k,c,r,s,p,q\n"a,1,1,1,1,1,1\n'): "is no table",
    ("a.csv", b"\xff\xfe"): "is no text .UTF-8.",
    ("a.json", ""): "is not JSON",
    ("a.json", "[" * 100_000): "is not JSON",
    ("a.json", "[]"): "has no layer",
    ("a.json", '[{"k": 1}]'): "layer 1 lacks c, r, s, p, q",
    ("a.json", '[{"k": 1.5, "c": 1, "r": 1, "s": 1, "p": 1, "q": 1}]'): "layer 1: layer 'layer1': k must be a positive integer, got 1.5",
    ("a.json", '{"k": 1, "c": 1, "r": 1, "s": 1, "p": 1, "q": 1, "name": 3}'): "layer 1: name must be a text, got 3",
    ("a.m", ""): "line 1: got the end of the text, expected 'Network'",
    ("a.m", MAESTRO.replace("Y: 2 }", "Y: 1 }")): "layer 'conv' has the strides 1 and 2, expected one for both",
}


@pytest.mark.parametrize(("file", "content"), BAD)
def test_bad_files_are_refused_in_a_sentence(tmp_path: Path, file: str, content: str | bytes) -> None:
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=BAD[file, content]) as refused:
        read_network(tmp_path / file)
    assert "\n" not in str(refused.value)


def test_networks_that_cannot_be_written_or_read(tmp_path: Path) -> None:
    network = Network("mine", ((CONV, 1),))
    with pytest.raises(InputError, match=r"its suffix must be .csv or .json, got '.onnx'"):
        write_network(network, tmp_path / "mine.onnx")
    with pytest.raises(InputError, match=r"cannot write the network .* it is a folder"):
        (tmp_path / "folder.csv").mkdir()
        write_network(network, tmp_path / "folder.csv")
    with pytest.raises(InputError, match="a layer's name is no text"):
        write_network(Network("mine", ((Layer("\ud800", 1, 1, 1, 1, 1, 1), 1),)), tmp_path / "mine.csv")
    with pytest.raises(InputError, match=r"cannot read the network .*: Is a directory"):
        read_network(tmp_path / "folder.csv")
    with pytest.raises(UnknownNameError, match="unknown workload"):
        find_network(str(tmp_path / "folder.csv"))
    with pytest.raises(InputError, match="expected a Network, got 3"):
        write_network(3, tmp_path / "mine.csv")  # type: ignore[arg-type]


def test_a_layer_is_not_chosen_among_several_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "twins.csv"
    path.write_text("name,k,c,r,s,p,q\na,1,1,1,1,1,1\na,2,1,1,1,1,1\nb,1,1,1,1,1,1\nb,1,1,1,1,1,1\n")
    assert find_network(f"{path}/b").layers[0][1] == 1
    with pytest.raises(InputError, match="network 'twins' has 2 different layers that are called 'a': rename them"):
        find_network(f"{path}/a")
