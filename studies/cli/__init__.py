"""The command line: `main` is the entry point of the ``designgym`` program."""

from __future__ import annotations


def main() -> None:
    """Run the ``designgym`` command and exit with its code."""
    from designgym.studies.cli.app import app

    app()
