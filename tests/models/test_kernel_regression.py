"""Kernel regression: against least squares by other routes, and every way in which it must refuse."""

import numpy as np
import pytest
import torch
from scipy.stats import beta, binom

from whp.errors import InputError
from whp.models.kernel_regression import (
    Accuracy,
    NotPositiveDefiniteError,
    classification_accuracy,
    encode_labels,
    kernel_regression,
)


def features(n, d, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d)))


class TestFit:
    def test_predictions_are_those_of_the_least_norm_weights(self):
        A, A_test, Y = features(20, 50), features(7, 50, 1), features(20, 3, 2)
        w = np.linalg.lstsq(A.numpy(), Y.numpy(), rcond=None)[0]  # the interpolant of least norm
        fit = kernel_regression(A @ A.T, Y)
        np.testing.assert_allclose(fit.predict(A_test @ A.T), A_test.numpy() @ w, rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(fit.predict(A @ A.T), Y, rtol=1e-9, atol=1e-9)
        assert fit.jitter == 0

    def test_jitter_is_ridge_regression_and_is_reported(self):
        A, A_test, y = features(30, 8), features(7, 8, 1), features(30, 1, 2)[:, 0]
        fit = kernel_regression(A @ A.T, y, jitter=0.7)
        w = torch.linalg.solve(A.T @ A + 0.7 * torch.eye(8, dtype=A.dtype), A.T @ y)
        torch.testing.assert_close(fit.predict(A_test @ A.T), A_test @ w, rtol=1e-9, atol=1e-9)
        assert fit.jitter == 0.7
        assert fit.coefficients.shape == (30,)

    @pytest.mark.parametrize("jitter", [0.0, 0.3])
    def test_what_is_left_out_is_predicted_by_the_others(self, jitter):
        A, Y = features(12, 30), features(12, 2, 1)
        H = A @ A.T
        found = kernel_regression(H, Y, jitter=jitter).left_out
        for i in range(12):
            others = [k for k in range(12) if k != i]
            fit = kernel_regression(H[others][:, others], Y[others], jitter=jitter)
            torch.testing.assert_close(found[i : i + 1], fit.predict(H[i : i + 1, others]))
        alone = kernel_regression(H, Y[:, 1], jitter=jitter).left_out
        torch.testing.assert_close(alone, found[:, 1])
        assert not torch.allclose(found, Y, atol=0.1)  # it is not the fit itself

    def test_the_condition_number_is_that_of_the_1_norm(self):
        A = features(15, 30)
        H = A @ A.T
        assert kernel_regression(H, A[:, 0]).condition == pytest.approx(np.linalg.cond(H.numpy(), 1))
        shifted = H.numpy() + 2 * np.eye(15)
        assert kernel_regression(H, A[:, 0], jitter=2).condition == pytest.approx(np.linalg.cond(shifted, 1))

    def test_float32_is_solved_in_float64(self):
        A = features(10, 20)
        H = (A @ A.T).to(torch.float32)
        fit = kernel_regression(H, A[:, 0])
        exact = torch.linalg.solve(H.to(torch.float64), A[:, 0])
        torch.testing.assert_close(fit.coefficients, exact, rtol=1e-10, atol=1e-12)

    @pytest.mark.parametrize("lowest", [-0.5, 0.0])
    def test_a_matrix_that_is_not_positive_definite_is_said_with_its_smallest_eigenvalue(self, lowest):
        Q = torch.linalg.qr(features(6, 6)).Q
        values = torch.tensor([lowest, 1.0, 2, 3, 4, 5], dtype=torch.float64)
        H = (Q * values) @ Q.T
        with pytest.raises(NotPositiveDefiniteError, match="must be positive definite") as caught:
            kernel_regression(H, Q[0])
        said = float(str(caught.value).split("smallest eigenvalue ")[1].split(",")[0])
        assert said == pytest.approx(lowest, abs=1e-14)
        # What was asked for is added and nothing else: too little of it is still refused.
        assert kernel_regression(H, Q[0], jitter=1.0).jitter == 1.0
        if lowest < 0:
            with pytest.raises(NotPositiveDefiniteError, match=r"smallest eigenvalue -0\.25"):
                kernel_regression(H, Q[0], jitter=0.25)

    def test_the_same_image_twice_is_refused(self):
        A = features(5, 9)[[0, 1, 2, 3, 3]]
        with pytest.raises(NotPositiveDefiniteError):
            kernel_regression(A @ A.T, A[:, 0])

    @pytest.mark.parametrize(
        ("H", "Y", "jitter", "words"),
        [
            (torch.eye(3)[:2], torch.ones(2), 0.0, "H must be of shape"),
            (torch.zeros(0, 0), torch.ones(0), 0.0, "H must be of shape"),
            (torch.eye(3), torch.ones(2), 0.0, "Y must be of shape"),
            (torch.eye(3), torch.ones(3, 1, 1), 0.0, "Y must be of shape"),
            (torch.eye(3) / 0, torch.ones(3), 0.0, "H must be finite"),
            (torch.eye(3), torch.ones(3) * float("nan"), 0.0, "Y must be finite"),
            (torch.eye(3).tril() + torch.ones(3, 3).tril(), torch.ones(3), 0.0, "H must be symmetric"),
            (torch.eye(3), torch.ones(3), -1.0, "jitter must be zero or positive"),
            (torch.eye(3), torch.ones(3), float("nan"), "jitter must be zero or positive"),
        ],
    )
    def test_wrong_arguments_are_refused(self, H, Y, jitter, words):
        with pytest.raises(InputError, match=words):
            kernel_regression(H, Y, jitter=jitter)

    def test_a_kernel_of_other_training_points_is_refused(self):
        fit = kernel_regression(torch.eye(3), torch.ones(3))
        with pytest.raises(InputError, match=r"K must be of shape \(n_test, 3\)"):
            fit.predict(torch.ones(3, 4))


class TestLabels:
    def test_encoding_is_as_printed(self):
        # "if the class label is 3, we use (-0.1, -0.1, 0.9, -0.1, ..., -0.1)": there labels start at 1.
        expected = torch.full((1, 10), -0.1, dtype=torch.float64)
        expected[0, 2] = 0.9
        torch.testing.assert_close(encode_labels(torch.tensor([2]), 10), expected)
        assert encode_labels(torch.arange(10), 10).sum().item() == pytest.approx(0, abs=1e-12)

    @pytest.mark.parametrize("labels", [[-1], [3], []])
    def test_labels_out_of_range_are_refused(self, labels):
        with pytest.raises(InputError, match="labels must be"):
            encode_labels(torch.tensor(labels, dtype=torch.int64), 3)


class TestAccuracy:
    def test_counts_the_largest_output(self):
        outputs = torch.tensor([[1.0, 2, 0], [0, 0, -1], [-3, -2, -1]])
        found = classification_accuracy(outputs, torch.tensor([1, 1, 2]))
        assert found == Accuracy(2, 3)
        assert found.share == pytest.approx(2 / 3)

    @pytest.mark.parametrize(("k", "n"), [(0, 12), (5, 12), (12, 12), (770, 1000)])
    def test_interval_is_the_inversion_of_two_tails(self, k, n):
        found = Accuracy(k, n).interval(0.01)
        if k > 0:
            assert binom.sf(k - 1, n, found.low) == pytest.approx(0.005)
            assert found.low == pytest.approx(beta.ppf(0.005, k, n - k + 1))
        if k < n:
            assert binom.cdf(k, n, found.high) == pytest.approx(0.005)
        assert (found.low == 0) == (k == 0)
        assert (found.high == 1) == (k == n)

    def test_wrong_arguments_are_refused(self):
        for call, words in [
            (lambda: classification_accuracy(torch.ones(3), torch.ones(3)), "outputs must be"),
            (lambda: classification_accuracy(torch.ones(3, 2), torch.ones(2)), "labels must be"),
            (lambda: classification_accuracy(torch.ones(2, 2) / 0, torch.ones(2)), "outputs must be finite"),
            (lambda: Accuracy(1, 2).interval(0.0), "alpha must be in"),
        ]:
            with pytest.raises(InputError, match=words):
                call()
