"""The frame around the commands: help, plugins, errors and exit codes."""

import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from designgym import __version__
from designgym.core.errors import DesignGymError, InputError, StoreError
from designgym.studies.cli import errors
from designgym.studies.cli.app import app
from designgym.studies.cli.catalogue import COMMANDS

Run = Callable[..., Result]

PROGRAM = Path(sys.executable).parent / "designgym"
HEAVY = ("torch", "ray", "botorch", "numba", "numpy", "pandas", "gymnasium", "sqlalchemy", "plotly", "optuna")
GOOD = '{"ways": 4, "line_bytes": 64, "policy": "lru", "prefetcher": "none"}'


def program(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def test_help_lists_all_commands_without_importing_any() -> None:
    code = (
        "import sys\nfrom designgym.studies.cli import main\nsys.argv = ['designgym', '--help']\n"
        f"try: main()\nfinally: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr.strip()) == (0, "[]")
    for name in COMMANDS:
        assert re.search(rf"\b{name}\b", result.stdout), name


def test_help_is_quick() -> None:
    program("--help")
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        program("--help")
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 2.0  # 0.2 s on an idle core; room for a busy machine


def test_the_package_runs_as_the_program_does() -> None:
    for arguments in (["--version"], ["nonsense"]):
        as_module = subprocess.run([sys.executable, "-m", "designgym", *arguments], capture_output=True, text=True, timeout=120)
        own = program(*arguments)
        assert (as_module.returncode, as_module.stdout, as_module.stderr) == (own.returncode, own.stdout, own.stderr)


def test_version_and_no_command() -> None:
    assert program("--version").stdout.strip() == f"designgym {__version__}"
    nothing = program()
    assert nothing.returncode == 0 and "Usage: designgym" in nothing.stdout and nothing.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evalaute"], "No such command 'evalaute'. Did you mean 'evaluate'"),
        (["qqq"], "No such command 'qqq'."),
        (["data", "imprt"], "Did you mean 'import'?"),
        (["evaluate", "--desgins", "x"], "--designs"),
        (["--nope"], "No such option: --nope"),
        (["describe"], "Missing argument"),
        (["evaluate", "toy/Cache-v0"], "Missing option '--designs'"),
        (["evaluate", "toy/Cache-v0", "--designs", "x", "--seed", "one"], "Invalid value for '--seed'"),
        (["evaluate", "toy/Cache-v0", "--designs", "x", "--seed=-1"], "got '-1'"),
        (["envs", "extra"], "unexpected extra argument"),
        (["data"], "Missing command"),
    ],
)
def test_misuse_is_two_lines_and_exit_code_2(run: Run, arguments: list[Any], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and result.stdout == ""
    assert message in result.stderr and "--help" in result.stderr
    assert len(result.stderr.splitlines()) == 2


@pytest.mark.parametrize("position", ["before", "after"])
def test_debug_shows_the_traceback_wherever_it_stands(run: Run, position: str) -> None:
    arguments = {"before": ["--debug", "describe", "toy/Nothing-v0"], "after": ["describe", "toy/Nothing-v0", "--debug"]}[position]
    result = run(*arguments)
    assert result.exit_code == 2 and "Traceback" in result.stderr and "UnknownNameError" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: unknown environment 'toy/Nothing-v0'")


@pytest.mark.parametrize(
    ("error", "code", "first"),
    [
        (InputError("bad thing"), 2, "error: bad thing"),
        (StoreError("store is newer"), 1, "error: store is newer"),
        (DesignGymError("one\ntwo\nthree\nfour"), 1, "error: one"),
        (KeyError("x"), 1, "internal error: KeyError: 'x'"),
        (RuntimeError("long " * 500), 1, "internal error: RuntimeError: long long"),
        (OSError(28, "No space left on device", "/data/x"), 1, "error: /data/x: No space left on device"),
        (MemoryError(), 1, "error: out of memory"),
        (KeyboardInterrupt(), 130, "interrupted: what was printed is complete"),
    ],
)
def test_how_errors_end(run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, first: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("designgym.studies.cli.describe_command.find_environment", fail)
    result = run("describe", "toy/Cache-v0")
    assert result.exit_code == code
    assert result.stderr.startswith(first) and len(result.stderr.splitlines()) <= 3
    assert ("--debug" in result.stderr) == first.startswith("internal")


PLUGINS: dict[str, tuple[str, int | None, str]] = {
    "syntax.py": ("import os\ndef broken(:\n", 2, "syntax error"),
    "raises.py": ("x = 1\n\ndef f():\n    return {}['key']\n\nf()\n", 4, "KeyError: 'key'"),
    "imports.py": ("\nimport no_such_module_at_all\n", 2, "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
    "bad_space.py": ("import designgym as dg\n\n\nspace = dg.DesignSpace(a=dg.Integer(3, 1))\n", 4, "`low <= high`"),
    "taken.py": ("import designgym as dg\nfrom designgym.core import registry\ndg.register('toy/Cache-v0', "
                 "registry.spec('toy/Cache-v0').make_simulator, workloads={'a': 1}, "
                 "objective=dg.minimize('latency_ns'))\n", 3, "is registered already"),
    "exits.py": ("import sys\nsys.exit(3)\n", None, "exit(3)"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLUGINS)
def test_a_broken_plugin_is_one_clear_line(run: Run, tmp_path: Path, name: str) -> None:
    text, line, message = PLUGINS[name]
    path = tmp_path / name
    path.write_text(text)
    result = run("describe", "toy/Cache-v0", "--plugin", path)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
    assert message in result.stderr and str(path) in result.stderr
    assert line is None or f"line {line}" in result.stderr
    assert "Traceback" in run("describe", "toy/Cache-v0", "--plugin", path, "--debug").stderr


@pytest.mark.parametrize("path", ["/no/such/plugin.py", "."])
def test_a_missing_plugin(run: Run, path: str) -> None:
    result = run("describe", "toy/Cache-v0", "--plugin", path)
    assert result.exit_code == 2 and repr(path) in result.stderr and "check the path" in result.stderr


def test_a_plugins_own_failure_names_its_file_and_line(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    path.write_text(
        textwrap.dedent("""
            import designgym as dg
            class Library:
                def names(self): return ["a"]
                def get(self, name): raise LookupError("the disk is away")
            @dg.simulator(space=dg.DesignSpace(a=dg.Integer(1, 2)), metrics=["b"], version="1")
            def f(design, workload, *, seed): return {"b": 1}
            dg.register("late/Late-v0", f, workloads=Library(), objective=dg.minimize("b"))
        """)
    )
    result = run("evaluate", "late/Late-v0", "--designs", "-", "--plugin", path, stdin='{"a": 1}')
    assert result.exit_code == 1
    assert result.stderr.strip() == f"error: {path}, line 5: LookupError: the disk is away"


def test_several_plugins_before_and_after_the_command(run: Run, tmp_path: Path, plugin: Path) -> None:
    other = tmp_path / "second.py"
    other.write_text("import designgym as dg\ndg.register_searcher('second', 'x:Y')\n")
    assert run("describe", "toy/Cache-v0", "--plugin", other, "--plugin", plugin).exit_code == 0
    from designgym.core import registry

    assert "second" in registry.searchers()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_the_shared_options(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert f"Example: designgym {name}" in text or (name == "data" and "Example: designgym data import" in text)
    assert "--plugin" in text and "--debug" in text


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, plugin: Path) -> None:
    designs = tmp_path / "many.jsonl"
    designs.write_text(f"{GOOD}\n" * 5000)
    command = f"'{PROGRAM}' --plugin '{plugin}' evaluate toy/Cache-v0 --designs '{designs}' --jsonl | head -n 1"
    codes = "; echo ${PIPESTATUS[0]}"
    result = subprocess.run(["bash", "-c", command + codes], capture_output=True, text=True, timeout=120)
    assert result.stdout.count("\n") == 2 and result.stdout.endswith("\n0\n") and result.stderr == ""
    small = subprocess.run(["bash", "-c", f"'{PROGRAM}' --version | true{codes}"], capture_output=True, text=True, timeout=120)
    assert (small.stdout, small.stderr) == ("0\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said(plugin: Path) -> None:
    with open("/dev/full", "w") as full:
        command = [str(PROGRAM), "--plugin", str(plugin), "describe", "toy/Cache-v0", "--json"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert result.returncode == 1 and result.stderr.strip().endswith("No space left on device")
    assert len(result.stderr.splitlines()) == 1


def test_an_interrupt_says_what_is_kept_and_exits_with_130(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    # a background job of a shell is started with SIGINT ignored, and so are its children
    interrupt = "signal.signal(signal.SIGINT, signal.default_int_handler)\nos.kill(os.getpid(), signal.SIGINT)"
    slow.write_text(f"import os, signal, time\n{interrupt}\ntime.sleep(30)\n")
    result = program("describe", "toy/Cache-v0", "--plugin", slow)
    assert result.returncode == 130
    assert result.stderr.startswith("interrupted: ") and len(result.stderr.splitlines()) == 1


def test_the_program_as_users_run_it(plugin: Path, tmp_path: Path) -> None:
    designs = tmp_path / "designs.json"
    designs.write_text(GOOD)
    done = program("--plugin", plugin, "evaluate", "toy/Cache-v0", "--designs", designs, "--jsonl")
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    bad = program("evaluate", "toy/Cache-v0", "--designs", designs)
    assert bad.returncode == 2 and bad.stdout == "" and "unknown environment" in bad.stderr and "--plugin" in bad.stderr
    assert len(bad.stderr.splitlines()) == 1


def test_long_messages_are_joined_into_three_lines() -> None:
    assert errors.describe(DesignGymError("a\nb\nc\nd\n")) == ["error: a", "b", "c d"]
