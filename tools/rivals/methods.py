"""What each method is: its package, the call as its documentation has it, and the error rates it states."""

from __future__ import annotations

from typing import Any

from draws import DISCREPANCY

RATE = 0.05
PEEKING = "Looks from the 10th trial on. A misuse, though a common one: no documentation recommends it."

METHODS: dict[str, dict[str, Any]] = {
    "whp, bound": {
        "package": "whp",
        "call": "bound(bound=B, delta=1 - p0), error rates 0.05",
        "states": "5 % false PASS and 5 % false FAIL, at all looks together; exact",
        "states_pass": RATE,
        "states_fail": RATE,
        "note": "beta-binomial mixture sequence.",
    },
    "whp, order": {
        "package": "whp",
        "call": "order(quantity=B - X), error rates 0.05",
        "states": "5 % false PASS and 5 % false FAIL, at all looks together; asymptotic unless the values are"
        " Gaussian",
        "states_pass": RATE,
        "states_fail": RATE,
        "note": "scale-mixture t-sequence.",
    },
    "whp, order with support": {
        "package": "whp",
        "call": "order(quantity=B - X, support=(B - 1, B)), error rates 0.05",
        "states": "5 % false PASS and 5 % false FAIL, at all looks together; exact",
        "states_pass": RATE,
        "states_fail": RATE,
        "note": "hedged betting sequence; where the range is known, so in the uniform cells.",
    },
    "whp, rate": {
        "package": "whp",
        "call": f"rate(bound=d**claimed, direction='both', tolerance={DISCREPANCY:g}), error rates 0.05",
        "states": f"5 % false FAIL, and 5 % false PASS of an exponent off by {DISCREPANCY:g}, at all looks"
        " together; asymptotic",
        "states_pass": RATE,
        "states_fail": RATE,
        "note": "t-sequence on the slopes, one a seed. It speaks of the exponent along the path: a correction"
        " to scaling can hide a discrepancy from it.",
    },
    "pytest-probability, exact": {
        "package": "pytest-probability",
        "call": "@pytest.mark.probability(min_rate=p0), --prob-runs=n (defaults: exact, 95 % two-sided)",
        "states": "95 % two-sided, 2.5 % a side",
        "states_pass": 0.025,
        "states_fail": 0.025,
        "note": "The gate's own function of (passes, runs). On the first claims of the cells with n up to 25"
        " a whole pytest session is run as well; its JSON report has the same verdicts, or the run stops.",
    },
    "pytest-probability, wilson": {
        "package": "pytest-probability",
        "call": "@pytest.mark.probability(min_rate=p0, method='wilson'), --prob-runs=n",
        "states": "95 % two-sided, 2.5 % a side; its docstring says it can dip below nominal",
        "states_pass": 0.025,
        "states_fail": 0.025,
        "note": "As above; the README's default is exact.",
    },
    "pytest-probability, sequential": {
        "package": "pytest-probability",
        "call": "@pytest.mark.probability(min_rate=p0), --prob-runs=100 --prob-stop=sequential",
        "states": "95 % at all looks together, both sides",
        "states_pass": 0.05,
        "states_fail": 0.05,
        "note": "The gate's own function after every run; compared with whole sessions as above.",
    },
    "stochtest": {
        "package": "stochtest",
        "call": "assert_that(x).has_acceptance_rate_greater_than(p0) / .has_expected_value_less_than(B)",
        "states": "alpha = 0.05",
        "states_pass": RATE,
        "states_fail": None,
        "note": "Its docstring says that the t-test relies on normal data in small samples.",
    },
    "lcb-gate": {
        "package": "lcb-gate",
        "call": "run_gate(trial, n=n, threshold=p0)",
        "states": "95 % one-sided",
        "states_pass": RATE,
        "states_fail": None,
        "note": "One function of the count of passes; on the first claims of each cell the call with early"
        " stopping gave the same verdicts.",
    },
    "lcb-gate, score_gate": {
        "package": "lcb-gate",
        "call": "score_gate(trial, n=n, threshold=1 - B, stop_early=False) on 1 - X in [0, 1]",
        "states": "95 % one-sided",
        "states_pass": RATE,
        "states_fail": None,
        "note": "For scores in [0, 1] only, so in the uniform cells. Without early stopping, which costs"
        " n^2 and only saves trials.",
    },
    "Wilson interval": {
        "package": "statsmodels",
        "call": "proportion_confint(k, n, alpha=0.1, method='wilson')",
        "states": "5 % a side",
        "states_pass": RATE,
        "states_fail": RATE,
        "note": "PASS: p0 below the interval; FAIL: above it.",
    },
    "Wald interval": {
        "package": "statsmodels",
        "call": "proportion_confint(k, n, alpha=0.1) (its default method, 'normal')",
        "states": "5 % a side",
        "states_pass": RATE,
        "states_fail": RATE,
        "note": "As for Wilson.",
    },
    "Clopper-Pearson interval": {
        "package": "statsmodels",
        "call": "proportion_confint(k, n, alpha=0.1, method='beta')",
        "states": "5 % a side",
        "states_pass": RATE,
        "states_fail": RATE,
        "note": "As for Wilson.",
    },
    "t interval": {
        "package": "scipy",
        "call": "scipy.stats.t.interval(0.9, n - 1, loc=mean, scale=sem)",
        "states": "5 % a side",
        "states_pass": RATE,
        "states_fail": RATE,
        "note": "PASS: the interval below B; FAIL: above it. The same as ttest_1samp at 5 % one-sided.",
    },
    "Wilson interval, peeking": {
        "package": "statsmodels",
        "call": "the same after every trial, until it decides",
        "states": "5 % a side, at one look",
        "states_pass": RATE,
        "states_fail": RATE,
        "note": PEEKING,
    },
    "Clopper-Pearson, peeking": {
        "package": "statsmodels",
        "call": "the same after every trial, until it decides",
        "states": "5 % a side, at one look",
        "states_pass": RATE,
        "states_fail": RATE,
        "note": PEEKING,
    },
    "t interval, peeking": {
        "package": "scipy",
        "call": "the same after every trial, until it decides",
        "states": "5 % a side, at one look",
        "states_pass": RATE,
        "states_fail": RATE,
        "note": PEEKING,
    },
    "OLS interval contains": {
        "package": "statsmodels",
        "call": "OLS(log Y, [1, log d]).fit().conf_int(0.05) contains the claimed exponent",
        "states": "95 % coverage",
        "states_pass": None,
        "states_fail": 0.05,
        "note": "All seeds at all points in one fit. It states no rate for passing a wrong exponent.",
    },
    "t interval of slopes contains": {
        "package": "scipy",
        "call": "scipy.stats.t.interval(0.95, ...) of the slopes, one a seed, contains the claimed exponent",
        "states": "95 % coverage",
        "states_pass": None,
        "states_fail": 0.05,
        "note": "It states no rate for passing a wrong exponent.",
    },
    "t interval of slopes within": {
        "package": "scipy",
        "call": f"scipy.stats.t.interval(0.9, ...) of the slopes within {DISCREPANCY:g} of the claim",
        "states": "5 % a side, at one look",
        "states_pass": RATE,
        "states_fail": RATE,
        "note": "Two one-sided tests (TOST). FAIL: nothing of the interval is within. One look only.",
    },
    "percentile bootstrap of slopes contains": {
        "package": "scipy",
        "call": "scipy.stats.bootstrap((slopes,), np.mean, method='percentile', n_resamples=999)"
        " contains the claimed exponent",
        "states": "95 % coverage",
        "states_pass": None,
        "states_fail": 0.05,
        "note": "Fewer simulated claims, and 999 resamples instead of 9999, for time. It states no rate"
        " for passing a wrong exponent.",
    },
}
"""By name. ``states_pass`` and ``states_fail`` are the stated rates of a false PASS and a false FAIL; None
where a method states none, or knows no FAIL."""
