"""What a claim owes its false twins, and what each rule says when it is broken."""

from __future__ import annotations

import pytest

from whp.claims import Twin, claim, rate, require_twins, twin_faults
from whp.errors import ClaimError

THESE = {"title": "A title", "locus": "Theorem 1"}


def checks(simulate, *twins, **fields):
    made = simulate.power_law(1.0)
    return [
        rate(
            name=f"check {index}",
            experiment=made,
            quantity="Y",
            bound=simulate.d,
            twins={name: Twin("wrong", bound=simulate.d**power) for name, power in given.items()},
            **fields,
        )
        for index, given in enumerate(twins)
    ]


def test_two_different_twins_are_enough(simulate):
    made = claim("p.c", *checks(simulate, {"half": 0.5, "quarter": 0.25}), **THESE)
    require_twins(made)
    assert list(twin_faults(made)) == []


def test_one_twin_is_not_enough(simulate):
    made = claim("p.c", *checks(simulate, {"half": 0.5}), **THESE)
    with pytest.raises(ClaimError, match=r"p\.c: twins must be at least two false versions, got 1"):
        require_twins(made)


def test_twins_that_are_the_same_count_once(simulate):
    (check,) = checks(simulate, {"half": 0.5})
    twins = {**check.twins, "again": Twin("the same rate", bound=3 * simulate.d**0.5)}
    made = claim(
        "p.c", rate(experiment=check.experiment, quantity="Y", bound=simulate.d, twins=twins), **THESE
    )
    (fault,) = twin_faults(made)
    assert "must be different, got the same statement as 'half' and 'again'" in fault


def test_a_check_without_a_twin_is_named(simulate):
    first, second = checks(simulate, {"half": 0.5, "quarter": 0.25}, {})
    made = claim("p.c", first, rate(**{**vars(second), "tolerance": 0.2}), **THESE)
    (fault,) = twin_faults(made)
    assert "check 'check 1' must have a false twin" in fault


def test_a_check_that_repeats_another_for_another_statistic_needs_none(simulate):
    first, second = checks(simulate, {"half": 0.5, "quarter": 0.25}, {})
    made = claim("p.c", first, rate(**{**vars(second), "statistic": "other"}), **THESE)
    assert list(twin_faults(made)) == []
