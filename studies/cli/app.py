"""The application: commands loaded when used, options that every command has, and how each ends.

A command module has a function ``register(app)`` that adds its command to a Typer application; `designgym.studies.cli.catalogue` says which
module has which command. Commands import what they need inside their functions, raise the errors of `designgym.core.errors`, and
return None or their exit code. They declare neither ``--plugin`` nor ``--debug``: those are added here, before and after the name.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import io
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from designgym.studies.cli.catalogue import COMMANDS, CommandEntry
from designgym.studies.cli.errors import DONE, INTERRUPTED, Interrupted, discard_output, exit_code_of, flush_output, report_error

SHARED_PANEL = "Options of every command"


@dataclass
class Invocation:
    """What was asked for on one command line, wherever the options stood."""

    debug: bool = False
    plugins: list[Path] = field(default_factory=list)


_invocation: ContextVar[Invocation] = ContextVar("invocation")


def _note_debug(value: bool) -> None:
    _invocation.get().debug |= value


def _note_plugins(value: list[Path] | None) -> None:
    _invocation.get().plugins += value or []


def _shared_options(
    plugin: Annotated[
        list[Path] | None,
        typer.Option(
            "--plugin", metavar="FILE.py", callback=_note_plugins, expose_value=False, rich_help_panel=SHARED_PANEL,
            help="Python file that registers your own environments, simulators and searchers first; may be repeated.",
        ),
    ] = None,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", callback=_note_debug, expose_value=False, rich_help_panel=SHARED_PANEL, help="Show the traceback of an error."
        ),
    ] = False,
) -> None:  # fmt: skip
    """Declare the options; only their declarations are used."""


class Application(TyperGroup):
    """The ``designgym`` program: a group whose commands are imported when they are used."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.params += _shared_parameters()
        _hide_types_of_flags(self.params)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, importing its module; None if there is none of that name."""
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            self.commands[cmd_name] = _load(cmd_name, COMMANDS[cmd_name])
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is named; for an unknown name close ones are suggested, without importing them."""
        if args and args[0] not in COMMANDS and (close := difflib.get_close_matches(args[0], COMMANDS)):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {' or '.join(map(repr, close))}?")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help from the catalogue alone."""
        real = self.commands
        self.commands = {name: TyperCommand(name=name, help=entry.summary) for name, entry in COMMANDS.items()}
        try:
            super().format_help(ctx, formatter)
        finally:
            self.commands = real

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> Any:  # type: ignore[override]
        """Run the program and exit: 0 done, 1 the work failed, 2 bad input, 130 interrupted."""
        invocation = Invocation()
        token = _invocation.set(invocation)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character ends no work
        extra["standalone_mode"] = False
        try:
            # Typer names the program in its hints: always as users call it, whatever file started it
            result = super().main(args=args, prog_name="designgym", **extra)
            code = result if isinstance(result, int) else 0
            if code == INTERRUPTED:
                report_error(Interrupted("nothing was started"), debug=False)
        except SystemExit as ended:
            if not isinstance(ended.__context__, BrokenPipeError):
                raise
            discard_output()  # the reader of the output has read enough (`| head`): Typer ends with 1, but that is no failure
            code = DONE
        except Exception as error:
            report_error(error, debug=invocation.debug, arguments=sys.argv[1:] if args is None else args)
            code = exit_code_of(error)
        finally:
            _invocation.reset(token)
        sys.exit(code or flush_output())


app = typer.Typer(cls=Application, name="designgym", rich_markup_mode="markdown", pretty_exceptions_enable=False)


def _print_version(value: bool) -> None:
    if value:
        import designgym

        print(f"designgym {designgym.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog="Example: designgym demo", context_settings={"help_option_names": ["-h", "--help"]})
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Search the design spaces of hardware and inference systems without evaluating the same behaviour twice."""
    if context.invoked_subcommand is None:
        print(context.get_help().rstrip())


def _load(name: str, entry: CommandEntry) -> Any:
    """Import a command's module and return its command, with the shared options and endings added."""
    holder = typer.Typer(rich_markup_mode="markdown")
    holder.callback()(lambda: None)  # keeps it a group, however many commands the module adds
    importlib.import_module(entry.module).register(holder)
    command = typer.main.get_command(holder).commands[name]  # type: ignore[attr-defined]
    _prepare(command, entry)
    return command


def _prepare(command: Any, entry: CommandEntry) -> None:
    command.params += _shared_parameters()
    _hide_types_of_flags(command.params)
    for inner in getattr(command, "commands", {}).values():
        _prepare(inner, entry)
    if not hasattr(command, "commands") and command.callback is not None:
        command.callback = _guarded(command.callback, entry)


def _hide_types_of_flags(parameters: Sequence[Any]) -> None:
    """Keep ``<bool>`` out of the help: a flag takes no value."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""


def _shared_parameters() -> list[Any]:
    holder = typer.Typer(add_completion=False)
    holder.command()(_shared_options)
    return [parameter for parameter in typer.main.get_command(holder).params if parameter.name in ("plugin", "debug")]


def _guarded(callback: Callable[..., Any], entry: CommandEntry) -> Callable[..., Any]:
    """Return a command's function that loads the plugins first and, when interrupted, says what is kept."""

    @functools.wraps(callback)
    def run(*args: Any, **kwargs: Any) -> Any:
        from designgym.studies.cli.tables import users_code
        from designgym.studies.plugins import load_plugins

        try:
            with users_code():
                load_plugins(_invocation.get().plugins)
            return callback(*args, **kwargs)
        except KeyboardInterrupt:
            raise Interrupted(entry.kept) from None

    return run
