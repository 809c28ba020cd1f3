"""Fit one body to the field around one anomaly by damped least squares, with uncertainties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.targets.body import Body, FieldSample

__all__ = ["BodyFit", "fit_body"]

Floats = NDArray[np.float64]
_ROUNDS = 12
_AXES = 3  # linear unknowns that are the moment; a base level and two slopes follow
_ENOUGH = 1e-3  # relative gain below which the descent stops
_SMALL = 1e-4  # of a step, for derivatives


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyFit:
    """A fitted body: its numbers, its moment, and the covariance of both together.

    ``covariance`` is of ``(point / step, moment)``. ``explained`` is the share of the field's
    variance, a plane taken off, that the body explains; ``misfit`` is the sum of squares, nT^2;
    ``independent`` is the number of points that count as independent.
    """

    point: Floats
    moment: Floats
    covariance: Floats
    explained: float
    misfit: float
    independent: float

    @property
    def moment_covariance(self) -> Floats:
        """Covariance of the moment, (3, 3)."""
        return self.covariance[-_AXES:, -_AXES:]

    @property
    def depth_m(self) -> float:
        """Depth below the plane of the data, metres."""
        return float(np.exp(self.point[2]))

    @property
    def depth_sigma_m(self) -> float:
        """One standard deviation of the depth, metres."""
        return float(self.depth_m * np.sqrt(self.covariance[2, 2]))


def fit_body(body: Body, sample: FieldSample) -> BodyFit:
    """Fit a body's numbers, its moment, base level and slope.

    Place, depth and size are solved by Levenberg-Marquardt; moment, base and slope are linear and
    are eliminated at each step (variable projection, Golub & Pereyra 1973). What the body expects
    of its numbers counts as data with its own spread. The sample should have at least twice as many
    points as there are unknowns (24 for a block).

    References
    ----------
    Golub, G. H., & Pereyra, V. (1973). The differentiation of pseudo-inverses and nonlinear least
    squares problems whose variables separate. SIAM Journal on Numerical Analysis, 10(2), 413-432.
    """
    problem = _Problem(body, sample)
    point, residual, jacobian = _descend(problem)
    return _result(problem, point, residual, jacobian)


class _Problem:
    """The linear problem at given numbers; scratch that the descent shares."""

    def __init__(self, body: Body, sample: FieldSample) -> None:
        self.body, self.sample = body, sample
        depth = float(np.exp(body.expected[2]))
        count = len(sample.tmi_nt)
        # Neighbours closer than the depth see the same misfit: they are not independent.
        share = min(1.0, (1.5 * sample.spacing_m / depth) ** 2)
        self.independent = max(12.0, count * share)
        self.weight = sample.noise_nt * np.sqrt(count / self.independent)
        extent = max(float(np.ptp(sample.easting_m)), float(np.ptp(sample.northing_m)))
        self.plane = np.column_stack(
            [np.ones(count), sample.easting_m / extent, sample.northing_m / extent]
        )

    def solve(self, point: Floats) -> tuple[Floats, Floats]:
        """Return moment, base and slopes (6,), and the residual of field and expectation."""
        matrix = np.hstack([self.body.fields(self.sample, point), self.plane])
        size = np.linalg.norm(matrix, axis=0) + np.finfo(float).tiny
        scaled = matrix / size
        normal = scaled.T @ scaled + 1e-10 * np.eye(len(size))
        unknowns = np.linalg.solve(normal, scaled.T @ self.sample.tmi_nt)
        misfit = self.sample.tmi_nt - scaled @ unknowns
        surprise = self.weight * (point - self.body.expected) / self.body.spread
        return unknowns / size, np.concatenate([misfit, surprise])

    def slopes(self, point: Floats, linear: Floats, residual: Floats) -> tuple[Floats, Floats]:
        """Return derivatives of the linear unknowns and of the residual by (point / step)."""
        shifted = [self.solve(point + _SMALL * d) for d in np.diag(self.body.step)]
        by_linear = np.column_stack([(other[0] - linear) / _SMALL for other in shifted])
        by_residual = np.column_stack([(other[1] - residual) / _SMALL for other in shifted])
        return by_linear, by_residual


def _descend(problem: _Problem) -> tuple[Floats, Floats, Floats]:
    point = problem.body.expected
    linear, residual = problem.solve(point)
    cost, damping = float(residual @ residual), 1e-2
    _, jacobian = problem.slopes(point, linear, residual)
    for _ in range(_ROUNDS):
        normal = jacobian.T @ jacobian
        damped = normal + damping * np.diag(np.diag(normal) + 1e-12 * np.trace(normal) + 1e-30)
        step = np.clip(-np.linalg.solve(damped, jacobian.T @ residual), -1.0, 1.0)
        trial = point + step * problem.body.step
        new_linear, new = problem.solve(trial)
        gain = cost - float(new @ new)
        if gain <= 0.0:
            damping *= 8.0
            continue
        point, linear, residual, cost = trial, new_linear, new, cost - gain
        damping = max(damping / 5.0, 1e-6)
        _, jacobian = problem.slopes(point, linear, residual)
        if gain < _ENOUGH * cost:
            break
    return point, residual, jacobian


def _result(problem: _Problem, point: Floats, residual: Floats, jacobian: Floats) -> BodyFit:
    sample = problem.sample
    count = len(sample.tmi_nt)
    linear, _ = problem.solve(point)
    by_linear, _ = problem.slopes(point, linear, residual)
    misfit = float(residual[:count] @ residual[:count])
    free = max(problem.independent - len(point) - len(linear), 3.0)
    inflation = max(misfit / free, problem.weight**2)
    geometry = np.asarray(np.linalg.pinv(jacobian.T @ jacobian)) * inflation
    matrix = np.hstack([problem.body.fields(sample, point), problem.plane])
    size = np.linalg.norm(matrix, axis=0) + np.finfo(float).tiny
    own = np.linalg.pinv((matrix / size).T @ (matrix / size)) * inflation / np.outer(size, size)
    passed_on = by_linear[:_AXES] @ geometry
    covariance = np.block(
        [
            [geometry, passed_on.T],
            [passed_on, own[:_AXES, :_AXES] + passed_on @ by_linear[:_AXES].T],
        ]
    )
    trend = problem.plane @ np.linalg.lstsq(problem.plane, sample.tmi_nt, rcond=None)[0]
    total = float(np.sum((sample.tmi_nt - trend) ** 2))
    return BodyFit(
        point=point,
        moment=linear[:_AXES],
        covariance=covariance,
        explained=max(1.0 - misfit / total, 0.0) if total > 0.0 else 0.0,
        misfit=misfit,
        independent=problem.independent,
    )
