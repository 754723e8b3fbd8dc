"""A claim that cannot PASS is refused, with the number of trials that would do: with that number it can."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import strategies as st

from whp.claims import (
    Budget,
    Design,
    Outcome,
    Path,
    Referee,
    Twin,
    always,
    bound,
    claim,
    decay,
    experiment,
    limit,
    mean,
    order,
    rate,
    reproduction,
    search,
    symbols,
)
from whp.claims.experiment import CellSample, Status, TrialResult
from whp.engine.forecast import forecast
from whp.engine.pilots import Pilot
from whp.engine.refusals import forecasts, possible, refusal, trials_that_do

d = symbols("d")
PATH = Path(d=(4, 8, 16))
TINY = 1e-7  # relative noise of ideal data: enough to have a spread


def growth(value):
    """Kinds with an exponent; ``value(sizes)`` is what an ideal trial returns along the path."""
    return PATH, lambda n: value(np.array([4.0, 8.0, 16.0])) * (1 + TINY * normal_scores(n))


def level(value, noise=TINY):
    """Kinds at one point."""
    return Path(d=(5,)), lambda n: value * (1 + noise * normal_scores(n)[:, :1])


def normal_scores(n):
    """Columns that look as Gaussian as n numbers can, shape (n, 3), in an order without correlation."""
    rng = np.random.default_rng(5)
    return np.column_stack([rng.permutation(np.linspace(-1, 1, n)) for _ in range(3)])


CASES = {
    "rate": (
        lambda e: rate(experiment=e, quantity="Y", bound=d, twins={"x": Twin("x", bound=d**0.5)}),
        *growth(lambda sizes: sizes),
    ),
    "decay": (
        lambda e: decay(experiment=e, quantity="Y", twins={"x": Twin("x", experiment=other)}),
        *growth(lambda sizes: 1 / sizes),
    ),
    "limit": (
        lambda e: limit(
            experiment=e, quantity="Y", order=1.0, remainder=0.5, twins={"x": Twin("x", remainder=0.1)}
        ),
        *growth(lambda sizes: 1 / sizes),
    ),
    "bound": (
        lambda e: bound(experiment=e, quantity="Y", bound=2, delta=0.05, twins={"x": Twin("x", bound=0.5)}),
        *level(1.0),
    ),
    "tail": (
        lambda e: bound(
            experiment=e, quantity="Y", delta=(0.02, 0.1), tail_of=True, twins={"x": Twin("x", delta=0.5)}
        ),
        *level(1.0),
    ),
    "mean": (
        lambda e: mean(experiment=e, quantity="Y", target=1, twins={"x": Twin("x", target=2)}),
        *level(1.0),
    ),
    "bounded mean": (
        lambda e: mean(
            experiment=e,
            quantity="Y",
            target=0.5,
            tolerance=0.2,
            support=(0, 1),
            twins={"x": Twin("x", target=2)},
        ),
        *level(0.5),
    ),
    "order": (
        lambda e: order(experiment=e, quantity="Y", twins={"x": Twin("x", experiment=other)}),
        *level(1.0),
    ),
    "reproduction": (
        lambda e: reproduction(
            experiment=e, quantity="Y", printed=1.0, tolerance=0.1, twins={"x": Twin("x", printed=2.0)}
        ),
        *level(1.0),
    ),
}


@experiment(standard=Design(PATH))
def other(p, rng, device):
    return 1.0


def make(name, trials, **designs):
    """A claim of a kind with a design of so many trials."""
    build, path, _ = CASES[name]

    @experiment(standard=Design(path, trials=trials), name="t.it", **designs)
    def measured(p, rng, device):
        return 1.0

    return claim("t.it", build(measured), title="T", locus="L")


def outcome(made, name, count, budget):
    """What the real decision says of ideal data."""
    (check,) = made.checks
    design = check.experiment.design("standard")
    (cell,) = design.cells()
    points = design.points(cell)
    values = CASES[name][2](count)[:, : len(points)]
    trials = [[TrialResult(Status.OK, {"value": float(x)}) for x in row] for row in values]
    share = Referee([made], "standard", budget).shares(made)["t.it"]
    return check.outcome(CellSample(check.experiment, cell, points, trials), share)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("budget", [Budget(1), Budget(100)], ids=["alone", "of 100"])
def test_the_number_that_is_named_would_do_and_no_smaller_one(name, budget):
    few = make(name, (2, 2))
    sentence = refusal(few, "standard", budget)
    need = int(re.search(r"at least (\d+) to PASS", sentence)[1])
    assert "got 2 in profile standard" in sentence
    assert "\n" not in sentence

    enough, short = make(name, (2, need)), make(name, (2, need - 1))
    assert refusal(enough, "standard", budget) == ""
    assert outcome(enough, name, need, budget) is Outcome.PASS
    assert f"at least {need} to PASS" in refusal(short, "standard", budget)
    assert outcome(short, name, need - 1, budget) is not Outcome.PASS


@pytest.mark.parametrize("name", ["bound", "bounded mean", "rate"])
def test_the_alpha_that_is_named_would_do_and_a_smaller_one_would_not(name):
    budget = Budget(10, 1e-4, 1e-4)
    need = trials_that_do_alone(make(name, (2, 2)), Budget(10, 2e-3, 2e-3))
    made = make(name, (2, need))
    alpha = float(re.search(r"--alpha ([0-9.e-]+)", refusal(made, "standard", budget))[1])
    assert possible(made, "standard", Budget(10, alpha, alpha))
    assert not possible(made, "standard", Budget(10, 0.9 * alpha, 0.9 * alpha))
    assert alpha <= 2e-3


def trials_that_do_alone(made, budget):
    (check,) = made.checks
    share = Referee([made], "standard", budget).shares(made)["t.it"]
    return trials_that_do(check, "standard", budget, share)


def test_no_larger_alpha_than_ten_percent_is_advised():
    assert "--alpha" not in refusal(make("bound", (2, 2)), "standard", Budget(1))


def test_the_profile_that_is_named_would_do():
    made = make("bound", (2, 1000), quick=Design(Path(d=(5,)), trials=(2, 20)))
    sentence = refusal(made, "quick", Budget(1))
    assert sentence.endswith("; --profile standard would do too")
    assert refusal(made, "standard", Budget(1)) == ""


def test_a_claim_that_could_pass_alone_is_told_so():
    need = trials_that_do_alone(make("bound", (2, 2)), Budget(1))
    sentence = refusal(make("bound", (2, need)), "standard", Budget(50))
    assert "a run of this claim alone" in sentence
    assert refusal(make("bound", (2, need)), "standard", Budget(1)) == ""


def test_more_certified_trials_cost_more_of_the_budget():
    def made(most):
        @experiment(standard=Design(PATH, trials=(2, most)), name="t.it", failure_probability=1e-7)
        def measured(p, rng, device):
            return 1.0

        return claim("t.it", CASES["bound"][0](measured), title="T", locus="L")

    budget = Budget(1, 1e-3, 1e-4)
    need = int(re.search(r"at least (\d+)", refusal(made(2), "standard", budget))[1])
    assert refusal(made(need), "standard", budget) == ""
    assert refusal(made(need - 1), "standard", budget)
    assert need > trials_that_do_alone(make("bound", (2, 2)), budget)
    # A budget that the certificates use up cannot even be split.
    sentence = refusal(made(need), "standard", Budget(1, 1e-6, 1e-6))
    assert sentence.startswith("t.it: failure probability of the certified statistics must be below")
    assert "a smaller failure_probability of its experiment" in sentence
    assert "--alpha" in sentence


def test_a_search_and_a_deterministic_mean_need_no_trials_to_speak_of():
    found = search(negative, given={"x": st.floats(0, 1)})
    made = claim(
        "t.it",
        always(experiment=found, statement="x", twins={"x": Twin("x", tolerance=0.0)}),
        title="T",
        locus="L",
    )
    assert refusal(made, "quick", Budget(1000, 1e-9, 1e-9)) == ""


def negative(x):
    return -x


def test_a_reproduction_away_from_the_printed_sizes_is_no_mistake():
    @experiment(standard=Design(Path(d=(5,))), paper=Design(Path(d=(50,))), name="t.it")
    def measured(p, rng, device):
        return 1.0

    made = claim(
        "t.it",
        reproduction(
            experiment=measured,
            quantity="Y",
            printed=1.0,
            tolerance=0.1,
            at={"d": 50},
            twins={"x": Twin("x", printed=2.0)},
        ),
        title="T",
        locus="L",
    )
    assert refusal(made, "standard", Budget(1)) == ""
    (away,) = forecasts(made, "standard", Budget(1))
    assert (away.elsewhere, away.refused) == ("not at the printed sizes in this profile", False)
    assert not possible(made, "standard", Budget(1))
    assert possible(made, "paper", Budget(1))


def pilot(made, rows):
    (check,) = made.checks
    design = check.experiment.design("standard")
    (cell,) = design.cells()
    trials = [[TrialResult(Status.OK, {"value": float(x)}) for x in row] for row in rows]
    return Pilot("standard", [CellSample(check.experiment, cell, design.points(cell), trials)])


def test_a_pilot_turns_units_of_its_spread_into_numbers():
    made = make("rate", (8, 40))
    (check,) = made.checks
    share = Referee([made], "standard", Budget(10)).shares(made)["t.it"]
    design = check.experiment.design("standard")
    blind = forecast(check, design, share)
    assert (blind.needed, blind.in_sd) == (None, True)
    assert "standard deviations of one trial" in blind.text
    rng = np.random.default_rng(3)
    noise = np.exp(0.08 * rng.standard_normal((12, 3)))
    seen = forecast(check, design, share, pilot(made, [4.0, 8.0, 16.0] * noise))
    assert not seen.in_sd
    assert f"needs about {seen.needed} trials a point for the discrepancy 0.1" in seen.text
    wider = forecast(check, design, share, pilot(made, [4.0, 8.0, 16.0] * noise**3))
    assert wider.needed > seen.needed > blind.fewest
    assert seen.expected >= 8
    # The sd is that of the tail, which is the wider one; the detectable discrepancy follows it.
    assert seen.detectable / blind.detectable == pytest.approx(wider.detectable / blind.detectable / 3)


def test_a_pilot_in_which_a_bound_was_broken_needs_more_trials():
    made = make("bound", (8, 4000))
    (check,) = made.checks
    share = Referee([made], "standard", Budget(10)).shares(made)["t.it"]
    design = check.experiment.design("standard")
    clean = forecast(check, design, share)
    broken = forecast(check, design, share, pilot(made, [[1.0]] * 98 + [[3.0]] * 2))
    assert broken.needed > clean.needed == clean.fewest
    assert "0.02 of 100 trials of profile standard broke it" in broken.text
    edge = forecast(check, design, share, pilot(made, [[1.0]] * 95 + [[3.0]] * 5))
    assert edge.needed is None
    assert "no number of trials is sure to decide" in edge.text


def test_the_spread_along_one_path_tells_that_along_another():
    """A path that is longer by a factor of two in the logarithm has slopes that spread half as much."""
    made = make("rate", (8, 40), quick=Design(Path(d=(4, 16, 64)), trials=(8, 40)))
    (check,) = made.checks
    share = Referee([made], "quick", Budget(10)).shares(made)["t.it"]
    noise = np.exp(0.08 * np.random.default_rng(3).standard_normal((12, 3)))
    known = pilot(made, [4.0, 8.0, 16.0] * noise)
    along = {p: forecast(check, check.experiment.design(p), share, known) for p in ("standard", "quick")}
    assert along["quick"].detectable == pytest.approx(along["standard"].detectable / 2)
    assert along["quick"].needed < along["standard"].needed


def test_what_is_expected_follows_what_was_seen():
    made = make("rate", (8, 400))
    (check,) = made.checks
    share = Referee([made], "standard", Budget(10)).shares(made)["t.it"]
    design = check.experiment.design("standard")
    noise = np.exp(0.08 * np.random.default_rng(3).standard_normal((12, 3)))
    sizes = np.array([4.0, 8.0, 16.0])
    near, middle, far = (
        forecast(check, design, share, pilot(made, sizes**power * noise)) for power in (1.07, 1.0, 0.5)
    )
    assert near.expected > middle.expected > far.expected
    assert near.needed == middle.needed == far.needed  # that is about the stated discrepancy
    # What is seen to break the statement is expected to FAIL, on the other side of the edge.
    worse = forecast(check, design, share, pilot(made, sizes**1.6 * noise))
    assert worse.expected < middle.expected
