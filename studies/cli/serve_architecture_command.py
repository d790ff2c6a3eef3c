"""``designgym serve-architecture``: an architecture of language models as an endpoint itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE.json", help="The architecture, as a search wrote it, or a configuration of Archon.")
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Endpoint that its models are at, with /v1; $DESIGNGYM_ENDPOINT unless given."),
]
KeyOption = Annotated[str | None, typer.Option("--key-variable", metavar="NAME", help="Environment variable with that endpoint's API key.")]
HostOption = Annotated[
    str, typer.Option("--host", metavar="ADDRESS", help="Address to listen at; others than this machine's need $DESIGNGYM_TOKEN.")
]
PortOption = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port to listen at; 0 takes any that is free.")]
NameOption = Annotated[
    str | None, typer.Option("--name", metavar="MODEL", help="Name of the model that it shows; the architecture's own unless given.")
]
PricesOption = Annotated[Path | None, typer.Option("--prices", metavar="FILE", help="Price table (JSON or CSV), to say what answers cost.")]
CallsOption = Annotated[
    Path | None,
    typer.Option("--calls", metavar="FILE.db", help="Keep answers of its models here and reuse them; nothing is kept unless given."),
]
AtOnceOption = Annotated[int, typer.Option("--concurrency", metavar="N", min=1, help="Conversations that are answered at once at most.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Longest that an answer may take.")]
AnyOrderOption = Annotated[
    bool,
    typer.Option("--any-order", help="Run it also if it breaks rules of composition that running does not need, as some of Archon's do."),
]


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command(
        "serve-architecture",
        epilog="Example: designgym serve-architecture results/architecture.json --url http://localhost:8000/v1 --port 8001",
    )(serve_architecture)


def serve_architecture(
    file: FileArgument, url: UrlOption = None, key_variable: KeyOption = None, host: HostOption = "127.0.0.1", port: PortOption = 8001,
    name: NameOption = None, prices: PricesOption = None, calls: CallsOption = None, concurrency: AtOnceOption = 32,
    timeout: TimeoutOption = 300.0, any_order: AnyOrderOption = False,
) -> None:  # fmt: skip
    """Offer an architecture as an OpenAI-compatible endpoint.

    Any client that speaks chat completions can use it: each conversation is answered by all components together. What the client says of
    temperature and the like is not used: that is the architecture's. Ctrl-C ends it.
    """
    import os

    from designgym.core.errors import InputError
    from designgym.simulators.archon.answering import answerer
    from designgym.simulators.archon.architecture import Architecture
    from designgym.simulators.archon.call_store import CallStore
    from designgym.simulators.archon.endpoint import OpenAIEndpoint
    from designgym.simulators.archon.live import VARIABLE
    from designgym.simulators.archon.prices import PriceTable
    from designgym.simulators.archon.served import application, serve

    architecture = Architecture.read(file)
    if (broken := architecture.violations()) and not any_order:
        runs = "" if architecture.violations(runnable=True) else "; --any-order runs it all the same"
        raise InputError(f"{file}: the architecture is illegal: {'; '.join(broken)}{runs}")
    place = url or os.environ.get(VARIABLE)
    if not place:
        raise InputError(f"where are its models? Give --url, or set {VARIABLE}, to the base of an OpenAI-compatible endpoint, with /v1")
    table = PriceTable.read(prices) if prices is not None else PriceTable.published(default_free=True)
    for model in architecture.models:
        table.price(model)
    backend = OpenAIEndpoint(place, key_variable=key_variable)
    answer = answerer(architecture, backend, prices=table, store=None if calls is None else CallStore(calls))
    shown = name or architecture.name or file.stem
    app = application(answer, name=shown, timeout_s=timeout, concurrency=concurrency)
    print(f"{shown}: {architecture.calls} calls of {', '.join(architecture.models)} an answer at most")
    print(f"serving at http://{host}:{port}/v1 (Ctrl-C ends it)", flush=True)
    serve(app, host, port)
