"""Verbs that serve the page and print the JSON Schemas."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from ecg_rhythm import config, extras
from ecg_rhythm import schema as json_schemas
from ecg_rhythm.cli.console import USE, app, out
from ecg_rhythm.errors import BadInput
from ecg_rhythm.machine import MOST_PROCESSES

EVERY = ("0.0.0.0", "::", "")
"""What `--host` is to listen on all addresses."""


@app.command(short_help="Serve a page and an HTTP interface that classify.", rich_help_panel=USE)
def serve(
    model: Annotated[
        list[Path] | None,
        typer.Option(help="As in `classify`."),
    ] = None,
    coverage: Annotated[float | None, typer.Option(min=0, max=1, help="As in `classify`.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; the default only serves this machine.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Name or address by which others reach this server, as in http://NAME; repeat it for several. "
            "Requests by other names are refused.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=MOST_PROCESSES, help="Requests handled at once, and as many jobs.")
    ] = 2,
    timeout: Annotated[
        int, typer.Option(min=1, help="Most seconds for one request. Recordings sent by the page are jobs: 4 hours.")
    ] = 120,
) -> None:
    """Serve a web page that classifies ECGs, and an HTTP interface. For research; not a medical device."""
    with extras.needed("web", "serve"):
        from ecg_rhythm.web.app import create_app
        from ecg_rhythm.web.server import Server, listening
        from ecg_rhythm.web.service import Limits
    limits, names = Limits(workers=workers, seconds=timeout), list(map(_host_in, allow_host or []))
    server = Server(create_app(model, coverage, limits, [host, *names]), limits)
    with listening(host, port) as (at, address):
        out.print(f"{address} (Ctrl-C ends it)", highlight=False, soft_wrap=True)
        if host in EVERY and not names:
            out.print(
                "Requests from other machines are refused until you start with --allow-host and the name or address by "
                f"which they reach this one, as in --allow-host {socket.gethostname()}",
                highlight=False,
                soft_wrap=True,
            )
        server.run(sockets=[at])


def _host_in(name: str) -> str:
    """The host in a name as people give it, such as NAME:8000 or http://NAME."""
    try:
        host = urlsplit(name if "//" in name else f"//{name}").hostname
    except ValueError:
        host = None
    if not host:
        raise BadInput(f"--allow-host {name!r}: give a name or an address by which this server is reached")
    return host


@app.command(short_help="Print the JSON Schema of a model or job file.", rich_help_panel=USE)
def schema(
    kind: Annotated[str, typer.Argument(help="model or job.")] = "model",
) -> None:
    """Print the JSON Schema of model or job files; editors use it to complete and check them."""
    if kind == "job":
        printed = json_schemas.json_schema(config.JobFile)
    elif kind == "model":
        from ecg_rhythm.networks.registry import json_schema

        printed = json_schema()
    else:
        raise BadInput(f"{kind}: choose model or job")
    typer.echo(json.dumps(printed, indent=2))
