"""``whp list``, ``show``, ``check``, ``--help``, ``--version``, and where colour and progress are shown."""

import io
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

import whp as package
from whp import console
from whp.cli import EPILOG
from whp.engine.events import ClaimDecided, Progress, RunStarted
from whp.options import Exit

ROOT = Path(__file__).parents[2]


def test_list_names_every_claim_of_a_folder(inside, whp):
    said = whp("list", "demo/")
    assert said.code == 0
    for name in ("good", "bad", "open", "nan", "blunt"):
        assert f"demo.{name}" in said.out
    assert "Y grows like the square root of d" in said.out


def test_list_shows_the_shipped_catalogue_with_its_paper(whp):
    said = whp("list", "hu2020.prop_3_4*")
    assert "Early-Time Learning Dynamics" in said.out
    assert "hu2020.prop_3_4_frobenius" in said.out
    assert "hu2020.fig_5" not in said.out


def test_show_tells_everything_declared(inside, whp):
    said = whp("show", "demo/bad.py")
    assert said.code == 0
    for text in (
        "demo.bad: Y grows like the square root of d",
        "Theorem 2",
        r"Y \lesssim \sqrt{d}",
        "regime     form",
        "quick: d = 10..160 (5 points); 1 cell, 8 to 40 trials a point",
        "quarter",
        "d^(1/4)",
        "file       demo/bad.py",
        "Setting   None.",
    ):
        assert text in said.out


def test_check_counts_what_is_well_formed(tmp_path, whp):
    (tmp_path / "mypaper").mkdir()
    shutil.copy(ROOT / "validation" / "_template.py", tmp_path / "mypaper" / "thm_1.py")
    said = whp("check", tmp_path / "mypaper")
    assert (said.code, said.err) == (0, "")
    assert said.out == "well formed: 1 claim in 1 file; broken: 0 files\n"


def test_check_asks_for_two_twins(inside, whp):
    said = whp("check", "demo")
    assert said.code == 2
    assert said.out == "well formed: 0 claims in 0 files; broken: 5 files\n"
    assert "good.py: demo.good: twins must be at least two false versions, got 1" in said.err


BROKEN = {
    "does not import": ("import nothing_of_the_kind\n", 1, "No module named 'nothing_of_the_kind'"),
    "two points": (
        "from whp.claims import *\n"
        "d = symbols('d')\n"
        "@experiment(standard=Design(Path(d=(10, 20))))\n"
        "def y(p, rng, device): return 1.0\n"
        "C = claim('broken.it', rate(experiment=y, quantity='Y', bound=d), title='T', locus='1')\n",
        5,
        "of at least three points, got 2",
    ),
    "no twin": (
        "from whp.claims import *\n"
        "d = symbols('d')\n"
        "@experiment(standard=Design(Path(d=(10, 20, 40))))\n"
        "def y(p, rng, device): return 1.0\n"
        "C = claim('broken.it', rate(experiment=y, quantity='Y', bound=d), title='T', locus='1')\n",
        5,
        "at least one false twin",
    ),
    "empty": ("", None, "must declare a claim"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_check_names_file_and_line_of_a_broken_one(tmp_path, whp, case):
    text, line, message = BROKEN[case]
    file = tmp_path / "broken" / "it.py"
    file.parent.mkdir()
    file.write_text(text)
    said = whp("check", file.parent)
    assert said.code == 2
    assert said.err.startswith(f"whp: {file}" + (f", line {line}: " if line else ": "))
    assert message in said.err
    assert len(said.err.splitlines()) == 1
    assert "broken: 1 file" in said.out


def test_check_takes_the_key_of_a_shipped_paper(tmp_path, whp, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "claims in" in whp("check", "hu2020").out


def test_help_documents_every_exit_code(whp):
    said = whp("--help")
    assert said.code == 0
    text = " ".join(said.out.split())
    assert " ".join(EPILOG.split()) in text
    assert all(f"{int(code)} " in EPILOG and code.meaning in EPILOG for code in Exit)
    assert whp().out == said.out  # nothing typed: the help


@pytest.mark.parametrize("command", ["list", "show", "check", "run", "plan", "report"])
def test_every_command_has_help(whp, command):
    said = whp(command, "--help")
    assert said.code == 0
    assert said.out.startswith("Usage: whp ")


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["run", "--help"]])
def test_what_needs_no_claim_imports_nothing_slow(words):
    code = (
        f"import sys; from whp.cli import main; main({words!r});"
        " print(sorted({'torch', 'numpy', 'sympy', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_claims_that_do_without_torch_are_listed_without_it(inside):
    code = "import sys; from whp.cli import main; main(['list', 'demo/']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_version(whp):
    assert whp("--version").out == f"whp {package.__version__}\n"


@pytest.mark.parametrize(
    ("terminal", "variables", "plain"),
    [
        (True, {}, False),
        (False, {}, True),
        (True, {"CI": "true"}, True),
        (True, {"NO_COLOR": "1"}, True),
        (True, {"NO_COLOR": "", "CI": ""}, False),
    ],
)
def test_when_output_is_plain(monkeypatch, terminal, variables, plain):
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: terminal, write=None, flush=None))
    assert console.is_plain() is plain


def events(verdict):
    return [
        RunStarted(claims=1, cells=1, trials_known=0, seed=3),
        Progress(trials_done=4, trials_planned=16, seconds_done=1.0, seconds_planned=4.0, time_left=42.0),
        ClaimDecided(verdict, finished=1, claims=1),
    ]


@pytest.fixture
def verdict(inside, monkeypatch):
    """A stand-in: what is shown of a verdict comes from its record."""
    record = {
        "id": "demo.good",
        "verdict": "PASS",
        "estimate": 0.1,
        "interval": {"low": 0.0, "high": 0.2},
        "trials": 40,
        "seconds": 2.0,
    }
    monkeypatch.setattr(console, "verdict_record", lambda verdict: record)
    return object()


def watch(monkeypatch, verdict, plain):
    monkeypatch.setattr(console, "is_plain", lambda: plain)
    screen = io.StringIO()
    with console.watching(Console(file=screen, force_terminal=not plain, width=100)) as tell:
        for event in events(verdict):
            tell(event)
    return screen.getvalue()


def test_a_terminal_sees_progress_with_the_time_left(monkeypatch, verdict):
    shown = watch(monkeypatch, verdict, plain=False)
    assert "\x1b[" in shown
    assert "4 of 16 trials, about 42 s left" in shown
    assert "demo.good" in shown


def test_a_log_sees_one_line_a_claim(monkeypatch, verdict):
    shown = watch(monkeypatch, verdict, plain=True)
    assert shown == ("1 claim in 1 cell, seed 3\n[1/1] PASS demo.good: 0.1 [0, 0.2], 40 trials, 2 s\n")


def test_brackets_in_a_sentence_are_no_markup():
    screen = io.StringIO()
    console.say(Console(file=screen), "in [bold] or [0, 1]")
    assert screen.getvalue() == "in [bold] or [0, 1]\n"


def test_a_narrow_terminal_loses_no_column():
    screen = io.StringIO()
    head, row = ("claim", "verdict", "trials"), ("paper.a_rather_long_name", "INCONCLUSIVE", "12345")
    console.print_table(Console(file=screen, width=40), head, [row], wrap=("claim",))
    shown = screen.getvalue()
    assert "INCONCLUSIVE" in shown
    assert "12345" in shown
    assert "paper.a_rather_long_name" not in shown  # folded ...
    assert all(part in shown for part in ("paper.a_rather", "name"))  # ... and all there
    assert max(map(len, shown.splitlines())) <= 40
