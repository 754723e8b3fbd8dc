"""The plugin, in pytest runs of their own; they share the ledger of the demo claims."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest


def run_pytest(folder, *words):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def session(workplace):
    folder = workplace[0]
    (folder / "pytest.ini").write_text("[pytest]\n")
    return run_pytest(folder, "--whp", "demo", "-v", "--junitxml", "junit.xml"), folder


def test_one_item_a_claim_with_its_outcome(session):
    (code, out), _ = session
    assert code == 1
    outcomes = dict(re.findall(r"::(demo\.\w+) (\w+) ", out))
    assert outcomes == {
        "demo.good": "PASSED",
        "demo.bad": "FAILED",
        "demo.open": "INCONCLUSIVE",
        "demo.nan": "INCONCLUSIVE",
        "demo.blunt": "INCONCLUSIVE",  # its false twin has passed
    }
    assert re.search(r"1 failed, 1 passed, 3 inconclusive", out)


def test_reports_are_readable(session):
    (_, out), folder = session
    assert "demo.bad (Theorem 2): Y grows like the square root of d" in out
    assert "FAIL: growth exponent of Y/r" in out
    assert f"reproduce: whp run {folder / 'demo' / 'bad.py'} --profile quick --seed 0" in out
    assert "trials a point would decide" in out
    assert "its false twin 'mild' has passed" in out
    assert "Traceback" not in out


def test_junit_counts_inconclusive_as_failure(session):
    _, folder = session
    suite = ElementTree.parse(folder / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("5", "4")
    said = {case.get("name"): case.find("properties/property").get("value") for case in suite}
    assert said["demo.open"] == "INCONCLUSIVE"
    assert said["demo.good"] == "PASS"


def test_only_inconclusive_is_no_success(session):
    code, out = run_pytest(session[1], "--whp", "demo/open.py")
    assert code == 1
    assert "1 inconclusive" in out
    code, _ = run_pytest(session[1], "--whp", "demo/good.py")
    assert code == 0


def test_a_broken_file_is_a_collection_error_with_its_line(tmp_path):
    (tmp_path / "torn.py").write_text("\nx = = 1\n")
    code, out = run_pytest(tmp_path, "--whp", "torn.py")
    assert code == 2
    assert "torn.py, line 2: SyntaxError" in out
    assert "Traceback" not in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--whp", "nowhere"], "--whp must be an existing claim file or folder"),
        (
            ["--whp", ".", "--whp-profile", "fast"],
            "--whp-profile must be quick, standard or paper, got 'fast'",
        ),
        (["--whp", ".", "--whp-seed", "-1"], "--whp-seed must be a non-negative integer, got -1"),
    ],
)
def test_wrong_options_are_usage_errors(tmp_path, words, sentence):
    code, out = run_pytest(tmp_path, *words)
    assert code == 4
    assert sentence in out
    assert "Traceback" not in out


def test_an_unknown_route_of_products_is_a_usage_error(tmp_path, monkeypatch):
    monkeypatch.setenv("WHP_PRODUCT", "bogus")
    code, out = run_pytest(tmp_path, "--whp", ".")
    assert code == 4
    assert "WHP_PRODUCT must be one of torch, onednn, numpy, got 'bogus'" in out


def test_the_ini_option_adds_claims_to_the_tests(session, tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_own.py").write_text("def test_own(): pass\n")
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\ntestpaths = tests\nwhp_claims = {session[1] / 'demo' / 'good.py'}\n"
    )
    _, out = run_pytest(tmp_path, "--collect-only", "-q")
    assert "test_own.py::test_own" in out
    assert "::demo.good" in out
    _, out = run_pytest(tmp_path, "--collect-only", "-q", "tests")  # only what was asked for
    assert "demo.good" not in out


def test_unused_it_costs_nothing(tmp_path):
    (tmp_path / "conftest.py").write_text(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    print('slow:', sorted({'torch', 'sympy', 'whp.claims', 'whp.engine'} & set(sys.modules)))\n"
    )
    (tmp_path / "test_own.py").write_text("def test_own(): pass\n")
    code, out = run_pytest(tmp_path, "-s", "-p", "no:hypothesispytest")
    assert code == 0
    assert "slow: []" in out
