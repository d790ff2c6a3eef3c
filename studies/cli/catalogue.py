"""What commands there are, and where each is defined: all that ``designgym --help`` needs, without importing any of them."""

from __future__ import annotations

from dataclasses import dataclass

_RESULTS = "what was printed is complete; nothing else is kept"
_SEARCH = "with --store every finished evaluation is kept, and the same command goes on from there; without it nothing is"
_STUDY = "every finished evaluation is in the store; the same command goes on from there"


@dataclass(frozen=True)
class CommandEntry:
    """One command of the program.

    Attributes:
        module: Module whose ``register(app)`` adds the command to a Typer application.
        summary: One line for the list of commands.
        kept: What is kept when the command is interrupted, in words.
    """

    module: str
    summary: str
    kept: str = _RESULTS


_HERE = "designgym.studies.cli"

COMMANDS: dict[str, CommandEntry] = {
    "demo": CommandEntry(f"{_HERE}.demo_command", "Search a DRAM memory controller with four searchers, and write a report."),
    "envs": CommandEntry(f"{_HERE}.envs_command", "List the environments."),
    "describe": CommandEntry(f"{_HERE}.describe_command", "Explain one environment: parameters, rules, metrics, workloads, objectives."),
    "evaluate": CommandEntry(f"{_HERE}.evaluate_command", "Evaluate given designs."),
    "search": CommandEntry(f"{_HERE}.search_command", "Run one searcher on an environment.", _SEARCH),
    "run": CommandEntry(f"{_HERE}.run_command", "Run a study defined in Python, on Ray Tune; resumes by default.", _STUDY),
    "studies": CommandEntry(f"{_HERE}.studies_command", "List the studies of a store."),
    "show": CommandEntry(f"{_HERE}.show_command", "Show a study: its runs, progress and best designs."),
    "export": CommandEntry(f"{_HERE}.export_command", "Export a study's trials, with units."),
    "report": CommandEntry(f"{_HERE}.report_command", "Write a study's HTML report."),
    "dashboard": CommandEntry(
        f"{_HERE}.dashboard_command", "Show all studies of a store in the browser.", "pages written so far are complete"
    ),
    "serve-architecture": CommandEntry(
        f"{_HERE}.serve_architecture_command",
        "Offer an architecture of language models as an endpoint.",
        "answers kept with --calls are complete",
    ),
    "validate": CommandEntry(f"{_HERE}.validate_command", "Compare our simulators with reference outputs."),
    "hash": CommandEntry(f"{_HERE}.hash_command", "Print the equivalence keys of designs."),
    "equivalences": CommandEntry(f"{_HERE}.equivalences_command", "Find out by measuring what makes no difference, and suggest rules."),
    "data": CommandEntry(f"{_HERE}.data_command", "Bring in data of other projects.", "files imported so far are complete"),
}
