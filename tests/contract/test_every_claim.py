"""What holds for every claim that the package ships."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from whp import stats
from whp.claims import PROFILES, Budget, Status, bound, twin_faults
from whp.engine.discovery import discover
from whp.ensembles.datasets import SHAPES, TABLES, ImageSet, store
from whp.ensembles.tables import Table, store_table
from whp.kernels import activation_names
from whp.seeding import generator

FOUND = discover(None)
CLAIMS = {claim.id: claim for claim in FOUND.claims}
EXPERIMENTS = {e.name: e for claim in FOUND.claims for e in claim.experiments()}
HU2020 = [
    *("claim_3_1_norms", "claim_3_1_inner", "claim_3_1_gram", "claim_c_1"),
    *("lemma_b_1", "lemma_b_2", "lemma_b_3", "prop_3_4", "prop_3_4_frobenius"),
    *("prop_d_3", "prop_d_3_bernstein", "prop_d_4", "prop_d_7_movement"),
    *("thm_3_2_train", "thm_3_2_dist", "fig_5"),
    *("thm_c_2", "prop_d_8", "prop_d_9", "prop_d_10", "theta_lin2_norm", "prop_d_11"),
    *("lemma_d_5_smooth", "lemma_d_5_pwl", "sign_flips", "lemma_d_6", "lemma_d_12", "lemma_d_13"),
    *("cor_3_3", "thm_3_5_train", "thm_3_5_dist", "thm_d_1_train", "thm_d_1_dist"),
    *("rademacher_37", "traces", "prop_4_1", "sec_4_1_deep"),
    *("fig_1a", "fig_1b", "fig_1c", "fig_2", "fig_3", "fig_4", "edges_assumption_3_1"),
]


ARORA2019 = [
    *("lemma_3_1", "eq_8", "eq_11", "eq_13", "eq_17_20", "eq_17_20_zero"),
    *("fact_b_1", "lemma_b_1", "lemma_b_8"),
    *("lemma_b_2", "lemma_b_3", "lemma_b_4", "lemma_b_5", "lemma_b_6", "lemma_b_9", "lemma_b_10"),
    *("claim_b_1", "claim_b_2", "claim_b_3", "lemma_b_7", "thm_b_1", "thm_b_2", "thm_3_1", "thm_3_2"),
    *("lemma_c_1", "lemma_d_1", "lemma_d_2", "lemma_d_3", "lemma_d_4", "lemma_d_5_7", "thm_d_1"),
    *("cntk_vanilla", "cntk_gap", "cntk_expansion", "sec_4_3", "table_1", "table_2"),
]
CARON2023 = [
    *("eq_1", "prop_b_2", "fig_1", "prop_3_1_limit", "prop_3_1_mean", "eq_7", "prop_b_1", "prop_d_1"),
    *("thm_4_1_a", "thm_4_1_b", "thm_4_1_c", "thm_4_1_d", "thm_4_3", "thm_4_4", "thm_4_3_relu"),
    *("thm_a_1", "thm_h_1", "lemma_h_2", "lemma_h_3"),
    *("lemma_e_1", "lemma_e_2", "lemma_e_3", "lemma_e_4", "lemma_e_5"),
    *("feature_learning", "fig_2", "fig_6_9", "fig_10", "fig_11_12"),
]
NOT_RANDOM = {
    "arora2019.sec_4_3.entries",  # counts operations
    # Sums of given numbers.
    *(f"caron2023.prop_b_2.{name}" for name in ("below_one", "at_one", "far")),
    *("caron2023.eq_1.widths", "caron2023.fig_1.curve"),
}
# Activations that a claim file makes: softplus(8 (z - 2)) / 8, swish / 1.1.
BUILT_BY_CLAIMS = {"rare", "reduced_swish"}
CATALOGUE = [
    f"{paper}.{name}"
    for paper, names in (("hu2020", HU2020), ("arora2019", ARORA2019), ("caron2023", CARON2023))
    for name in names
]


@pytest.fixture(scope="module", autouse=True)
def data(tmp_path_factory):
    """Noisy ramps in place of the data sets that claims need: no network, and nothing of the user's."""
    rng = np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WHP_DATA", str(tmp_path_factory.mktemp("data")))
        for name, shape in SHAPES.items():
            # Half of the classes can be told, half cannot: accuracies are neither all right nor all chance.
            classes = np.array([3, 7, 3, 8] if name == "mnist" else [3, 7, 3, 7, 0, 1], np.uint8)
            labels = np.resize(classes, 9000)
            pixels = rng.integers(0, 200, (9000, *shape), dtype=np.uint8)
            pixels[labels == 3] += np.arange(shape[1], dtype=np.uint8)[:, None]  # a class that can be told
            store(name, ImageSet(pixels, labels, 6750), "noise")
        for name, (rows, columns) in TABLES.items():
            X = rng.standard_normal((rows, columns - 1))
            store_table(name, Table(X, np.sin(X).sum(axis=1) + rng.standard_normal(rows)), "noise")
        yield


def test_no_shipped_file_is_broken():
    assert list(FOUND.broken) == []


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_catalogue_is_there(name):
    assert name in CLAIMS


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_claim_documents_itself_and_can_fail(claim):
    for heading in ("Setting", "Claim", "Measured"):
        assert heading in claim.documentation, f"{claim.source.name} does not say what is its {heading}"
    assert list(twin_faults(claim)) == []
    assert claim.printed or claim.corrects in CLAIMS


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_with_fewer_than_two_twins_is_refused(claim):
    (name, twin), *_ = [(name, twin) for check in claim.checks for name, twin in check.twins.items()]
    first = next(check for check in claim.checks if name in check.twins)
    poor = replace(claim, checks=(replace(first, twins={name: twin}),))
    assert list(twin_faults(poor)) == [f"{claim.id}: twins must be at least two false versions, got 1"]


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
@pytest.mark.parametrize("profile", PROFILES)
def test_budget_of_a_single_claim_is_enough_to_decide(claim, profile):
    """With its most trials a check could PASS: no claim is declared that can only be INCONCLUSIVE."""
    share = Budget(sum(other.paper == claim.paper for other in CLAIMS.values())).claim_share()
    for check in claim.checks:
        most = check.experiment.design(profile).trials[1]
        if isinstance(check, bound):
            level = min(check.levels)
            assert stats.bernoulli_sequence(0, most, share.false_pass).high < level
        elif check.kind != "always":
            assert math.isfinite(stats.t_half_width_factor(most, share.false_pass))


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_one_trial_at_the_smallest_point(experiment):
    """Statistics are finite, are those that the checks ask for, and depend on the stream only."""
    design = experiment.design("quick")
    cell = {**design.cells()[0], **({"examples": 5} if "examples" in design.over else {})}
    point = design.points(cell, experiment.dtype)[0]
    results = [
        experiment.run(point, generator(1, experiment.name, point.key, trial), torch.device("cpu"))
        for trial in (0, 0, 1)
    ]
    assert all(result.status is Status.OK for result in results)
    assert dict(results[0].statistics) == dict(results[1].statistics)
    asked = {
        check.statistic
        for claim in FOUND.claims
        for check in [*claim.checks, *(twin for twin, _ in claim.twin_checks().values())]
        if check.experiment.name == experiment.name
    }
    assert asked <= set(results[0].statistics)
    random = experiment.name not in NOT_RANDOM and "rademacher" not in cell.values()
    if random and "examples" not in design.over:
        assert dict(results[0].statistics) != dict(results[2].statistics), "a stream is used twice"


def test_activations_of_the_claims_exist():
    used = {
        value
        for experiment in EXPERIMENTS.values()
        for profile in PROFILES
        for value in experiment.design(profile).over.get("activation", [])
    }
    assert used - BUILT_BY_CLAIMS <= set(activation_names())
    assert used >= BUILT_BY_CLAIMS
    assert {"erf", "relu", "tanh", "softplus", "leaky_relu", "sigmoid"} <= used
