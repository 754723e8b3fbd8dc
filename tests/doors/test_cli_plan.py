"""``whp plan`` and the warnings of ``whp run``: what cannot PASS is said before time is spent."""

import json
import re

import pytest

HEAD = '''"""Few.

Setting   None.
Claim     Y <= C r.
Measured  Y.
"""

from whp.claims import Design, Path, Twin, claim, experiment, geometric, rate, symbols

d = symbols("d")
sizes = Path(d=geometric(10, 160, 5))
'''
# Two trials are too few for any interval, whatever the numbers.
FEW = """
@experiment(standard=Design(sizes, trials=(2, 2)), paper=Design(sizes, trials=(2, 30)))
def measured(p, rng, device):
    return p.d * rng.uniform(1.0, 1.1)

CLAIM = claim(
    "short.few",
    rate(experiment=measured, quantity="Y", bound=d, twins={"half": Twin("square root", bound=d**0.5)}),
    title="Y grows like d",
    locus="Theorem 1",
)
"""
DEAR = FEW.replace("few", "dear").replace("standard=", "failure_probability=5e-4, standard=")


@pytest.fixture
def short(inside, tmp_path):
    folder = tmp_path / "short"
    folder.mkdir()
    (folder / "few.py").write_text(HEAD + FEW)
    return folder


def test_plan_refuses_what_cannot_pass_and_plans_the_others(short, whp):
    said = whp("plan", short, "demo/good.py", "--no-probe")
    assert said.code == 2
    (line,) = said.err.splitlines()
    assert re.fullmatch(
        r"whp: short\.few: the most trials a point must be at least 4 to PASS at its share 0\.005 of the"
        r" false-PASS rate, got 2 in profile quick; --profile paper would do too",
        line,
    )
    assert re.search(r"short\.few .* no$", said.out, re.M)
    assert re.search(r"demo\.good .* yes$", said.out, re.M)
    assert whp("plan", short, "demo/good.py", "--no-probe", "--profile", "paper").code == 0


def test_a_plan_without_objections_exits_with_0(inside, whp):
    said = whp("plan", "demo/good.py", "--no-probe")
    assert (said.code, said.err) == (0, "")
    assert "needs about" in said.out  # at the spread of the trials that the workplace has made
    assert "standard deviations of one trial" not in said.out


def test_run_warns_in_the_same_words_and_goes_on(short, whp, tmp_path):
    refused = whp("plan", short, "--no-probe").err.removeprefix("whp: ").rstrip("\n")
    said = whp("run", short, "--out", tmp_path / "out", "--jobs", "1")
    assert said.code == 7
    assert said.err == f"whp: notice: {refused}; the run goes on, without a PASS for it\n"
    assert re.search(r"short\.few +INCONCLUSIVE", said.out)


def test_a_budget_that_certificates_use_up_is_refused_before_anything_is_measured(short, whp, tmp_path):
    (short / "dear.py").write_text(HEAD + DEAR)
    said = whp("run", short, "demo/good.py", "--out", tmp_path / "out", "--ledger", tmp_path / "none.sqlite")
    assert said.code == 2
    assert [line.split(":")[1].strip() for line in said.err.splitlines()] == ["short.dear", "notice"]
    assert "a smaller failure_probability of its experiment" in said.err
    assert said.out == ""
    assert not (tmp_path / "none.sqlite").exists()
    assert re.search(r"demo\.good .* yes$", whp("plan", short, "demo/good.py", "--no-probe").out, re.M)


def test_a_run_keeps_its_plan_and_shows_it_beside_what_it_made(inside, whp, tmp_path):
    whp("run", "demo/good.py", "--out", tmp_path / "out", "--jobs", "1", "--seed", "9")
    (plan,) = json.loads((tmp_path / "out" / "run.json").read_text())["planned"]
    assert (plan["id"], plan["trials_least"], plan["trials_most"]) == ("demo.good", 40, 200)
    assert "Planned and made" in (tmp_path / "out" / "report.html").read_text()
    said = whp("plan", "demo/good.py", "--after", tmp_path / "out")
    assert re.search(r"demo\.good +PASS +40 to 200 \(40 known\) +40 +8 +8 ", said.out)
    said = whp("plan", "demo/good.py", "--after", tmp_path / "nowhere")
    assert said.code == 2
    assert len(said.err.splitlines()) == 1


def test_report_leaves_out_what_an_earlier_run_left(inside, whp, tmp_path):
    whp("run", "demo/good.py", "--out", tmp_path, "--jobs", "1")
    whp("run", "demo/bad.py", "--out", tmp_path, "--jobs", "1")
    said = whp("report", tmp_path)
    assert "demo.good" not in said.out.replace("Left out, as an earlier run made them: demo.good", "")
    assert re.search(r"demo\.bad +FAIL", said.out)
    assert "demo.good" not in (tmp_path / "report.html").read_text()
