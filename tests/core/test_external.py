import math
import os
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from designgym.core import external
from designgym.core.errors import InputError, NotInstalledError
from designgym.core.external import ProgramError, ProgramTimeout, run_program

PYTHON = sys.executable


def script(code: str) -> list[str]:
    return [PYTHON, "-c", code]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def gone(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_a_program_reads_files_and_stdin_and_leaves_files() -> None:
    code = (
        "import os,sys; t=open('in/a.txt', encoding='utf-8').read()+sys.stdin.read(); open('out.txt','w', encoding='utf-8').write(t); "
        "print(os.getcwd()); print(os.environ['MINE'], file=sys.stderr)"
    )
    result = run_program(
        script(code), timeout_s=20, files={"in/a.txt": "über "}, collect=["out.txt"], environment={"MINE": "yes"}, stdin="ünder"
    )
    assert result.files["out.txt"] == "über ünder" and result.stderr.strip() == "yes" and result.wall_s > 0
    folder = result.stdout.strip()
    assert folder != os.getcwd() and not Path(folder).exists()  # a folder of its own, removed afterwards
    assert result.arguments[0] == PYTHON


def test_an_exit_code_comes_first_with_stderr() -> None:
    with pytest.raises(ProgramError) as caught:
        run_program(script("import sys; print('x'*5000); print('out of wafers', file=sys.stderr); sys.exit(3)"), timeout_s=20)
    text = str(caught.value)
    assert text.index("code 3") < text.index("out of wafers") < text.index("stdout") and len(text) < 1500


def test_a_missing_output_is_named() -> None:
    with pytest.raises(ProgramError, match=r"did not write 'result\.csv'"):
        run_program(script("pass"), timeout_s=20, collect=["result.csv"])


def test_a_program_that_is_killed_by_a_signal_is_an_error() -> None:
    with pytest.raises(ProgramError, match="code -9"):
        run_program(script("import os; os.kill(os.getpid(), 9)"), timeout_s=20)


def test_time_over_kills_children_and_grandchildren(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    grandchild = f"import os,time; open({str(pids)!r},'a').write(f'{{os.getpid()}} '); time.sleep(60)"
    child = f"import subprocess,sys,os; subprocess.Popen([sys.executable,'-c',{grandchild!r}]); print('begun', file=sys.stderr, flush=True)"
    code = f"import subprocess,sys,time; subprocess.Popen([sys.executable,'-c',{child!r}]).wait(); time.sleep(60)"
    started = time.monotonic()
    with pytest.raises(ProgramTimeout, match=r"longer than 2 s .*begun"):
        run_program(script(code), timeout_s=2)
    assert time.monotonic() - started < 15
    left = [int(pid) for pid in pids.read_text().split()]
    assert left and all(gone(pid) for pid in left)


def test_a_descendant_in_a_session_of_its_own_cannot_hold_us_up() -> None:
    code = (
        "import subprocess,sys,time; "
        "subprocess.Popen([sys.executable,'-c','import time; time.sleep(8)'], start_new_session=True); time.sleep(60)"
    )
    started = time.monotonic()
    with pytest.raises(ProgramTimeout):
        run_program(script(code), timeout_s=0.7)
    assert time.monotonic() - started < 6


def test_children_left_behind_are_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    code = (
        f"import subprocess,sys; p=subprocess.Popen([sys.executable,'-c','import time; time.sleep(60)'],"
        f"stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL,stdin=subprocess.DEVNULL); open({str(pids)!r},'w').write(str(p.pid))"
    )
    run_program(script(code), timeout_s=20)
    assert gone(int(pids.read_text()))


def left_behind(child: str, own_session: bool = False, then: str = "pass") -> list[str]:
    """A program that ends while a child of it holds its output open; it prints the child's process id."""
    return script(
        f"import subprocess,sys; p=subprocess.Popen([sys.executable,'-c',{child!r}],start_new_session={own_session}); "
        f"print(p.pid, flush=True); print('warned', file=sys.stderr); {then}"
    )


def test_a_program_is_over_when_it_ends_and_not_when_its_children_do() -> None:
    result = run_program(left_behind("import time; time.sleep(60)"), timeout_s=50)
    assert result.wall_s < 50 and result.stderr == "warned\n" and gone(int(result.stdout))


def test_the_exit_code_of_a_program_that_left_a_child_is_told() -> None:
    with pytest.raises(ProgramError, match=r"code 3; stderr: warned; stdout: \d+") as caught:
        run_program(left_behind("import time; time.sleep(60)", then="sys.exit(3)"), timeout_s=50)
    assert not isinstance(caught.value, ProgramTimeout)


def test_a_child_in_a_session_of_its_own_survives_and_costs_nothing() -> None:
    result = run_program(left_behind("import time; time.sleep(60)", own_session=True), timeout_s=50)
    pid = int(result.stdout)
    assert result.wall_s < 50 and result.stderr == "warned\n" and alive(pid)
    os.kill(pid, 9)


def test_a_child_in_a_session_of_its_own_that_goes_on_writing_costs_nothing() -> None:
    talk = "import time\nwhile True: print('spam', flush=True); time.sleep(0.001)"  # ends with its reader
    result = run_program(left_behind(talk, own_session=True, then="__import__('time').sleep(0.2)"), timeout_s=50)
    pid, *rest = result.stdout.split()
    assert result.stderr == "warned\n" and set(rest) <= {"spam"} and gone(int(pid))


def test_a_program_that_closes_its_output_is_still_waited_for_and_limited() -> None:
    close = "import os,time; os.close(1); os.close(2); "
    result = run_program(script(close + "time.sleep(0.3); open('late','w').write('yes')"), timeout_s=20, collect=["late"])
    assert result.files["late"] == "yes"
    with pytest.raises(ProgramTimeout, match=r"longer than 0\.5 s"):
        run_program(script(close + "time.sleep(60)"), timeout_s=0.5)


def test_large_input_and_output_pass_whole() -> None:
    code = "import sys; t=sys.stdin.read(); sys.stderr.write(t[::-1]); sys.stdout.write(t)"
    text = "ab" * 1_000_000
    result = run_program(script(code), timeout_s=50, stdin=text)
    assert result.stdout == text and result.stderr == text[::-1]
    assert run_program(script("print('never reads')"), timeout_s=20, stdin=text).stdout == "never reads\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_program_that_never_stops_writing_is_stopped(stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "OUTPUT_LIMIT_MIB", 2)
    with pytest.raises(ProgramError, match=f"more than 2 MiB, the limit, to {stream}; .*file named in `collect`; stderr: ") as caught:
        run_program(script(f"import sys\nwhile True: sys.{stream}.write('spam '*1000)"), timeout_s=50)
    assert not isinstance(caught.value, ProgramTimeout) and len(str(caught.value)) < 1000


def test_a_program_that_is_not_there_or_not_executable(tmp_path: Path) -> None:
    plain = tmp_path / "tool"
    plain.write_text("#!/bin/sh\n")
    for program in ("no-such-program-anywhere", str(plain), str(tmp_path / "absent")):
        with pytest.raises(NotInstalledError, match="cannot start"):
            run_program([program], timeout_s=5)


def test_a_relative_path_means_the_callers_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho here\n")
    tool.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert run_program(["./tool"], timeout_s=5).stdout == "here\n"


@pytest.mark.parametrize("limit", [math.nan, math.inf, -math.inf, -1, 0, 10**400, "5", None, True, 1j])
def test_a_time_limit_that_limits_nothing_is_refused(limit: Any) -> None:
    with pytest.raises(InputError, match=r"timeout_s must be a finite number of seconds > 0, got .*86400"):
        run_program(script("pass"), timeout_s=limit)


def test_a_time_limit_may_be_any_real_number() -> None:
    for limit in (np.float32(20), np.int64(20), Fraction(41, 2), 1e300):
        assert run_program(["echo", "hi"], timeout_s=cast(float, limit)).stdout == "hi\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("echo hi", r"must be a list .*, got 'echo hi'; write \['program'.*shlex"),
        (b"echo", r"must be a list .*, got b'echo'"),
        (7, r"must be a list .*, got 7"),
        ({"echo", "hi"}, r"must be a list"),
        ([], r"must start with the program to run, got \[\]; write \['program'"),
        ([""], r"must start with the program to run, got \[''\]"),
        (["echo", 3], r"arguments\[1\] must be a text or a path, got 3 of type int; write str"),
        (["echo", None], r"arguments\[1\] must be a text or a path, got None"),
        (["echo", b"x"], r"arguments\[1\] must be a text or a path, got b'x' of type bytes"),
        (["echo", "a\0b"], r"arguments\[1\] must not contain a NUL character.*got 'a\\x00b'; remove it"),
        (["echo", Path("a\0b")], r"arguments\[1\] must not contain a NUL character"),
        (["echo", "\ud800"], r"arguments\[1\] must be text that .* can write, got '\\ud800'; remove"),
        (["echo", "x" * 3_000_000], r"longer than the system allows \(3000\d+ characters.*by `files` or `stdin`"),
    ],
)
def test_arguments_that_no_program_can_get_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        run_program(arguments, timeout_s=5)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"environment": {"A": 1}}, r"environment\['A'\] must be a text or a path, got 1 of type int; write str"),
        ({"environment": {"A": "x\0"}}, r"environment\['A'\] must not contain a NUL"),
        ({"environment": {3: "x"}}, r"environment: a variable's name must be a text without '=', got 3"),
        ({"environment": {"A=B": "x"}}, r"environment: a variable's name .* got 'A=B'"),
        ({"environment": {"": "x"}}, r"environment: a variable's name .* got ''"),
        ({"environment": {"A\0": "x"}}, r"name in environment must not contain a NUL"),
        ({"environment": ["A=1"]}, r"environment must map names .* got \['A=1'\]; write"),
        ({"environment": ""}, r"environment must map names .* got ''"),
        ({"stdin": b"x"}, r"stdin must be a text, got b'x' of type bytes"),
        ({"stdin": "\ud800"}, r"stdin must be text that UTF-8 can write"),
        ({"files": {"a.txt": 3}}, r"text of file 'a\.txt' must be a text, got 3 of type int"),
        ({"files": ["a.txt"]}, r"files must map file names to texts, got \['a.txt'\]"),
        ({"collect": "out.txt"}, r"collect must be a list of file names, got 'out\.txt'; write"),
        ({"collect": [3]}, r"a file name must be a text or a path, got 3"),
        ({"files": {"a\0": ""}}, r"a file name must not contain a NUL"),
        *[({"files": {name: "x"}}, r"must stay inside") for name in ("../escape", "/etc/passwd", ".", "")],
        *[({"collect": [name]}, r"must stay inside") for name in ("../escape", "/etc/passwd", ".", "")],
    ],
)
def test_options_that_cannot_be_used_are_refused_before_the_program_runs(options: Any, message: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    with pytest.raises(InputError, match=message):
        run_program(["touch", mark], timeout_s=5, **options)
    assert not mark.exists()


def test_an_output_that_links_out_of_the_folder_is_refused() -> None:
    with pytest.raises(InputError, match="inside"):
        run_program(["ln", "-s", "/etc/passwd", "out.txt"], timeout_s=5, collect=["out.txt"])


def test_output_that_is_not_text_is_replaced() -> None:
    result = run_program(script("import sys; sys.stdout.buffer.write(bytes([255, 65]))"), timeout_s=20)
    assert result.stdout == "\ufffdA"
