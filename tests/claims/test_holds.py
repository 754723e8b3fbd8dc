"""What bars a decision that the intervals would allow, and how verdicts label their error rates."""

from __future__ import annotations

import numpy as np
import pytest

from whp.claims import (
    Guarantee,
    Outcome,
    Share,
    Twin,
    bound,
    claim,
    decay,
    limit,
    mean,
    order,
    rate,
    reproduction,
)
from whp.claims.holds import SKEWNESS_OF_MEANS, hold_for_dependence, hold_for_few, hold_for_shape
from whp.seeding import generator

SHARE = Share(0.01, 0.01)
PASS, INCONCLUSIVE = Outcome.PASS, Outcome.INCONCLUSIVE
SIZES = (64, 256, 1024)


@pytest.fixture
def point(simulate):
    return simulate.drawn(lambda rng, p: 0.0)


@pytest.fixture
def path(simulate):
    return simulate.power_law(sizes=SIZES)


def drift(n):
    """A random walk: every trial starts from the one before."""
    return generator(0, "drift", n).standard_normal((n, 1)).cumsum(axis=0)


def quantiles(n):
    """Exponential quantiles in a random order: skewness near 2, whatever the seed."""
    values = -np.log(1.0 - (np.arange(n) + 0.5) / n)
    return generator(0, "order", n).permutation(values)[:, None]


class TestDependence:
    def test_a_random_walk_is_held_and_its_steps_are_not(self):
        walk = drift(60)
        assert hold_for_dependence(walk).startswith("Trials are not independent (neighbours correlate by")
        assert hold_for_dependence(np.diff(walk, axis=0)) == ""

    @pytest.mark.parametrize("kind", ["mean", "bounded", "order", "bound", "rate"])
    def test_every_rule_holds(self, simulate, path, point, kind):
        walk = drift(80) / 1e3
        assert np.ptp(walk) < 0.1
        check, values = {
            "mean": (mean(experiment=point, quantity="Y", target=1, tolerance=0.2), 1 + walk),
            "bounded": (
                mean(experiment=point, quantity="Y", target=0.5, tolerance=0.9, support=(0, 1)),
                0.5 + walk,
            ),
            "order": (order(experiment=point, quantity="Y"), 1 + walk),
            "bound": (bound(experiment=point, quantity="Y", bound=2, delta=0.2), 1 + walk),
            "rate": (
                rate(experiment=path, quantity="Y", bound=1, tolerance=0.5),
                np.exp(walk * np.log(SIZES)),
            ),
        }[kind]
        verdict = check.decide(simulate.sample(check.experiment, values), SHARE)
        assert verdict.outcome is INCONCLUSIVE
        assert "not independent" in verdict.advice
        mixed = generator(0, "mix").permutation(values)
        assert check.decide(simulate.sample(check.experiment, mixed), SHARE).outcome is PASS

    def test_trials_that_share_their_numbers_are_named(self, simulate, point):
        values = np.repeat(1 + 0.01 * generator(0, "twice").standard_normal((20, 1)), 2, axis=0)
        verdict = mean(experiment=point, quantity="Y", target=1, tolerance=0.2).decide(
            simulate.sample(point, values), SHARE
        )
        assert any("20 of 40 equal an earlier one" in warning for warning in verdict.warnings)


class TestShape:
    def test_skewed_values_are_held_until_there_are_enough(self):
        assert "100 trials too few" in hold_for_shape(quantiles(100), SKEWNESS_OF_MEANS, "Values")
        assert hold_for_shape(quantiles(500), SKEWNESS_OF_MEANS, "Values") == ""

    def test_a_mean_of_skewed_values(self, simulate, point):
        check = mean(experiment=point, quantity="Y", target=1, tolerance=0.9)
        verdict = check.decide(simulate.sample(point, quantiles(100)), SHARE)
        assert verdict.outcome is INCONCLUSIVE
        assert verdict.interval.high < 1.9
        assert "skewed" in verdict.advice
        assert check.decide(simulate.sample(point, quantiles(500)), SHARE).outcome is PASS

    def test_a_slope_that_is_skewed(self, simulate, path):
        logs = np.concatenate([np.zeros((60, 2)), 0.3 * quantiles(60)], axis=1)
        check = rate(experiment=path, quantity="Y", bound=1, tolerance=0.5)
        verdict = check.decide(simulate.sample(path, np.exp(logs + 1e-3 * drift(180).reshape(60, 3))), SHARE)
        assert verdict.outcome is INCONCLUSIVE
        assert "Per-trial slopes are skewed" in verdict.advice

    def test_too_few_to_see_a_shape(self, simulate, point):
        assert hold_for_few(7)
        assert not hold_for_few(8)
        check = mean(experiment=point, quantity="Y", target=1, tolerance=0.9)
        values = np.linspace(0.99, 1.01, 7)[[3, 0, 5, 1, 6, 2, 4], None]
        assert check.decide(simulate.sample(point, values), SHARE).outcome is INCONCLUSIVE
        bounded = mean(experiment=point, quantity="Y", target=1, tolerance=0.9, support=(0.9, 1.1))
        assert bounded.decide(simulate.sample(point, values), SHARE).outcome is PASS


class TestGuarantee:
    def test_the_label_of_every_rule(self, simulate, path, point):
        rng = generator(0, "label")
        noisy = 1 + 0.01 * rng.standard_normal((40, 1))
        laws = np.exp(0.1 * rng.standard_normal((40, 3)))
        cases = [
            (mean(experiment=point, quantity="Y", target=1), noisy, Guarantee.ASYMPTOTIC),
            (mean(experiment=point, quantity="Y", target=1, support=(0, 2)), noisy, Guarantee.EXACT),
            (
                mean(experiment=point, quantity="Y", target=1, deterministic=True),
                0 * noisy + 1,
                Guarantee.EXACT,
            ),
            (order(experiment=point, quantity="Y"), noisy, Guarantee.ASYMPTOTIC),
            (bound(experiment=point, quantity="Y", bound=2), noisy, Guarantee.EXACT),
            (rate(experiment=path, quantity="Y", bound=1), laws, Guarantee.ASYMPTOTIC),
            (rate(experiment=path, quantity="Y", bound=1), 0 * laws, Guarantee.EXACT),
            (rate(experiment=path, quantity="Y", bound=1), laws - 9, Guarantee.NONE),
        ]
        for check, values, label in cases:
            assert check.decide(simulate.sample(check.experiment, values), SHARE).guarantee is label

    def test_the_weakest_cell_labels_the_claim(self, simulate):
        made = simulate.power_law(sizes=SIZES, trials=(40, 40))
        checks = [
            bound(experiment=made, quantity="Y", bound=2, delta=0.4, twins={"one": Twin("half", bound=1)}),
            rate(experiment=made, quantity="Y", bound=1, twins={"one": Twin("decays", bound=1 / simulate.d)}),
        ]
        declared = claim("holds.test_holds", *checks, title="A law", locus="here")
        verdict = simulate.run([declared])[declared.id]
        assert {cell.guarantee for cell in verdict.cells} == {Guarantee.EXACT, Guarantee.ASYMPTOTIC}
        assert verdict.guarantee is Guarantee.ASYMPTOTIC
        assert all(member.meaning.endswith(".") for member in Guarantee)


@pytest.mark.parametrize("kind", ["rate", "decay", "limit", "mean", "order", "bound", "reproduction"])
def test_the_bare_outcome_is_the_outcome_of_the_verdict(simulate, path, point, kind):
    """For many samples, decided or not, sound or not."""
    check = {
        "rate": rate(experiment=path, quantity="Y", bound=1),
        "decay": decay(experiment=path, quantity="Y"),
        "limit": limit(experiment=path, quantity="Y"),
        "mean": mean(experiment=path, quantity="Y", target=1, tolerance=0.1),
        "order": order(experiment=path, quantity="Y"),
        "bound": bound(experiment=path, quantity="Y", bound=1.2, delta=0.2),
        "reproduction": reproduction(
            experiment=path, quantity="Y", printed=0, tolerance=0.1, slope_between=(1, 1e4)
        ),
    }[kind]
    rng = generator(0, "outcomes", kind)
    seen = set()
    for case in range(60):
        exponent, noise = rng.choice([-0.5, 0.0, 0.5]), rng.choice([0.01, 0.3])
        n = int(rng.choice([1, 5, 12, 40]))
        values = np.exp(exponent * np.log(np.array(SIZES) / 64) + noise * rng.standard_normal((n, 3)))
        if case % 10 == 0:
            values[0, 0] = [np.nan, -1.0, 0.0][case // 10 % 3]
        sample = simulate.sample(path, values)
        verdict = check.decide(sample, SHARE)
        assert check.outcome(sample, SHARE) is verdict.outcome
        seen.add(verdict.outcome)
    assert len(seen) >= 2
