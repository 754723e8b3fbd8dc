"""A folder with one claim of each verdict, run once; all tests of the doors share its ledger."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from whp.cli import main

HEAD = '''"""{doc}

Setting   None.
Claim     Y <= C r.
Measured  Y.
"""

from whp.claims import Design, Path, Twin, bound, claim, experiment, geometric, rate, symbols

d = symbols("d")
sizes = Path(d=geometric(10, 160, 5))

'''

# Slopes of the uniform ones have sd 0.007, and PASS or FAIL is 0.1 or more away: any other verdict has a
# probability below 1e-12, whatever the seed.
CLAIMS = {
    "good": """
@experiment(standard=Design(sizes, trials=(8, 40)))
def measured(p, rng, device):
    return p.d * rng.uniform(1.0, 1.1)

CLAIM = claim(
    "demo.good",
    rate(experiment=measured, quantity="Y", bound=d, twins={"half": Twin("square root", bound=d**0.5)}),
    title="Y grows like d",
    locus="Theorem 1",
)
""",
    "bad": """
@experiment(standard=Design(sizes, trials=(8, 40)))
def measured(p, rng, device):
    return p.d * rng.uniform(1.0, 1.1)

CLAIM = claim(
    "demo.bad",
    rate(experiment=measured, quantity="Y", bound=d**0.5, twins={"quarter": Twin("d^(1/4)", bound=d**0.25)}),
    title="Y grows like the square root of d",
    locus="Theorem 2",
)
""",
    # Nine decades of noise and eight trials: undecided whatever the seed.
    "open": """
@experiment(standard=Design(sizes, trials=(8, 8)))
def measured(p, rng, device):
    return 10.0 ** rng.uniform(-9.0, 9.0)

CLAIM = claim(
    "demo.open",
    rate(experiment=measured, quantity="Y", bound=d, twins={"half": Twin("square root", bound=d**0.5)}),
    title="Y is mostly noise",
    locus="Theorem 3",
)
""",
    "nan": """
@experiment(standard=Design(sizes, trials=(8, 8)))
def measured(p, rng, device):
    return float("nan")

CLAIM = claim(
    "demo.nan",
    rate(experiment=measured, quantity="Y", bound=d, twins={"half": Twin("square root", bound=d**0.5)}),
    title="Y is not a number",
    locus="Theorem 4",
)
""",
    # The twin is so mild that it passes too: a check that shows nothing.
    "blunt": """
@experiment(standard=Design(sizes, trials=(8, 40)))
def measured(p, rng, device):
    return p.d * rng.uniform(1.0, 1.1)

CLAIM = claim(
    "demo.blunt",
    rate(experiment=measured, quantity="Y", bound=d**2, twins={"mild": Twin("d^(3/2)", bound=d**1.5)}),
    title="Y is at most d squared",
    locus="Theorem 5",
)
""",
}


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def whp(capsys):
    """Run the command line in this process: ``whp("run", "demo/")``."""

    def call(*words):
        capsys.readouterr()
        code = main(list(map(str, words)))
        return Said(code, *capsys.readouterr())

    return call


def write_claims(folder: Path, names=CLAIMS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text(HEAD.format(doc=name) + CLAIMS[name])
    return folder


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """A folder in which ``whp run demo/`` has been typed: what it says, and what it left."""
    folder = tmp_path_factory.mktemp("workplace")
    write_claims(folder / "demo")
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    here = os.getcwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(shlex.split("run demo/ --jobs 1"))
    finally:
        os.chdir(here)
    return folder, Said(code, out.getvalue(), err.getvalue())


@pytest.fixture
def inside(workplace, monkeypatch):
    """Be in that folder."""
    monkeypatch.chdir(workplace[0])
    return workplace[0]
