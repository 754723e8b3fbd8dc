"""The command that measures what the program costs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from whp.errors import UsageError, WhpError, require
from whp.options import DEVICE, Device, Exit, complain, most_telling

OUT = Path("reports/benchmarks")


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(bench)


def bench(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Works, or globs over them; all of them if left out."),
    ] = [],  # noqa: B006 - typer reads the default, nobody changes it
    peer: Annotated[
        str | None,
        typer.Option(
            metavar="PYTHON",
            help="Python of an environment with neural-tangents (make peer); without it that is left out.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads of each side.  [default: number of cores]", show_default=False),
    ] = None,
    rounds: Annotated[int, typer.Option(help="How often each side is timed, in turn.")] = 5,
    device: Device = DEVICE,
    small: Annotated[bool, typer.Option("--small", help="Tiny sizes: only to see that it works.")] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="Name the works, and what is wanted of them.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for one JSON file a work.  [default: reports/benchmarks, its gpu/ on a GPU,"
            " reports/run-benchmarks with --small]",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Measure what whp costs: beside neural-tangents, plain torch, and the limits of the machine.

    Leave the machine alone meanwhile. Exits with 1 if a wanted ratio is missed
    (a number of seconds is recorded, and fails nothing), with 7 if none is but
    something was not measured.
    """
    from whp.benchmarks import thread_limits
    from whp.engine.environment import available_cores, named_route

    most = max(64, 4 * available_cores())  # with very many the libraries crash
    require(threads is None or threads >= 1, "--threads", "at least 1", threads, UsageError)
    require(threads is None or threads <= most, "--threads", f"at most {most}", threads, UsageError)
    require(rounds >= 1, "--rounds", "at least 1", rounds, UsageError)
    threads = threads or available_cores()
    with ExitStack() as stack:
        stack.enter_context(thread_limits(threads))  # before numpy's BLAS is imported, which reads it then
        from whp.benchmarks.harness import Context
        from whp.benchmarks.peers import Peer
        from whp.benchmarks.run import fails, measure, select, shortfalls, unmeasured, write
        from whp.console import make_console, print_table, say
        from whp.devices import resolve_device
        from whp.report.writer import check_writable

        named_route()
        console = make_console()
        if list_:  # whatever devices there are here
            rows = [
                (
                    work.name,
                    ", ".join(work.devices),
                    work.title,
                    "; ".join(f"{name} {rule}" for name, rule in work.wanted.items()),
                )
                for work in select(names, None)
            ]
            print_table(console, ("work", "device", "what", "wanted"), rows, wrap=("what", "wanted"))
            return Exit.PASS
        where = str(resolve_device(device))
        works = select(names, where)
        if out is None:
            usual = OUT / "gpu" if where.startswith("cuda") else OUT
            out = Path("reports/run-benchmarks") if small else usual
        other = None if peer is None else stack.enter_context(Peer(peer, threads))
        check_writable(out)  # which makes the folder, so not before what may be refused
        how = Context(threads, rounds, other, small, where)
        codes = [Exit.PASS]
        for work in works:
            try:
                record = measure(work, how, str(context.obj))
            except WhpError as error:  # the other works are measured all the same
                complain(f"{work.name}: {error}")
                codes.append(Exit.INCONCLUSIVE)
                continue
            except KeyboardInterrupt:
                complain(f"interrupted in {work.name}; the works before it are in {out}")
                return Exit.INTERRUPTED
            file = write(out, record)
            found = ", ".join(f"{name} {figure:.4g}" for name, figure in record["figures"].items())
            say(console, f"{work.name}: {found or 'nothing measured'} ({file})")
            if small:  # which says nothing of speed
                continue
            for sentence in [*shortfalls(record), *unmeasured(record)]:
                complain(sentence)
            codes.append(Exit.FAIL if fails(record) else Exit.PASS)
            codes.append(Exit.INCONCLUSIVE if unmeasured(record) else Exit.PASS)
        return most_telling(codes)
