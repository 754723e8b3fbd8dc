"""A wrong check, twin or claim is named at once, in one sentence: NAME must be RULE, got VALUE."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import strategies as st

from whp.claims import (
    Design,
    Path,
    Regime,
    Twin,
    always,
    bound,
    check_id,
    claim,
    decay,
    experiment,
    limit,
    mean,
    rate,
    reproduction,
    search,
    symbols,
)
from whp.errors import ClaimError, WhpError

d, n, alpha = symbols("d n alpha")
SIZES = (16, 32, 64)


def one_sentence(action, expected, error=ClaimError):
    """Run ``action`` and require exactly this message."""
    with pytest.raises(WhpError) as caught:
        action()
    assert type(caught.value) is error
    assert str(caught.value) == expected


@experiment(standard=Design(Path(d=SIZES, n=2 * d), {"alpha": [0.1, 0.2], "data": ["gaussian"]}))
def growth(p, rng, device):
    return {"top": 1.0, "bottom": 0.5}


@experiment(standard=Design(Path(d=(8,))))
def point(p, rng, device):
    return 1.0


def excess(a):
    return -1.0


def other_excess(a):
    return 1.0


GIVEN = {"a": st.floats(-1, 1)}
found = search(excess, given=GIVEN)
found_other = search(other_excess, given=GIVEN)
TWIN = {"exponent": Twin("too good by 1/4", bound=d**0.25)}


def a_rate(**fields):
    return rate(**{"experiment": growth, "statistic": "top", "quantity": "Y", "bound": d**0.5, **fields})


def a_claim(id="papers.thm_1", *checks, **fields):
    return claim(id, *(checks or (a_rate(twins=TWIN),)), **{"title": "T", "locus": "Theorem 1", **fields})


class TestCheck:
    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (
                lambda: a_rate(experiment=None),
                "rate check: experiment must be declared with @experiment, got None",
            ),
            (lambda: a_rate(quantity=""), "rate check: quantity must be a LaTeX formula, got ''"),
            (lambda: a_rate(bound=None), "rate check: bound must be given, got None"),
            (
                lambda: a_rate(bound=d**0.5 / symbols("m")),
                "bound must be made of known symbols (alpha, d, data, n), got ['m']",
            ),
            (lambda: a_rate(bound=d - 16), "bound must be positive along the path, got 0.0"),
            (lambda: a_rate(bound=[d]), "bound must be a number or an expression in symbols, got [d]"),
            (lambda: a_rate(direction="up"), "rate check: direction must be upper, lower or both, got 'up'"),
            (
                lambda: a_rate(name="x", tolerance=0),
                "rate check x: tolerance must be a number in (0, 1), got 0",
            ),
            (
                lambda: a_rate(tolerance=float("nan")),
                "rate check: tolerance must be a number in (0, 1), got nan",
            ),
            (lambda: a_rate(rounding=-1), "rate check: rounding must be in [0, 1), got -1"),
            (
                lambda: rate(experiment=point, quantity="Y", bound=d),
                "rate check: path in profile quick must be of at least three points, got 1",
            ),
            (
                lambda: decay(experiment=found, quantity="Y"),
                "decay check: path in profile quick must be of at least three points, got 0",
            ),
            (
                lambda: limit(experiment=growth, quantity="Y", remainder=1.5),
                "limit check: remainder must be a number in (0, 1), got 1.5",
            ),
            (
                lambda: limit(experiment=growth, quantity="Y", order=0),
                "limit check: order must be a positive number, got 0",
            ),
        ],
    )
    def test_exponents(self, make, message):
        one_sentence(make, message)

    @pytest.mark.parametrize("delta", [0, 1, -0.1, 2, "0.1", None, True, float("nan")])
    def test_delta(self, delta):
        one_sentence(
            lambda: bound(experiment=point, quantity="Y", bound=d, delta=delta),
            f"bound check: delta must be a number in (0, 1), got {delta!r}",
        )

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({}, "bound check: bound must be given unless tail_of, got None"),
            ({"bound": d, "tail_of": True}, "bound check: bound must be given unless tail_of, got d"),
            (
                {"bound": d, "delta": (0.1, 0.2)},
                "bound check: delta must be one level, or several with tail_of, got (0.1, 0.2)",
            ),
            (
                {"tail_of": True, "delta": ()},
                "bound check: delta must be one level, or several with tail_of, got ()",
            ),
            (
                {"tail_of": True, "delta": (0.1, 1.0)},
                "bound check: delta must be a number in (0, 1), got 1.0",
            ),
            ({"bound": n}, "bound must be made of known symbols (d), got ['n']"),
        ],
    )
    def test_bound(self, fields, message):
        one_sentence(lambda: bound(experiment=point, quantity="Y", **fields), message)

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({}, "mean check: target must be given, got None"),
            ({"target": n}, "target must be made of known symbols (d), got ['n']"),
            ({"target": 1, "tolerance": 0}, "mean check: tolerance must be a positive number, got 0"),
            ({"target": 1, "support": 1}, "mean check: support must be a finite pair low < high, got 1"),
            (
                {"target": 1, "support": (1, 0)},
                "mean check: support must be a finite pair low < high, got (1, 0)",
            ),
            (
                {"target": 1, "support": (0, float("inf"))},
                "mean check: support must be a finite pair low < high, got (0, inf)",
            ),
            (
                {"target": 1, "support": (0, 1), "deterministic": True},
                "mean check: support must be left out if deterministic, got (0, 1)",
            ),
        ],
    )
    def test_mean(self, fields, message):
        one_sentence(lambda: mean(experiment=point, quantity="Y", **fields), message)

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({}, "reproduction check: printed must be a number in (-inf, inf), got nan"),
            ({"printed": "1"}, "reproduction check: printed must be a number in (-inf, inf), got '1'"),
            ({"printed": 1.0}, "reproduction check: tolerance must be a positive number, got nan"),
            (
                {"printed": 1.0, "tolerance": 0.1, "at": {"n": 7}},
                "reproduction check: at must be measured in some profile at the printed sizes,"
                " got 'n = 32 where the paper has 7; n = 64 where the paper has 7;"
                " n = 128 where the paper has 7'",
            ),
            (
                {"printed": 1.0, "tolerance": 0.1, "at": {"N": 7}},
                "reproduction check: at must be measured in some profile at the printed sizes,"
                " got 'N = None where the paper has 7'",
            ),
            (
                {"printed": 1.0, "tolerance": 0.1, "slope_between": (20, 100)},
                "reproduction check: at must be measured in some profile at the printed sizes,"
                " got 'fewer than three points in the stated range'",
            ),
            (
                {"printed": 1.0, "tolerance": 0.1, "slope_between": (100, 20)},
                "reproduction check: slope_between must be a pair low < high, got (100, 20)",
            ),
        ],
    )
    def test_reproduction(self, fields, message):
        one_sentence(lambda: reproduction(experiment=growth, quantity="Y", **fields), message)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: always(experiment=found), "always check: statement must be a LaTeX formula, got None"),
            (
                lambda: always(experiment=found, statement="x", tolerance=1e-3),
                "always check: tolerance must be at most that of the search (1e-09), got 0.001",
            ),
            (lambda: search(excess, given={}), "given must be hypothesis strategies by name, got {}"),
            (
                lambda: search(excess, given={"a": 1}),
                "given must be hypothesis strategies by name, got {'a': 1}",
            ),
            (
                lambda: search(excess, given=GIVEN, examples=(10, 20)),
                "examples must be three positive integers (quick, standard, paper), got (10, 20)",
            ),
            (
                lambda: search(excess, given=GIVEN, tolerance=0.0),
                "search tolerance must be a number in (0, 1), got 0.0",
            ),
        ],
    )
    def test_always(self, make, message):
        one_sentence(make, message)

    def test_always_needs_a_search(self):
        with pytest.raises(
            ClaimError, match=r"^always check: experiment must be declared with search\(...\), got"
        ):
            always(experiment=point, statement="x")

    def test_unknown_statistic(self, simulate):
        check = a_rate(statistic="middle")
        cell = {"alpha": 0.1, "data": "gaussian"}
        one_sentence(
            lambda: check.decide(simulate.measured(growth, cell, 2, 0), None),
            "statistic must be one of bottom, top, got 'middle'",
        )


class TestTwin:
    def test_needs_words_and_a_change(self):
        one_sentence(lambda: Twin("", bound=d), "twin must be explained in words, got ''")
        one_sentence(
            lambda: Twin("the same"), "twin (the same) must be different from the claim in some field, got {}"
        )

    @pytest.mark.parametrize(
        ("twin", "got"),
        [
            (Twin("same", bound=d**0.5), "{'bound': d**0.5}"),
            (Twin("written otherwise", bound=sympy.sqrt(d)), "{'bound': sqrt(d)}"),
            (Twin("a factor of a rate is no change", bound=d**0.5 / 2), "{'bound': d**0.5/2}"),
            (Twin("so is a size in proportion", bound=n**0.5), "{'bound': n**0.5}"),
            (Twin("only what is shown", quantity="Z", name="z"), "{'quantity': 'Z', 'name': 'z'}"),
            (Twin("another type", tolerance=0.1), "{'tolerance': 0.1}"),
        ],
    )
    def test_must_differ_from_a_rate(self, twin, got):
        rule = "twin 't' must be different from the claim in what it decides, got " + got
        one_sentence(lambda: a_rate(twins={"t": twin}), rule)

    @pytest.mark.parametrize("changes", [{"bound": 2 * d / 2}, {"delta": 0.01}, {"slack_statistic": "s"}])
    def test_must_differ_from_a_bound(self, changes):
        rule = f"twin 't' must be different from the claim in what it decides, got {changes}"
        twins = {"t": Twin("the same", **changes)}
        one_sentence(lambda: bound(experiment=point, quantity="Y", bound=d, twins=twins), rule)

    def test_a_factor_is_a_change_of_a_bound(self):
        twins = {"t": Twin("half", bound=d / 2)}
        assert (
            bound(experiment=point, quantity="Y", bound=d, twins=twins).twin("t", twins["t"]).bound == d / 2
        )

    def test_must_differ_from_an_identity(self):
        twins = {"t": Twin("only the formula", statement="y")}
        rule = "twin 't' must be different from the claim in what it decides, got {'statement': 'y'}"
        one_sentence(lambda: always(experiment=found, statement="x", twins=twins), rule)

    @pytest.mark.parametrize("field", ["colour", "kind", "needs_path"])
    def test_unknown_field(self, field):
        with pytest.raises(ClaimError, match=rf"^twin 't' must be a change of .*bound.*, got \['{field}'\]$"):
            a_rate(twins={"t": Twin("wrong", **{field: 1})})

    def test_is_checked_like_the_claim(self):
        one_sentence(
            lambda: a_rate(twins={"t": Twin("wrong", bound=symbols("m"))}),
            "bound must be made of known symbols (alpha, d, data, n), got ['m']",
        )

    def test_is_named_after_the_check(self):
        made = a_claim("papers.thm_1", a_rate(twins=TWIN), decay(experiment=growth, quantity="Y", twins=LOSS))
        assert list(made.twin_checks()) == ["rate: exponent", "decay: exponent"]
        check, why = made.twin_checks()["rate: exponent"]
        assert (check.label, check.twins, why) == ("rate [exponent]", {}, "too good by 1/4")
        assert list(a_claim().twin_checks()) == ["exponent"]


LOSS = {"exponent": Twin("another statistic", statistic="bottom")}


class TestClaim:
    @pytest.mark.parametrize(
        "id", ["thm_1", "Papers.thm_1", "papers.thm.1", "papers.", ".x", "papers.1", "", "a b.c", None, 3]
    )
    def test_id(self, id):
        one_sentence(lambda: a_claim(id), f"id must be PAPER.NAME in lower case, got {id!r}")

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"title": ""}, "papers.thm_1: title must be a sentence, got ''"),
            ({"locus": ""}, "papers.thm_1: locus must be where the paper prints the statement, got ''"),
            (
                {"regime": "good"},
                "papers.thm_1: regime must be met, form or beyond, for every profile, got 'good'",
            ),
            (
                {"regime": {"quick": "met", "standard": "met"}},
                "papers.thm_1: regime must be met, form or beyond, for every profile,"
                " got {'quick': 'met', 'standard': 'met'}",
            ),
            (
                {"printed": False},
                "papers.thm_1: corrects must be given exactly when printed is False, got None",
            ),
            (
                {"corrects": "papers.thm_0"},
                "papers.thm_1: corrects must be given exactly when printed is False, got 'papers.thm_0'",
            ),
            (
                {"printed": False, "corrects": "papers.thm_1"},
                "papers.thm_1: corrects must be the id of another claim, got 'papers.thm_1'",
            ),
            (
                {"printed": False, "corrects": "Theorem 0"},
                "papers.thm_1: corrects must be the id of another claim, got 'Theorem 0'",
            ),
        ],
    )
    def test_fields(self, fields, message):
        one_sentence(lambda: a_claim(**fields), message)

    def test_checks(self):
        one_sentence(
            lambda: claim("papers.thm_1", title="T", locus="L"),
            "papers.thm_1: checks must be given at least one, got ()",
        )
        one_sentence(
            lambda: a_claim("papers.thm_1", growth.measure and "rate"),
            "papers.thm_1: checks must be made by rate, bound, always, ..., got 'rate'",
        )
        one_sentence(
            lambda: a_claim("papers.thm_1", a_rate()),
            "papers.thm_1: twins must be at least one false twin, which must not PASS, got 0",
        )
        one_sentence(
            lambda: a_claim("papers.thm_1", a_rate(twins=TWIN), a_rate(bound=d)),
            "papers.thm_1: names of the checks must be distinct, got ['rate', 'rate']",
        )

    def test_experiments_of_one_name(self):
        again = search(excess, given={"a": st.floats(0, 9)})
        twins = {"t": Twin("inputs that the statement does not admit", experiment=again)}
        one_sentence(
            lambda: a_claim("papers.thm_1", always(experiment=found, statement="x", twins=twins)),
            "papers.thm_1: experiment name must be used for one experiment,"
            " got 'claims.test_check_declarations.excess'",
        )

    def test_id_matches_its_file(self):
        made = a_claim("papers.thm_1_train")
        check_id(made, "papers", "thm_1")
        check_id(a_claim("papers.thm_1"), "papers", "thm_1")
        for folder, stem in (("papers", "thm_2"), ("other", "thm_1"), ("papers", "thm_1_t")):
            one_sentence(
                lambda folder=folder, stem=stem: check_id(made, folder, stem),
                f"id must be {folder}.{stem} or {folder}.{stem}_... to match its file,"
                " got 'papers.thm_1_train'",
            )

    def test_what_a_claim_knows(self):
        made = a_claim(regime={"quick": "beyond", "standard": "form", "paper": "met"})
        assert (made.paper, made.name, made.kind) == ("papers", "thm_1", "rate")
        assert made.regime("paper") is Regime.MET
        assert made.source.name == "test_check_declarations.py"
        assert made.documentation.startswith("A wrong check, twin or claim")
        assert [e.name for e in made.experiments()] == [growth.name]
        assert made.checks[0].formula == r"Y \lesssim \sqrt{d}"
        both = a_claim("papers.thm_1", a_rate(twins=TWIN), decay(experiment=growth, quantity="Y"))
        assert both.kind == "rate + decay"
