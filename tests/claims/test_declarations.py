"""What is wrong with a declaration is said when it is made, in one sentence: NAME must be RULE, got VALUE."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
import torch
from hypothesis import strategies as st

from whp.claims import (
    Design,
    Path,
    Status,
    experiment,
    geometric,
    rate,
    search,
    symbols,
)
from whp.claims.path import evaluate
from whp.errors import ClaimError, MeasurementError, WhpError

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


NO_VERDICT = "statistic 'value' must be a real number (the quantity, not a verdict on it)"


class TestPath:
    @pytest.mark.parametrize(
        ("sizes", "message"),
        [
            ({}, "path must be given at least one size, got {}"),
            ({"d": []}, "path size d must be a non-empty sequence of integers, got []"),
            ({"d": 8}, "path size d must be a non-empty sequence of integers, got 8"),
            ({"d": (0, 1, 2)}, "path size d must be positive integers, got 0"),
            ({"d": (-4, 1, 2)}, "path size d must be positive integers, got -4"),
            ({"d": (8, 12.5, 16)}, "path size d must be positive integers, got 12.5"),
            ({"d": (8, True)}, "path size d must be positive integers, got True"),
            ({"d": (8, "16")}, "path size d must be positive integers, got '16'"),
            ({"d": (8, 16, 16)}, "path size d must be strictly increasing, got [8, 16, 16]"),
            ({"d": (8,), "n": None}, "path size n must be a number or an expression in symbols, got None"),
            ({"d": (8,), "n": "2*"}, "path size n must be a number or an expression in symbols, got '2*'"),
            ({"d": (8,), "n": True}, "path size n must be a number or an expression in symbols, got True"),
            ({"d": (8,), "key": 3}, "path size must be called other than values, dtype, key, got ['key']"),
            ({"d": (8,), "even": ["m"]}, "even must be sizes of the path (d), got ['m']"),
        ],
    )
    def test_sizes(self, sizes, message):
        one_sentence(lambda: Path(**sizes), message)

    @pytest.mark.parametrize(
        ("size", "message"),
        [
            (n, "path size n must be made of known symbols (alpha, d), got ['n']"),
            (d - 100, "path size n must be a positive integer, got -84.0"),
            (d / 1000, "path size n must be a positive integer, got 0.016"),
            (1 / (d - 16), "path size n must be a finite real number, got 'zoo'"),
            (sympy.sqrt(16 - 2 * d), "path size n must be a finite real number, got '4.0*I'"),
        ],
    )
    def test_sizes_are_computed_when_declared(self, size, message):
        design = Design(Path(d=SIZES, n=size), {"alpha": [0.1]})
        one_sentence(lambda: experiment(standard=design)(growth.measure), message)

    def test_text_is_no_number(self):
        one_sentence(
            lambda: evaluate(symbols("data"), {"data": "gaussian", "d": 3}, "bound"),
            "bound must be made of known symbols (d, data), got ['data']",
        )

    def test_sizes_are_rounded_and_made_even(self):
        path = Path(d=(10, 20), n=d**1.5, m=d + 1, even=["m"])
        assert list(path.sizes({})) == [{"d": 10, "n": 32, "m": 12}, {"d": 20, "n": 89, "m": 22}]
        assert path.describe() == "d = 10..20 (2 points), n = d**1.5, m = d + 1"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((0, 8, 3), "geometric must be 1 <= low < high, got (0, 8)"),
            ((8, 8, 3), "geometric must be 1 <= low < high, got (8, 8)"),
            ((8, 16, 1), "geometric count must be at least 2, got 1"),
        ],
    )
    def test_geometric(self, arguments, message):
        one_sentence(lambda: geometric(*arguments), message)
        assert geometric(8, 128, 5) == (8, 16, 32, 64, 128)


class TestDesign:
    @pytest.mark.parametrize("trials", [8, (8,), (0, 4), (1, 4), (8, 4), (2.5, 8), (True, True), "ab"])
    def test_trials(self, trials):
        rule = "(least, most), two integers with 2 <= least <= most"
        one_sentence(lambda: Design(Path(d=SIZES), trials=trials), f"trials must be {rule}, got {trials!r}")

    @pytest.mark.parametrize(
        ("over", "message"),
        [
            ({"a": []}, "over['a'] must be a non-empty list, got []"),
            ({"a": 0.1}, "over['a'] must be a non-empty list, got 0.1"),
            ({"a": [1, 1]}, "over['a'] must be free of repetitions, got [1, 1]"),
            ({"a": [[1]]}, "over['a'] must be made of finite numbers and strings of Python, got [1]"),
            ({"a": [None]}, "over['a'] must be made of finite numbers and strings of Python, got None"),
            (
                {"a": [float("nan")]},
                "over['a'] must be made of finite numbers and strings of Python, got nan",
            ),
            ({"d": [1]}, "over['d'] must be a name that is not a size of the path, got 'd'"),
            ({"dtype": ["x"]}, "over['dtype'] must be called other than values, dtype, key, got 'dtype'"),
        ],
    )
    def test_over(self, over, message):
        one_sentence(lambda: Design(Path(d=SIZES), over), message)

    def test_no_cell_left(self):
        design = Design(Path(d=SIZES), {"a": [1]}, only=lambda cell: False)
        one_sentence(design.cells, "over must be left with at least one cell, got {'a': [1]}")

    def test_looks_end_at_the_most(self):
        assert Design(Path(d=SIZES), trials=(8, 40)).looks() == [8, 12, 18, 27, 40]
        assert Design(Path(d=SIZES), trials=(8, 8)).looks() == [8]


class TestExperiment:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"dtype": "float16"}, "dtype must be float32 or float64, got 'float16'"),
            ({"time_limit": 0}, "time_limit must be positive seconds, got 0"),
            ({"memory_limit": -1}, "memory_limit must be positive GB, got -1"),
            ({"failure_probability": 0.5}, "failure_probability must be in [0, 1e-3), got 0.5"),
        ],
    )
    def test_settings(self, fields, message):
        one_sentence(lambda: experiment(standard=Design(Path(d=SIZES)), **fields)(growth.measure), message)

    def test_a_lambda_has_no_name(self):
        rule = "measurement must be a function with a name (or give name=...), got '<lambda>'"
        one_sentence(lambda: experiment(standard=Design(Path(d=SIZES)))(lambda p, rng, device: 1.0), rule)
        one_sentence(lambda: search(lambda a: 0.0, given={"a": st.floats()}), rule)

    def test_unknown_profile(self):
        one_sentence(
            lambda: growth.design("fast"), "profile must be one of quick, standard, paper, got 'fast'"
        )

    def test_name_of_its_trials(self):
        assert growth.name == "claims.test_declarations.growth"

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (None, f"{NO_VERDICT}, got None"),
            (True, f"{NO_VERDICT}, got True"),
            (np.bool_(False), f"{NO_VERDICT}, got np.False_"),
            (torch.tensor(True), f"{NO_VERDICT}, got tensor(True)"),
            (float("nan"), "statistic 'value' must be finite, got nan"),
            (np.float64("inf"), "statistic 'value' must be finite, got inf"),
            (torch.tensor(-float("inf")), "statistic 'value' must be finite, got -inf"),
            (np.ones(3), "statistic 'value' must be a single number, got 'shape (3,)'"),
            (torch.ones(1, 1), "statistic 'value' must be a single number, got 'shape (1, 1)'"),
            ([1.0], "statistic 'value' must be a real number, got [1.0]"),
            (1j, "statistic 'value' must be a real number, got 1j"),
            ({}, "measurement must be at least one named statistic, got {}"),
            ("0.5", "measurement must be at least one number, got {'value': '0.5'}"),
            ({"top": float("nan")}, "statistic 'top' must be finite, got nan"),
        ],
    )
    def test_what_comes_back_is_a_number(self, simulate, value, message):
        made = simulate.drawn(lambda rng, p: value)
        where = made.design("standard").points({})[0]
        one_sentence(lambda: made.run(where, np.random.default_rng(0), "cpu"), message, MeasurementError)

    @pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5), np.int64(3), torch.tensor(2.0), np.ones(())])
    def test_any_single_number_will_do(self, simulate, value):
        made = simulate.drawn(lambda rng, p: {"number": value, "note": "in words"})
        result = made.run(made.design("standard").points({})[0], np.random.default_rng(0), "cpu")
        assert result.status is Status.OK
        assert result.statistics == {"number": float(value)}
        assert result.notes == {"note": "in words"}

    def test_unknown_attribute_of_a_point(self):
        where = growth.design("standard").points({"alpha": 0.1, "data": "gaussian"})[0]
        with pytest.raises(AttributeError, match=r"^point must have one of alpha, data, d, n, got 'm'$"):
            where.m  # noqa: B018


def test_soft_factor_must_be_logarithmic():
    """A hidden power would make a check that cannot FAIL."""
    with pytest.raises(ClaimError, match="soft must be made of logarithms only"):
        rate(experiment=growth, statistic="top", quantity="Y", bound=d, soft=d**0.5)
