r"""Gradient descent on a model whose kernel stays near K stays near the linear model with kernel K.

Setting   u: R^N -> R^n differentiable with Jacobian J, u(0) = u_lin(0) = 0, |y_i| <= 1; gradient descent
          on |u - y|^2 / (2n) from theta(0) and on the linear model with kernel K from omega(0).
          Assumption C.1: ||J(theta) J(theta')^T - K|| <= epsilon within R of theta(0), epsilon < ||K||.
Claim     If eta <= n / ||K|| and R^2 epsilon < n, then for a universal constant c and all t <= c R^2 / eta
          |u(t) - u_lin(t)| <~ eta t epsilon / sqrt(n), |theta(t) - theta(0)| <= R, |omega(t)| <= R.
Constants With c = 0.12 the proof goes through, and gives C = e^c < 1.13 in the first inequality
          (docs/closeness.md). C = 0.5 is too small and c = 10 too large, as the twins show.
Measured  The excess of each inequality over all t up to the horizon, at most 200. The models are
          u = J theta with J J^T = K + E, and u_i = a_i . theta + s (sin(b_i . theta + p_i) - sin p_i),
          K = A A^T, for which epsilon = 2 s ||A|| ||B|| + s^2 ||B||^2 serves in all of R^N, so that R may
          be as large as the hypotheses admit. And for random models of the second form, with
          epsilon measured along training as `whp.models.measure_closeness` does: how often the
          inequalities fail, and the constant C that they imply.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from whp.claims import Design, Path, Twin, always, bound, claim, experiment, search, symbols
from whp.models.general import CLOSENESS_CONSTANT, MOVEMENT_CONSTANT

m = symbols("m")
TOLERANCE = 1e-9
STEPS = 200
MODELS = {
    "seed": st.integers(0, 2**32 - 1),
    "kind": st.sampled_from(["linear", "sine"]),
    "size": st.integers(1, 5),
    # At larger deviations the theorem speaks of no step at all: R^2 epsilon < n, and t <= 0.12 R^2 / eta.
    "deviation": st.sampled_from([0.03, 0.01, 0.1, 0.003, 0.001]),
    "rate": st.sampled_from([1.0, 0.3]),
    "room": st.sampled_from([0.999, 0.3]),
}


class Model:
    """u(theta) = A theta + s (sin(B theta + p) - sin p), with the K that it is compared with."""

    def __init__(self, rng, size, width, kind, deviation):
        values = rng.choice([0.0, 1.0, 0.03, 0.3], size)
        values[0] = 1.0  # |K| = 1
        Q = np.linalg.qr(rng.standard_normal((size, size)))[0]
        self.K = (Q * values) @ Q.T
        self.p = rng.uniform(0, 2 * math.pi, size)
        frame = np.linalg.qr(rng.standard_normal((width, size)))[0].T  # (size, width), orthonormal rows
        if kind == "linear":
            moved = np.maximum(values + deviation * rng.choice([-1.0, 0.0, 1.0], size), 0.0)
            self.A, self.B, self.s = (Q * np.sqrt(moved)) @ frame, np.zeros((size, width)), 0.0
            self.epsilon = np.abs(moved - values).max()
        else:
            self.A, B = (Q * np.sqrt(values)) @ frame, rng.standard_normal((size, width))
            self.B, self.s = B / np.linalg.norm(B, 2), math.sqrt(1 + deviation) - 1  # 2 s + s^2 = deviation
            self.epsilon = deviation
        aligned = Q[:, rng.integers(size)]
        self.y = rng.choice([aligned / np.abs(aligned).max(), rng.choice([-1.0, 1.0], size)])

    def outputs(self, theta):
        return self.A @ theta + self.s * (np.sin(self.B @ theta + self.p) - np.sin(self.p))

    def jacobian(self, theta):
        return self.A + self.s * np.cos(self.B @ theta + self.p)[:, None] * self.B

    def mean_jacobian(self, theta, other):
        """Averaged over the segment, in closed form: the mean of cos is a difference quotient of sin."""
        half = self.B @ (other - theta) / 2
        mean = np.cos(self.B @ (theta + other) / 2 + self.p) * np.sinc(half / math.pi)
        return self.A + self.s * mean[:, None] * self.B


def descend(model, eta, steps):
    """theta and u along gradient descent, u_lin and |omega|, and the norms of the proof's E."""
    n, theta, u_lin = len(model.y), np.zeros(model.A.shape[1]), np.zeros(len(model.y))
    values, vectors = np.linalg.eigh(model.K)
    features = vectors * np.sqrt(np.maximum(values, 0.0))  # K = Phi Phi^T; |omega| is the same for any
    omega = np.zeros(n)
    rows, deviations = [], []
    for _ in range(steps):
        J = model.jacobian(theta)
        after = theta - eta / n * J.T @ (model.outputs(theta) - model.y)
        mean = model.mean_jacobian(theta, after)
        deviations.append((mean @ J.T - model.K, J @ J.T - model.K))
        omega = omega - eta / n * features.T @ (u_lin - model.y)
        theta, u_lin = after, features @ omega
        gap = np.linalg.norm(model.outputs(theta) - u_lin)
        rows.append((gap, np.linalg.norm(theta), np.linalg.norm(omega)))
    return np.array(rows), np.linalg.norm(np.array(deviations), 2, axis=(2, 3)).max()


def setting(seed, kind, size, deviation, rate, room, c):
    """A model, its learning rate, R and the number of steps that the theorem speaks of."""
    rng = np.random.default_rng(seed)
    model = Model(rng, size, size + int(rng.integers(3)), kind, deviation)
    eta = rate * size  # |K| = 1
    if model.epsilon == 0:
        return model, eta, 1.0, 0
    radius = math.sqrt(room * size / model.epsilon)
    return model, eta, radius, min(STEPS, math.floor(c * radius**2 / eta))


def closeness(seed, kind, size, deviation, rate, room, constant=CLOSENESS_CONSTANT):
    """|u - u_lin| over C eta t epsilon / sqrt n, less one."""
    model, eta, _, steps = setting(seed, kind, size, deviation, rate, room, MOVEMENT_CONSTANT)
    if steps == 0:
        return -1.0
    rows, _ = descend(model, eta, steps)
    scale = eta * np.arange(1, steps + 1) * model.epsilon / math.sqrt(size)
    return (rows[:, 0] / scale).max() / constant - 1


def closeness_halved(seed, kind, size, deviation, rate, room):
    return closeness(seed, kind, size, deviation, rate, room, 0.5)


def movement(seed, kind, size, deviation, rate, room, c=MOVEMENT_CONSTANT):
    """The larger of |theta(t)| and |omega(t)| over R, less one."""
    model, eta, radius, steps = setting(seed, kind, size, deviation, rate, room, c)
    if steps == 0:
        return -1.0
    return descend(model, eta, steps)[0][:, 1:].max() / radius - 1


def movement_longer(seed, kind, size, deviation, rate, room):
    return movement(seed, kind, size, deviation, rate, room, 10.0)


@experiment(
    quick=Design(Path(m=(8,)), {"deviation": [0.01]}, trials=(1020, 2700)),
    standard=Design(Path(m=(6, 12)), {"deviation": [0.001, 0.01]}, trials=(1300, 2700)),
)
def measured(p, rng, device):
    """A random model, with epsilon measured along its first steps; R is the least that covers them."""
    n, steps = p.m - 2, 10
    model = Model(rng, n, p.m, "sine", p.deviation)
    eta = n  # n / |K|
    rows, epsilon = descend(model, eta, steps)
    radius = math.sqrt(eta * steps / MOVEMENT_CONSTANT)  # R^2 epsilon < 84 n epsilon < n
    scale = eta * np.arange(1, steps + 1) * epsilon / math.sqrt(n)
    return {"C": (rows[:, 0] / scale).max(), "movement": rows[:, 1:].max() / radius}


def searched(check):
    """A search of a fixed number of models."""
    return search(check, given=MODELS, examples=(100, 600, 5000), tolerance=TOLERANCE)


def searched_twin(check):
    """The same for a twin, whose counterexample nobody reads."""
    return search(check, given=MODELS, examples=(100, 600, 5000), tolerance=TOLERANCE, shrink=False)


theorem = claim(
    "hu2020.thm_c_2",
    always(
        name="closeness",
        experiment=searched(closeness),
        statement=r"|u(t) - u^{\mathrm{lin}}(t)| \le 1.13\, \eta t \varepsilon / \sqrt n,"
        r"\quad t \le 0.12\, R^2 / \eta",
        tolerance=TOLERANCE,
        twins={"constant": Twin("1/2 in place of 1.13", experiment=searched_twin(closeness_halved))},
    ),
    always(
        name="movement",
        experiment=searched(movement),
        statement=r"|\theta(t) - \theta(0)|,\, |\omega(t)| \le R, \quad t \le 0.12\, R^2 / \eta",
        tolerance=TOLERANCE,
        twins={"horizon": Twin("10 in place of 0.12", experiment=searched_twin(movement_longer))},
    ),
    bound(
        name="random models, closeness",
        experiment=measured,
        statistic="C",
        quantity=r"\sup_t |u(t) - u^{\mathrm{lin}}(t)| \sqrt n / (\eta t \varepsilon)",
        bound=CLOSENESS_CONSTANT,
        delta=0.01,
        twins={"constant": Twin("1/100 in place of 1.13", bound=0.01)},
    ),
    bound(
        name="random models, movement",
        experiment=measured,
        statistic="movement",
        quantity=r"\sup_t |\theta(t) - \theta(0)| / R",
        bound=1,
        delta=0.01,
        twins={"constant": Twin("R / 100 in place of R", bound=0.01)},
    ),
    title="A model whose kernel stays near K trains like the linear model with kernel K",
    locus="Assumption C.1, Theorem C.2",
    regime="met",
    assumptions=(
        r"$u(0) = u^{\mathrm{lin}}(0) = 0$, $|y_i| \le 1$, $\eta \le n / \|K\|$, $R^2 \varepsilon < n$.",
        r"The universal constants: $c = 0.12$ and $C = 1.13$, for which the printed proof goes through.",
    ),
)
