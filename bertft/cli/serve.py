"""The verbs that put runs into use: serve, for programs and people; try, the page in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from bertft.cli import completion
from bertft.cli.options import (
    Device,
    DeviceOption,
    OfflineOption,
    Precision,
    PrecisionOption,
    open_console,
)
from bertft.cli.verb import USE, verb
from bertft.collector import importing

serve_app = typer.Typer()

LIMITS = "Limits"
RunsArgument = typer.Argument(
    metavar="[RUN]...",
    show_default=False,
    help="Runs, recipes (their newest run), models with a masked-LM head, or NAME=one of these; "
    "the newest run if left out.",
    autocompletion=completion.recipes_or_runs,
)
PortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")
]
CorrectionsOption = Annotated[
    str,
    typer.Option("--corrections", metavar="DIR", help="Where corrections of the page are kept."),
]


def _limit(help: str, *, least: float = 1) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(min=least, help=help, rich_help_panel=LIMITS)
    return found


@verb(
    serve_app,
    panel=USE,
    examples=("serve demo", "serve topics=runs/a names=runs/b --port 9000"),
)
def serve(
    runs: Annotated[list[str] | None, RunsArgument] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address; others than this machine's need a key.")
    ] = "127.0.0.1",
    port: PortOption = 8000,
    key_file: Annotated[
        str,
        typer.Option("--key-file", metavar="FILE", help="The key of clients; or BERTFT_KEY."),
    ] = "",
    no_key: Annotated[
        bool, typer.Option("--no-key", help="Answer anyone who reaches the port.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the model; torch's own if left out.")
    ] = None,
    corrections: CorrectionsOption = "corrections",
    access_log: Annotated[
        bool, typer.Option(help="A line of JSON for each request, without its texts.")
    ] = True,
    body_bytes: Annotated[int, _limit("Largest body.")] = 2_000_000,
    file_bytes: Annotated[int, _limit("Largest file given to the page.")] = 20_000_000,
    texts: Annotated[int, _limit("Texts in a request.")] = 32,
    batch_texts: Annotated[int, _limit("Texts in a request of a batch route.")] = 1024,
    queue: Annotated[int, _limit("Requests that wait; more are answered by 429.")] = 512,
    batch_tokens: Annotated[int, _limit("Tokens that are read in one turn.")] = 4096,
    deadline: Annotated[float, _limit("Seconds to an answer.", least=0.1)] = 30,
    header_seconds: Annotated[float, _limit("Seconds for headers.", least=0.1)] = 10,
    body_seconds: Annotated[float, _limit("Seconds for a body.", least=0.1)] = 20,
    write_seconds: Annotated[float, _limit("Seconds to read an answer.", least=0.1)] = 20,
    json_depth: Annotated[int, _limit("Deepest nesting of JSON.")] = 16,
    connections: Annotated[int, _limit("Open connections.")] = 1024,
    drain_seconds: Annotated[float, _limit("Seconds to finish after SIGTERM.")] = 35,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.AUTO,
    offline: OfflineOption = False,
) -> None:
    """Answer over HTTP, and on a page: Hugging Face, TEI and KServe clients."""
    console = open_console(offline=offline)
    from bertft.commands.serve import ServeRequest, check_extra

    check_extra()
    with importing():
        from bertft.commands.serve import serve as run_server
        from bertft.console.serving import AccessLog, no_log

    request = ServeRequest(
        runs=tuple(runs or ()),
        host=host,
        port=port,
        key_file=key_file,
        no_key=no_key,
        threads=threads,
        corrections=corrections,
        limits={
            "body_bytes": body_bytes,
            "file_bytes": file_bytes,
            "texts": texts,
            "batch_texts": batch_texts,
            "queue": queue,
            "batch_tokens": batch_tokens,
            "deadline": deadline,
            "header_seconds": header_seconds,
            "body_seconds": body_seconds,
            "write_seconds": write_seconds,
            "json_depth": json_depth,
            "connections": connections,
            "drain_seconds": drain_seconds,
        },
        device=device.value,
        precision=precision.value,
    )
    log = AccessLog() if access_log else no_log
    run_server(request, watch=console, log=log, ready=lambda address: console.note(_ready(address)))
    console.note("stopped")


@verb(serve_app, name="try", panel=USE, examples=("try demo", "try sentiment --port 9000"))
def try_(
    run: Annotated[list[str] | None, RunsArgument] = None,
    port: PortOption = 0,
    corrections: CorrectionsOption = "corrections",
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.AUTO,
    offline: OfflineOption = False,
) -> None:
    """Open a page in the browser on which to try a run; Ctrl+C ends it."""
    console = open_console(offline=offline)
    from bertft.commands.serve import ServeRequest, check_extra

    check_extra()
    with importing():
        from bertft.commands.serve import serve as run_server
        from bertft.console.serving import no_log

    request = ServeRequest(
        runs=tuple(run or ()),
        port=port,
        no_key=True,
        corrections=corrections,
        device=device.value,
        precision=precision.value,
    )

    def show(address: str) -> None:
        import webbrowser

        opened = webbrowser.open(address)
        console.note(_ready(address) + ("" if opened else "; open it in a browser"))

    run_server(request, watch=console, log=no_log, ready=show)
    console.note("stopped")


def _ready(address: str) -> str:
    return f"ready: {address} (page), {address}/docs (paths); Ctrl+C stops it"
