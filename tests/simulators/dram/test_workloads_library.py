"""Workloads are found by name in a fixed order, and brought in from elsewhere without trusting what is there."""

import os
from pathlib import Path

import pytest

from designgym.core.errors import InputError
from designgym.simulators.dram.workloads import (
    ARCHGYM_TRACES,
    CATALOGUE,
    available_workloads,
    find_workload,
    generate,
    import_traces,
    read_trace,
    write_trace,
)

ORACLE = Path(__file__).parents[4] / "shared" / "oracle" / "dramsys" / "traces"


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESIGNGYM_DATA", raising=False)


def one_request(path: Path, address: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"0:\tread\t0x{address:x}\n")
    return path


def found_address(name: str, **options: object) -> int:
    return int(find_workload(name, **options).addresses[0])  # type: ignore[arg-type]


def test_order_of_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, given = tmp_path / "1", tmp_path / "2", tmp_path / "given"
    for folder in (first, second, given):
        folder.mkdir()
    monkeypatch.setenv("DESIGNGYM_DATA", os.pathsep.join([str(tmp_path / "missing"), str(first), "", str(second)]))
    assert find_workload("cloud-like") == generate("cloud-like")
    one_request(second / "dram" / "cloud-like.stl", 0x40)
    assert found_address("cloud-like") == 0x40
    one_request(second / "cloud-like.stl", 0x80)
    assert found_address("cloud-like") == 0x80
    one_request(first / "dram" / "cloud-like.stl", 0xC0)
    assert found_address("cloud-like") == 0xC0
    one_request(given / "dram" / "cloud-like.stl", 0x100)
    assert found_address("cloud-like", directories=[given]) == 0x100
    assert found_address("cloud-like") == 0xC0


@pytest.mark.parametrize(("name", "text"), [("w.trace", "0x40 R\n"), ("w.csv", "tick,op,address\n0,R,64\n")])
def test_all_formats_are_found(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    trace = find_workload("w", directories=[tmp_path])
    assert (trace.name, trace.addresses.tolist()) == ("w", [64])


def test_a_path_is_a_name(tmp_path: Path) -> None:
    path = one_request(tmp_path / "mine.stl", 0x40)
    assert find_workload(path).name == "mine"
    assert find_workload(str(path)) == find_workload(path)


def test_times_that_go_back_are_accepted_by_name_and_refused_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "dram" / "back.stl"
    path.parent.mkdir()
    path.write_text("5:\tread\t0x0\n3:\tread\t0x40\n9:\tread\t0x80\n")
    (tmp_path / "backwards.csv").write_text("tick,op,address\n5,R,0\n3,R,64\n")
    monkeypatch.setenv("DESIGNGYM_DATA", str(tmp_path))
    for _ in range(2):
        assert find_workload("back").arrival_ticks.tolist() == [5, 5, 9]
    assert find_workload("back", directories=[path.parent]).arrival_ticks.tolist() == [5, 5, 9]
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == [f"{path}, line 2"]  # once for a file
    for other in (path, str(path)):
        with pytest.raises(InputError, match=r"back\.stl, line 2: .*tick 3 is before tick 5.*--clamp-times"):
            find_workload(other)
    with pytest.raises(InputError, match=r"backwards\.csv, line 3: .*tick 3 is before tick 5"):  # no reference of DRAMSys
        find_workload("backwards")
    with pytest.raises(InputError, match=r"line 2: .*tick 3 is before tick 5"):
        import_traces(path, tmp_path / "out")


def test_changed_files_are_read_again(tmp_path: Path) -> None:
    path = one_request(tmp_path / "w.stl", 0x40)
    assert find_workload("w", directories=[tmp_path]) is find_workload("w", directories=[tmp_path])
    one_request(path, 0x80)
    os.utime(path, ns=(1, 1))
    assert found_address("w", directories=[tmp_path]) == 0x80


@pytest.mark.parametrize(
    "name", ["../secret", "a/../../secret", "/etc/passwd/x", "..", ".hidden", "", "a\0b", "a" * 5000, "~nobody-here/x", "a/" * 3000]
)
def test_names_do_not_lead_out_of_a_folder(tmp_path: Path, name: str) -> None:
    one_request(tmp_path / "secret.stl", 0x40)
    one_request(tmp_path / "data" / ".hidden.stl", 0x40)
    with pytest.raises(InputError, match="unknown DRAM workload"):
        find_workload(name, directories=[tmp_path / "data"])


def test_unknown_workload_is_one_clear_error(tmp_path: Path) -> None:
    one_request(tmp_path / "my-trace.stl", 0)
    with pytest.raises(InputError, match=r"did you mean 'my-trace'\? Known: my-trace, stream-like, .*Searched: ") as caught:
        find_workload("my-trcae", directories=[tmp_path])
    assert "\n" not in str(caught.value)
    one_request(tmp_path / "cloud-1.stl", 0)
    with pytest.raises(InputError, match=r"did you mean 'cloud-1' or 'cloud-2'"):  # in a folder, and one of ArchGym's: named once
        find_workload("cloud-11", directories=[tmp_path])
    with pytest.raises(InputError, match=r"'zzz': known: cloud-1, my-trace"):
        find_workload("zzz", directories=[tmp_path])
    with pytest.raises(InputError, match="no such file"):
        find_workload(str(tmp_path / "none.stl"))
    with pytest.raises(InputError, match=r"folder .* does not exist"):
        find_workload("mixed", directories=[tmp_path / "none"])


@pytest.mark.parametrize("name", ARCHGYM_TRACES)
def test_archgym_traces_say_where_to_get_them(name: str) -> None:
    with pytest.raises(InputError, match=r"srivatsankrishnan/oss-arch-gym.*designgym data import dram"):
        find_workload(name)


@pytest.mark.skipif(not ORACLE.is_dir(), reason="ArchGym's traces are not here (../shared/oracle)")
@pytest.mark.parametrize("name", ARCHGYM_TRACES)
def test_archgym_traces_are_found_in_a_data_folder(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESIGNGYM_DATA", str(ORACLE))
    trace = find_workload(name)
    assert (trace.name, len(trace), trace.read_only) == (name, 10_000, True)


def test_available_workloads(tmp_path: Path) -> None:
    one_request(tmp_path / "b.stl", 0)
    one_request(tmp_path / "dram" / "a.stl", 0)
    one_request(tmp_path / "mixed.stl", 0)
    (tmp_path / "notes.txt").write_text("")
    assert available_workloads([tmp_path, tmp_path / "none"]) == ("a", "b", *CATALOGUE)


def test_import_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, data = tmp_path / "source", tmp_path / "data"
    source.mkdir()
    trace = generate("mixed", requests=50)
    write_trace(trace, source / "good.trace")
    (source / "bad.stl").write_text("nonsense\n")
    (source / "bad name.stl").write_text("0:\tread\t0x0\n")
    (source / "readme.txt").write_text("no trace")
    monkeypatch.setenv("DESIGNGYM_DATA", os.pathsep.join([str(data), str(tmp_path / "other")]))
    bad_name, bad, good = import_traces(source)
    assert (bad.status, bad_name.status, good.status) == ("refused", "refused", "imported")
    assert "line 1: 'nonsense'" in bad.reason
    assert "Rename the file" in bad_name.reason
    assert (good.name, good.requests, good.digest) == ("good", 50, trace.digest)
    assert good.read_share == pytest.approx(1 - trace.write_share)
    assert good.path == data / "dram" / "good.stl"
    assert find_workload("good") == trace
    assert [p.name for p in (data / "dram").iterdir()] == ["good.stl"]
    assert import_traces(source)[2].status == "unchanged"


def test_import_does_not_overwrite_unless_told(tmp_path: Path) -> None:
    one_request(tmp_path / "in" / "w.stl", 0x40)
    target = one_request(tmp_path / "out" / "w.stl", 0x80)
    with pytest.raises(InputError, match="is there already and differs"):
        import_traces(tmp_path / "in" / "w.stl", tmp_path / "out")
    assert read_trace(target).addresses.tolist() == [0x80]
    assert import_traces(tmp_path / "in", tmp_path / "out")[0].status == "refused"
    assert import_traces(tmp_path / "in", tmp_path / "out", overwrite=True)[0].status == "imported"
    assert read_trace(target).addresses.tolist() == [0x40]


def test_import_follows_no_links_out_of_the_folder(tmp_path: Path) -> None:
    secret = one_request(tmp_path / "secret.stl", 0x40)
    source = tmp_path / "source"
    one_request(source / "w.stl", 0x40)
    (source / "link.stl").symlink_to(secret)
    (source / "inner.stl").symlink_to(source / "w.stl")
    assert [entry.name for entry in import_traces(source, tmp_path / "out")] == ["inner", "w"]


def test_import_finds_the_traces_in_a_clone_of_archgym(tmp_path: Path) -> None:
    one_request(tmp_path / "clone" / "sims/DRAM/DRAMSys/library/resources/traces/stream.stl", 0x40)
    one_request(tmp_path / "clone" / "other.stl", 0x40)
    assert [entry.name for entry in import_traces(tmp_path / "clone", tmp_path / "out")] == ["stream"]


def test_import_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="DESIGNGYM_DATA is not set"):
        import_traces(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        import_traces(tmp_path / "none", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="there are no traces"):
        import_traces(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "bad.stl").write_text("nonsense\n")
    with pytest.raises(InputError, match="line 1: 'nonsense'"):
        import_traces(tmp_path / "bad.stl", tmp_path / "out")
    with pytest.raises(InputError, match="cannot make the folder"):
        import_traces(one_request(tmp_path / "w.stl", 0), tmp_path / "bad.stl")


def test_import_can_clamp_times(tmp_path: Path) -> None:
    path = tmp_path / "w.stl"
    path.write_text("5:\tread\t0x0\n0:\tread\t0x0\n")
    entry = import_traces(path, tmp_path / "out", clamp_times=True)[0]
    assert entry.path is not None
    assert read_trace(entry.path).arrival_ticks.tolist() == [5, 5]
