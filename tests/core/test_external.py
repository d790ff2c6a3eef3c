import os
import sys
import time
from pathlib import Path

import pytest

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


def test_misuse_is_refused() -> None:
    with pytest.raises(InputError):
        run_program([], timeout_s=1)
    with pytest.raises(InputError):
        run_program(script("pass"), timeout_s=0)
    for name in ("../escape", "/etc/passwd"):
        with pytest.raises(InputError, match="inside"):
            run_program(script("pass"), timeout_s=5, files={name: "x"})
        with pytest.raises(InputError, match="inside"):
            run_program(script("pass"), timeout_s=5, collect=[name])


def test_output_that_is_not_text_is_replaced() -> None:
    result = run_program(script("import sys; sys.stdout.buffer.write(bytes([255, 65]))"), timeout_s=20)
    assert result.stdout == "\ufffdA"
