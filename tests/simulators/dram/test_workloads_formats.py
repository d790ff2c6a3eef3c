"""Trace files: round trips, tolerance where formats are tolerant, and one clear error for the first bad line."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.dram.state import LATEST_ARRIVAL
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import formats, generate, read_trace, write_trace


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def triples(trace: Trace) -> list[tuple[int, bool, int]]:
    return list(zip(trace.arrival_ticks.tolist(), trace.is_write.tolist(), trace.addresses.tolist(), strict=True))


READ_AND_WRITE = [(0, False, 0x40), (7, True, 0x1F00)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.stl", "0:\tread\t0x40\n7:\twrite\t0x1F00\n"),
        ("a.stl", "# comment\n\n0: read 0x40\r\n\n  # more\n7:\twrite\t0x00001f00"),
        ("a.stl", "0 read 40\n7 write 1f00\n"),
        ("a.STL", "\ufeff0:\tread\t0x40\n7:\twrite\t0x1F00\n"),
        ("a.csv", "tick,op,address\n0,R,64\n7,W,0x1f00\n"),
        ("a.csv", "# made by hand\nop,address,time_ns\nread,0X40,0.0\nWRITE,7936,8.75\n"),
        ("a.csv", "address, op, tick\r\n0x40, r, 0\r\n0x1F00, w, 7\r\n"),
        ("a.csv", "Tick,OP,Address\n0,Read,64\n7,WRITE,0x1f00\n"),
        ("a.csv", '"tick","op","address"\r\n"0","R","0x40"\r\n"7", "W", "0x1F00"\r\n'),
        ("a.csv", "tick,op,address\r0,R,64\r7,W,0x1f00\r"),
        ("a.stl", "0:\tREAD\t0x40\n7:\tWrite\t0X1F00\n"),
        ("a.stl", "0:\tread\t0x40\r7:\twrite\t0x1F00\r"),
        ("a.stl", "# one\r\n0:\tread\t0x40\r\r\n\n7:\twrite\t0x1F00"),
    ],
)
def test_timed_formats(tmp_path: Path, name: str, text: str) -> None:
    trace = read_trace(write(tmp_path, name, text))
    assert triples(trace) == READ_AND_WRITE
    assert trace.name == "a"


@pytest.mark.parametrize(
    "text",
    [
        "0x12345680 R\n0x4cbd56c W\n",
        "LD 0x12345680\nST 80467308\n",
        "# c\nLD 305419904\n\nST 0x4CBD56C\n",
        "12345680 R\n4cbd56c W",
        "0x12345680 r\n0x4cbd56c w\n",
        "ld 0x12345680\nSt 80467308\n",
        "0x12345680 R\r0x4cbd56c w\r",
    ],
)
def test_ramulator_gives_one_request_per_tick(tmp_path: Path, text: str) -> None:
    trace = read_trace(write(tmp_path, "a.trace", text))
    assert triples(trace) == [(0, False, 0x12345680), (1, True, 0x4CBD56C)]


def test_times_between_ticks_count_as_the_later_tick(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "time_ns,op,address\n0.1,R,0\n1.25,R,0\n1.2500001,R,0\n2.6,R,0\n1e1,R,0\n")
    assert read_trace(path).arrival_ticks.tolist() == [1, 1, 1, 3, 8]


def test_unaligned_addresses_are_kept(tmp_path: Path) -> None:
    assert read_trace(write(tmp_path, "a.stl", "0:\tread\t0x43\n")).addresses.tolist() == [0x43]


def test_explicit_format_and_name(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path, "dump.txt", "0:\tread\t0x40\n"), format="stl", name="mine", clock_ns=1.5)
    assert (trace.name, trace.clock_ns) == ("mine", 1.5)


BAD = [
    ("a.stl", "0:\tread\t0x40\n\n1:\treed\t0x40\n2:\tx\t0\n", r"line 3: .*'reed' is neither 'read' nor 'write'; expected <time"),
    ("a.stl", "0:\tread\t0xg0\n", r"line 1: .*address '0xg0' is not a hexadecimal"),
    ("a.stl", "0:\tread\n", r"line 1: .*2 words instead of 3"),
    ("a.stl", "-1:\tread\t0x40\n", r"line 1: .*time '-1' is not a whole number"),
    ("a.stl", "1_0:\tread\t0x40\n", r"line 1: .*time '1_0' is not"),
    ("a.stl", "٣:\tread\t0x40\n", r"line 1: .*time '٣' is not"),
    ("a.stl", "0:\t(16)\twrite\t0x0\n", r"line 1: .*burst lengths in brackets are not supported"),
    ("a.stl", "0:\twrite\t0x0\t0xffff\n", r"line 1: .*data after the address are not supported"),
    (
        "a.stl",
        "5:\tread\t0x0\n# c\n4:\tread\t0x0\n",
        r"line 3: .*tick 4 is before tick 5 of the request above; sort by time, or .*"
        r" with `designgym data import dram \S+a\.stl --clamp-times`\.$",
    ),
    ("a.stl", "5:\tread\t0x0\r\n4:\tread\t0x0\r\n", r"line 2: '4:.tread.t0x0': tick 4 is before"),
    ("a.stl", "1:\tread\t0x0\r2:\treed\t0x0\r", r"line 2: .*'reed' is neither"),
    ("a.stl", "0:\tread\t0x0\n\n137438953472:\tread\t0x0\n", r"line 3: .*tick 137438953472 is later than 137438953471, the last"),
    ("a.csv", "time_ns,op,address\n1e15,R,0\n", r"line 2: '1e15,R,0': tick 800000000000000 is later than"),
    ("a.stl", "12 :\tread\t0x40\n", r"line 1: .*a blank stands between the time and its colon"),
    ("a.stl", "12 :read 0x40\n", r"line 1: .*a blank stands between the time and its colon"),
    ("a.stl", "a b c d\n", r"line 1: .*4 words instead of 3"),
    ("a.stl", "5:\tread\t0x0\n6:\tread\t0x40000000\n4:\tread\t0x0\n", r"line 2: .*not within the memory of 1,073,741,824 bytes"),
    ("a.stl", "5:\tread\t0xffffffffffffffff\n", r"line 1: .*not within the memory"),
    ("a.stl", "5:\tread\t0x11112222333344445\n", r"line 1: .*up to 16 digits"),
    ("a.stl", "1234567890123456789:\tread\t0x0\n", r"line 1: .*not a whole number from 0 to 10\^18"),
    ("a.stl", "0:\tread\t0x40 7:\tread\t0x40\n", r"line 1: .*6 words"),
    ("a.stl", "0:\nread\t0x40\n", r"line 1: .*1 words"),
    ("a.stl", "", r"is empty"),
    ("a.stl", " \n\t\n", r"is empty"),
    ("a.stl", "# only a comment\n", r"has no requests; expected lines such as"),
    ("a.stl", b"\x1f\x8b\x08\x00\x00\x00", r"not a text file"),
    ("a.stl", b"\xff\xfe0\x00:\x00", r"not a text file"),
    ("a.stl", b"0:\tread\t\xe9\n", r"not a text file"),
    ("a.stl", "0:\tread\t0x40\n\x0b\n", None),
    ("a.trace", "0x40 R\n0x80 X\n", r"line 2: .*'X' is neither 'R' nor 'W'"),
    ("a.trace", "R 0,0,1,2,3\n", r"address vectors .* are not supported"),
    ("a.trace", "3 20734016 20734016\n", r"3 words instead of 2; traces with instruction counts need"),
    ("a.trace", "LD x40\n", r"line 1: .*address 'x40' is not"),
    ("a.csv", "time,op,address\n0,R,0\n", r"line 1: 'time,op,address': the first line must name the columns"),
    ("a.csv", "tick,op,address,core\n0,R,0,1\n", r"line 1: .*the first line must name the columns .*; remove 'core'"),
    ("a.csv", "tick,time_ns,op,address\n0,0,R,0\n", r"line 1: .*tick \(or time_ns\).*; remove 'time_ns'"),
    ("a.csv", "tick,op,address,op\n0,R,0,R\n", r"line 1: .*op and address, once each; expected"),
    ("a.csv", 'tick,op,address\n"1,R,0\n', r"line 2: .*not a line of CSV"),
    ("a.csv", 'tick,op,address\n"1"x,R,0\n', r"line 2: .*not a line of CSV"),
    ("a.csv", "0,R,0\n", r"the first line must name the columns tick \(or time_ns\), op and address"),
    ("a.csv", "tick,op,address\n", r"has no requests"),
    ("a.csv", "tick,op,address\n1,R,0\n\n2,R\n", r"line 4: '2,R': it has 2 fields instead of 3"),
    ("a.csv", "tick,op,address\n1,R,0,\n", r"line 2: .*4 fields"),
    ("a.csv", "tick,op,address\n1,,0\n", r"line 2: .*op '' is not"),
    ("a.csv", "tick,op,address\n1 R 0\n", r"line 2: .*1 fields"),
    ("a.csv", "tick,op,address\n1,refresh,0\n", r"line 2: .*op 'refresh' is not R, W, read or write"),
    ("a.csv", "tick,op,address\n1.5,R,0\n", r"line 2: .*tick '1.5' is not a whole number"),
    ("a.csv", "time_ns,op,address\nnan,R,0\n", r"line 2: .*time_ns 'nan' is not a time"),
    ("a.csv", "time_ns,op,address\n-1,R,0\n", r"line 2: .*time_ns '-1' is not a time"),
    ("a.csv", "time_ns,op,address\n1e300,R,0\n", r"line 2: .*is not a time"),
]


@pytest.mark.parametrize(("name", "text", "message"), BAD)
def test_first_bad_line_is_named(tmp_path: Path, name: str, text: str | bytes, message: str | None) -> None:
    path = write(tmp_path, name, text)
    if message is None:
        assert len(read_trace(path)) == 1
        return
    with pytest.raises(InputError, match=message) as caught:
        read_trace(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_long_bad_lines_are_shortened(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_trace(write(tmp_path, "a.stl", "0:\tread\t" + "z" * 100_000))
    assert len(str(caught.value)) < 400


def test_bad_line_is_found_in_a_later_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_CHUNK_BYTES", 64)
    lines = [f"{i}:\tread\t0x{64 * i:x}" for i in range(1000)]
    assert read_trace(write(tmp_path, "a.stl", "\n".join(lines))).addresses.tolist() == [64 * i for i in range(1000)]
    lines[700] = "oops"
    with pytest.raises(InputError, match="line 701: 'oops'"):
        read_trace(write(tmp_path, "a.stl", "\n".join(lines)))
    lines[700] = "5:\tread\t0x0"
    with pytest.raises(InputError, match=r"line 701: .*tick 5 is before tick 699"):
        read_trace(write(tmp_path, "a.stl", "\n".join(lines)))


def test_times_that_go_back_can_be_clamped_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, "a.stl", "5:\tread\t0\n\n4:\tread\t0\n9:\tread\t0\n0:\tread\t0\n")
    assert read_trace(path, clamp_times=True).arrival_ticks.tolist() == [5, 5, 9, 9]
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert f"{path}, line 3: tick 4 is before tick 5 of a request above, the first of 2 times" in record.getMessage()
    read_trace(write(tmp_path, "b.stl", "5:\tread\t0\n5:\tread\t0\n"), clamp_times=True)
    assert len(caplog.records) == 1


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No such file"):
        read_trace(tmp_path / "none.stl")
    with pytest.raises(InputError, match=r"cannot tell the format of .*known: \.stl"):
        read_trace(write(tmp_path, "a.bin", "0:\tread\t0\n"))
    with pytest.raises(InputError, match=r"\.csv \(csv\)\. Unpack it first\.$"):
        read_trace(write(tmp_path, "a.stl.gz", b"\x1f\x8b"))
    with pytest.raises(UnknownNameError, match="unknown trace format 'stll': did you mean 'stl'"):
        read_trace(write(tmp_path, "a.stl", "0:\tread\t0\n"), format="stll")
    with pytest.raises(InputError, match="Is a directory"):
        read_trace(tmp_path, format="stl")
    with pytest.raises(InputError, match=r"cannot write .*: a folder on the way is a file"):
        write_trace(generate("mixed", requests=2), tmp_path / "a.stl" / "b.stl")


@pytest.mark.parametrize("extension", ["stl", "csv"])
@pytest.mark.parametrize("name", ["bursts", "mixed"])
def test_round_trip(tmp_path: Path, extension: str, name: str) -> None:
    trace = generate(name, requests=2000)
    path = write_trace(trace, tmp_path / f"x.{extension}")
    assert read_trace(path) == trace
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing temporary is left


def test_ramulator_round_trip_refuses_to_lose_times(tmp_path: Path) -> None:
    trace = generate("mixed", requests=100)
    assert read_trace(write_trace(trace, tmp_path / "x.trace")) == trace
    with pytest.raises(InputError, match="hold no times"):
        write_trace(generate("pointer-chase", requests=100), tmp_path / "y.trace")
    assert not (tmp_path / "y.trace").exists()
    assert len(list(tmp_path.iterdir())) == 1


def test_another_clock_is_kept_by_csv_and_refused_by_stl(tmp_path: Path) -> None:
    trace = Trace("x", [0, 3, 1_000_003], [False, True, False], [0, 64, 128], clock_ns=1 / 1.2)
    assert read_trace(write_trace(trace, tmp_path / "x.csv"), clock_ns=1 / 1.2) == trace
    with pytest.raises(InputError, match="does not say its clock"):
        write_trace(trace, tmp_path / "x.stl")


REQUEST = st.tuples(st.integers(0, 10**17), st.booleans(), st.integers(0, (1 << 30) - 1))


@settings(max_examples=50, deadline=None)
@given(requests=st.lists(REQUEST, min_size=1, max_size=20), extension=st.sampled_from(["stl", "csv"]))
def test_any_trace_survives_a_round_trip(
    tmp_path_factory: pytest.TempPathFactory, requests: list[tuple[int, bool, int]], extension: str
) -> None:
    limit = LATEST_ARRIVAL + 1 if extension == "stl" else 10**9  # times in ns are doubles
    requests = sorted((tick % limit, is_write, address) for tick, is_write, address in requests)
    ticks, directions, addresses = zip(*requests, strict=True)
    trace = Trace("x", ticks, directions, addresses)
    assert read_trace(write_trace(trace, tmp_path_factory.mktemp("t") / f"x.{extension}")) == trace


LINE = st.one_of(
    st.sampled_from(
        [
            "0:\tread\t0x40",
            "3:\twrite\t0x80",
            "9 read 1f",
            "",
            "# c",
            "0x40 R",
            "LD 12",
            "1,R,0x0",
            "\r",
            "7: read 0x40\r",
            "8:\tREAD\t0X4",
            "0x40 w",
            "st 12",
            '"1","W","0x0"',
            "2,Read,7\r",
            '"2,R,0',
            "9 : read 1",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), max_size=12),
)


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(LINE, max_size=6), form=st.sampled_from(["stl", "ramulator", "csv"]), header=st.booleans())
def test_fast_and_slow_reading_agree(tmp_path_factory: pytest.TempPathFactory, lines: list[str], form: str, header: bool) -> None:
    text = "\n".join((["tick,op,address"] if header else []) + lines)
    path = write(tmp_path_factory.mktemp("t"), "x", text)
    outcomes: list[object] = []
    for fast in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not fast:
                for one in formats.FORMATS.values():
                    patch.setattr(one, "read_lines", lambda self, text: None)
            try:
                outcomes.append(read_trace(path, format=form).digest)
            except InputError as error:
                outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


def test_a_million_lines_take_seconds(tmp_path: Path) -> None:
    ticks = np.arange(1_000_000)
    text = "\n".join(f"{i}:\tread\t0x{i * 64 % (1 << 30):x}" for i in ticks.tolist())
    path = write(tmp_path, "a.stl", text)
    started = time.process_time()
    assert len(read_trace(path)) == 1_000_000
    assert time.process_time() - started < 10  # about 1 s on an idle core
