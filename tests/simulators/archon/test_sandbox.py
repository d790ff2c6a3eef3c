from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon import sandbox
from designgym.simulators.archon.sandbox import guards, run_python

GUARDS = asyncio.run(guards())
NATIVE = "import ctypes\nnative = ctypes.pythonapi\n"
"""A way around the interpreter's own refusals: functions of the C library, called without it."""


def run(code: str, timeout_s: float = 10.0, memory_mib: int = 512) -> str:
    return asyncio.run(run_python(code, timeout_s=timeout_s, memory_mib=memory_mib))


def needs(guard: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(guard not in GUARDS, reason=f"this kernel has no {guard} for the sandbox")


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("assert sum([1, 2]) == 3", ""),
        ("x = 1\nassert x == 2", "AssertionError (line 2: assert x == 2)"),
        ("def f(x):\n    return 1 / x\nf(0)", "ZeroDivisionError: division by zero (line 2: return 1 / x)"),
        ("def f(:\n    pass", "SyntaxError: invalid syntax (line 1: def f(:)"),
        ("x = '\0'", "null bytes"),
        ("assert False, 'ä€\\n\\ud800'", "AssertionError: ä€ ?"),
        ("input()", "EOFError"),
        ("import numpy", "ModuleNotFoundError: No module named 'numpy'"),
        ("def f(): f()\nf()", "RecursionError"),
    ],
)
def test_a_program_ends_well_or_says_why_not(code: str, wrong: str) -> None:
    found = run(code)
    assert (found == "") == (wrong == "")
    assert wrong in found


def test_the_standard_library_is_there_and_the_folder_may_be_used() -> None:
    assert (
        run("import asyncio, dataclasses, decimal, fractions, heapq, json, random, re, statistics, zoneinfo\nasyncio.run(asyncio.sleep(0))")
        == ""
    )
    assert run("import tempfile\nopen('a', 'w').write('1')\nassert open('a').read() == '1'\ntempfile.TemporaryFile()") == ""


@pytest.mark.parametrize("code", ["import os; os._exit(0)", "import sys; sys.exit()", "raise SystemExit(0)"])
def test_what_ends_before_its_tests_has_not_passed_them(code: str) -> None:
    found = run(f"{code}\nassert False")
    assert found.startswith("ended early")


@pytest.mark.parametrize("text", ["", "f" * 10_000])
def test_success_cannot_be_claimed_by_writing_to_every_open_file(text: str) -> None:
    code = f"import os\nfor fd in range(64):\n    try:\n        os.write(fd, b'{text}\\n')\n    except OSError:\n        pass\nos._exit(0)"
    assert run(code) == "ended early with exit code 0"


def test_examples_for_the_main_program_do_not_run() -> None:
    assert run("if __name__ == '__main__':\n    raise SystemExit(1)") == ""


def test_an_endless_loop_ends_with_its_time() -> None:
    started = time.perf_counter()
    assert run("while True:\n    pass", timeout_s=0.3) == "no end within 0.3 s"
    assert run("import time\ntime.sleep(1000)", timeout_s=0.3) == "no end within 0.3 s"
    assert run("try:\n    while True: pass\nexcept BaseException: pass\nfinally:\n    while True: pass", timeout_s=0.3).startswith("no end")
    assert time.perf_counter() - started < 30


@pytest.mark.parametrize("code", ["x = []\nwhile True: x.append('a' * 10**7)", "bytearray(10**11)", "x = {i: i for i in range(10**9)}"])
def test_memory_is_limited(code: str) -> None:
    assert run(code, memory_mib=128) == "out of memory"


def test_output_is_thrown_away() -> None:
    assert run("for _ in range(100):\n    print('a' * 10**6)") == ""
    assert "AssertionError" in run("assert False, 'x' * 10**7")
    assert len(run("assert False, 'x' * 10**7")) < 1000


def test_files_are_small() -> None:
    assert "File too large" in run("with open('a', 'wb') as f:\n    for _ in range(100): f.write(b'0' * 10**6)")


def test_secrets_of_the_environment_are_not_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = uuid.uuid4().hex
    monkeypatch.setenv("DESIGNGYM_PLANTED", secret)
    assert run(f"import os\nassert not any('{secret[:8]}' in value for value in os.environ.values())\nassert len(os.environ) < 10") == ""
    assert run("import os\nos.environ['DESIGNGYM_PLANTED']").startswith("KeyError")


def refused(snippets: list[str], message: str = "") -> str:
    """Return a program that ends well only if the sandbox refuses each of some snippets."""
    return f"""
for snippet in {snippets!r}:
    try:
        exec(snippet)
    except PermissionError as error:
        assert {message!r} in str(error), snippet
    else:
        raise ValueError(f"allowed: {{snippet}}")
"""


@needs("landlock")
def test_secrets_of_other_processes_and_files_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("planted")
    paths = [f"/proc/{os.getpid()}/environ", "/proc/self/environ", "/etc/passwd", str(tmp_path / "secret"), __file__]
    assert run(refused([f"open({path!r}).read()" for path in paths] + ["import os\nos.listdir('/')"])) == ""
    assert run(NATIVE + "".join(f"assert native.open({path.encode()!r}, 0) < 0\n" for path in paths)) == ""


def test_files_outside_of_the_folder_cannot_be_changed(tmp_path: Path) -> None:
    target = tmp_path / "kept"
    target.write_text("as it was")
    changes = [
        f"open({str(target)!r}, 'w')",
        f"open({str(tmp_path / 'new')!r}, 'x')",
        f"import os\nos.remove({str(target)!r})",
        f"import os\nos.rename({str(target)!r}, 'here')",
        f"import os\nos.mkdir({str(tmp_path / 'new')!r})",
        f"import os\nos.chmod({str(target)!r}, 0)",
        f"import os\nos.symlink({str(target)!r}, 'link')\nopen('link', 'w')",
    ]
    assert run(refused(changes)) == ""
    assert target.read_text() == "as it was" and os.listdir(tmp_path) == ["kept"] and target.stat().st_mode & 0o777 != 0


@needs("landlock")
def test_files_outside_of_the_folder_cannot_be_changed_past_the_interpreter(tmp_path: Path) -> None:
    target = tmp_path / "kept"
    target.write_text("as it was")
    path = str(target).encode()
    calls = (f"open({path!r}, 1)", f"open({path + b'2'!r}, 0o101, 0o644)", f"unlink({path!r})", f"truncate({path!r}, 0)")
    assert run(NATIVE + "".join(f"assert native.{call} < 0\n" for call in calls)) == ""
    assert target.read_text() == "as it was" and os.listdir(tmp_path) == ["kept"]


def test_sockets_and_other_programs_are_refused() -> None:
    snippets = [
        "import socket\nsocket.socket()",
        "import socket\nsocket.create_connection(('127.0.0.1', 80))",
        "import socket\nsocket.getaddrinfo('localhost', 80)",
        "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect('/run/x')",
        "import subprocess\nsubprocess.run(['true'])",
        "import os\nos.system('true')",
        "import os\nos.fork()",
        "import os, signal\nos.kill(1, signal.SIGKILL)",
        "import ctypes\nctypes.CDLL('libc.so.6')",
    ]
    assert run(refused(snippets, "the sandbox has no")) == ""


@needs("namespaces")
def test_there_is_no_network_past_the_interpreter() -> None:
    async def visited() -> tuple[str, int]:
        visits = 0

        async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal visits
            visits += 1
            writer.close()

        server = await asyncio.start_server(visit, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        address = f"bytes([2, 0, {port >> 8}, {port & 255}, 127, 0, 0, 1]) + bytes(8)"
        async with server:
            found = await run_python(f"{NATIVE}fd = native.socket(2, 1, 0)\nassert fd >= 0\nassert native.connect(fd, {address}, 16) < 0")
            await asyncio.sleep(0.05)
        return found, visits

    assert asyncio.run(visited()) == ("", 0)


def alive(mark: str) -> int:
    """Return how many processes of this machine have a mark in their memory of names: children that outlived their program."""
    found = 0
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                found += (process / "comm").read_text().strip() == mark
            except OSError:
                continue
    return found


@needs("namespaces")
def test_no_child_survives_its_program() -> None:
    mark = uuid.uuid4().hex[:12]
    child = f"{NATIVE}import time\nnative.prctl(15, b'{mark}')\nif native.fork() == 0:\n    native.setsid()\n    time.sleep(100)\n"
    assert run(child) == ""
    assert run(child + "while True: pass", timeout_s=0.3) == "no end within 0.3 s"
    time.sleep(0.1)
    assert alive(mark) == 0


@needs("namespaces")
def test_a_bomb_of_processes_ends_with_its_time() -> None:
    mark = uuid.uuid4().hex[:12]
    bomb = f"{NATIVE}import time\nnative.prctl(15, b'{mark}')\nfor _ in range(6): native.fork()\nwhile True: time.sleep(0.01)"
    assert run(bomb, timeout_s=0.5) == "no end within 0.5 s"
    time.sleep(0.2)
    assert alive(mark) == 0


def test_strings_hash_alike_in_all_runs() -> None:
    value = "print(hash('designgym'))"
    code = "assert hash('designgym') == {}"
    known = subprocess.run([sys.executable, "-c", value], env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=True).stdout
    assert run(code.format(known.strip())) == ""


def test_many_run_side_by_side_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    async def several() -> list[str]:
        return await asyncio.gather(*(run_python(f"assert {i} % 3", timeout_s=30) for i in range(6)))

    assert [found == "" for found in asyncio.run(several())] == [bool(i % 3) for i in range(6)]
    assert os.listdir(tmp_path) == []


def test_a_program_whose_caller_gives_up_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    async def given_up() -> None:
        task = asyncio.create_task(run_python("while True: pass", timeout_s=60))
        await asyncio.sleep(0.5)
        assert len(os.listdir(tmp_path)) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(given_up())
    assert os.listdir(tmp_path) == []


def test_without_namespaces_the_rest_still_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_prefix", lambda: ())
    assert "namespaces" not in asyncio.run(guards())
    assert run("assert 1") == ""
    assert run("while True: pass", timeout_s=0.3) == "no end within 0.3 s"
    assert run("import os; os._exit(3)") == "ended early with exit code 3"
    assert "the sandbox has no" in run("import socket; socket.socket()")


def test_lower_limits_of_the_user_stay() -> None:
    program = (
        "import asyncio, resource, sys\nfrom designgym.simulators.archon.sandbox import run_python\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))\n"
        "write = \"assert open('a', 'wb', 0).write(bytes({0})) == {0}\"\n"
        "print([asyncio.run(run_python(write.format(size))) for size in (10**6, 10**6 + 1)])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.startswith("['', \"AssertionError")


@given(st.text(max_size=40))
@settings(max_examples=4, deadline=None)
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(run(text, timeout_s=5), str)


@pytest.mark.parametrize(("timeout_s", "memory_mib"), [(0, 512), (float("nan"), 512), (True, 512), (1e9, 512), (1, 1), (1, 2.5)])
def test_arguments_that_cannot_be(timeout_s: float, memory_mib: int) -> None:
    with pytest.raises(InputError, match="expected"):
        run("x = 1", timeout_s, memory_mib)
    with pytest.raises(InputError, match="expected a program"):
        asyncio.run(run_python(3))  # type: ignore[arg-type]
