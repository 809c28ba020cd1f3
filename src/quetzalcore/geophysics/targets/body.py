"""Fit one simple body to the field around one anomaly: place, depth, magnetic moment, uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.targets.anomaly import BodyShape

__all__ = ["BodyFit", "FieldSample", "fit_body", "unit_fields"]

Floats = NDArray[np.float64]
MU0_OVER_4PI_NT = 100.0  # nT m / A
_ROUNDS = 12
_MOMENTS = 3  # linear unknowns that are the moment; then base level and two slopes
_TOLERANCE = 1e-4
_DEPTH_FACTOR = 8.0  # how far the fit may move from the first guess of depth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldSample:
    """Total field at k points around one anomaly, in metres from a local origin."""

    easting_m: Floats
    northing_m: Floats
    tmi_nt: Floats
    spacing_m: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyFit:
    """A fitted body. The moment is A m^2, or A m^2 per metre of depth for pipe and sheet.

    ``moment`` is (easting, northing, upward) with ``moment_covariance`` (3, 3); depth is below the
    plane of the data.
    """

    shape: BodyShape
    easting_m: float
    northing_m: float
    depth_m: float
    depth_sigma_m: float
    moment: Floats
    moment_covariance: Floats
    residual_nt: float
    explained: float
    independent: float


def unit_fields(
    shape: BodyShape, easting_m: Floats, northing_m: Floats, depth_m: float, field: Floats
) -> Floats:
    """Return the total field, (k, 3) nT, of a unit moment along each axis at the origin's depth.

    Point dipole for ball and line, vertical column without a bottom for pipe and sheet (unit moment
    per metre of depth). ``field`` is the unit vector (easting, northing, upward) of the main field.

    Notes
    -----
    With r the vector from source to sensor, the tensor is the second derivative of 1/r; integrated
    over depth to infinity its vertical components are r_i / r^3 and its horizontal ones derive from
    -ln(r + depth).
    """
    x, y, z = easting_m, northing_m, depth_m
    square = x * x + y * y + z * z
    r = np.sqrt(square)
    if shape in {BodyShape.BALL, BodyShape.LINE}:
        along = (x * field[0] + y * field[1] + z * field[2]) * 3.0 / (square * square * r)
        cube = 1.0 / (square * r)
        columns = [along * axis - f * cube for axis, f in zip((x, y, z), field, strict=True)]
    else:
        cube = 1.0 / (square * r)
        flat = 1.0 / (r * (r + z))
        bend = (2.0 * r + z) * cube / (r + z) ** 2
        xy = x * y * bend
        columns = [
            (x * x * bend - flat) * field[0] + xy * field[1] + x * cube * field[2],
            xy * field[0] + (y * y * bend - flat) * field[1] + y * cube * field[2],
            x * cube * field[0] + y * cube * field[1] + z * cube * field[2],
        ]
    return MU0_OVER_4PI_NT * np.column_stack(columns)


def fit_body(
    shape: BodyShape,
    sample: FieldSample,
    *,
    start_m: tuple[float, float, float],
    field: Floats,
    length_m: float = 0.0,
    strike_deg: float = 0.0,
) -> BodyFit | None:
    """Fit place, depth, moment, base level and slope by least squares.

    Position and log depth are solved by damped Gauss-Newton; moment, base and slope are linear and
    are eliminated at each step (variable projection, Golub & Pereyra 1973). ``start_m`` is
    (easting, northing, depth); ``length_m`` spreads line and sheet along ``strike_deg``. None where
    the fit has too few points or leaves the neighbourhood.

    References
    ----------
    Golub, G. H., & Pereyra, V. (1973). The differentiation of pseudo-inverses and nonlinear least
    squares problems whose variables separate. SIAM Journal on Numerical Analysis, 10(2), 413-432.
    """
    if len(sample.tmi_nt) < 2 * (2 * _MOMENTS + _MOMENTS):
        return None
    model = _Model(shape, sample, field, _nodes(length_m, strike_deg, start_m[2]))
    point = np.array([start_m[0], start_m[1], np.log(start_m[2])])
    scale = np.array([start_m[2], start_m[2], 1.0])
    point, jacobian, residual = _descend(model, point, scale)
    wandered = np.hypot(point[0] - start_m[0], point[1] - start_m[1])
    factor = np.exp(abs(point[2] - np.log(start_m[2])))
    if factor > _DEPTH_FACTOR or wandered > length_m + 4.0 * start_m[2]:
        return None
    return _result(model, point, scale, jacobian, residual)


class _Model:
    """The linear problem at one place and depth."""

    def __init__(
        self, shape: BodyShape, sample: FieldSample, field: Floats, nodes: tuple[Floats, Floats]
    ) -> None:
        self.shape, self.sample, self.field = shape, sample, field
        self.offsets, self.weights = nodes
        extent = max(float(np.ptp(sample.easting_m)), float(np.ptp(sample.northing_m)), 1.0)
        self.plane = np.column_stack(
            [
                np.ones(len(sample.tmi_nt)),
                sample.easting_m / extent,
                sample.northing_m / extent,
            ]
        )

    def design(self, point: Floats) -> Floats:
        """Return the matrix (k, 6) of moment, base and slopes."""
        depth = float(np.exp(point[2]))
        total = np.zeros((len(self.sample.tmi_nt), _MOMENTS))
        for (east, north), weight in zip(self.offsets, self.weights, strict=True):
            total += weight * unit_fields(
                self.shape,
                self.sample.easting_m - point[0] - east,
                self.sample.northing_m - point[1] - north,
                depth,
                self.field,
            )
        return np.hstack([total, self.plane])

    def solve(self, point: Floats) -> tuple[Floats, Floats]:
        """Return the linear unknowns (6,) and the residual (k,)."""
        matrix = self.design(point)
        size = np.linalg.norm(matrix, axis=0)
        scaled = matrix / size
        normal = scaled.T @ scaled + 1e-10 * np.eye(len(size))
        unknowns = np.linalg.solve(normal, scaled.T @ self.sample.tmi_nt)
        return unknowns / size, self.sample.tmi_nt - scaled @ unknowns


def _nodes(length_m: float, strike_deg: float, depth_m: float) -> tuple[Floats, Floats]:
    """Spread a body along strike: Gauss-Legendre nodes (n, 2) and weights that sum to 1."""
    if length_m <= 0.0:
        return np.zeros((1, 2)), np.ones(1)
    count = int(np.clip(np.ceil(1.5 * length_m / depth_m), 3, 15))
    place, weight = np.polynomial.legendre.leggauss(count)
    strike = np.radians(strike_deg)
    along = 0.5 * length_m * place
    return np.column_stack([along * np.sin(strike), along * np.cos(strike)]), 0.5 * weight


def _descend(model: _Model, point: Floats, scale: Floats) -> tuple[Floats, Floats, Floats]:
    """Levenberg-Marquardt on (easting, northing, log depth)."""
    _, residual = model.solve(point)
    cost, damping = float(residual @ residual), 1e-2
    jacobian = _jacobian(model, point, scale, residual)
    for _ in range(_ROUNDS):
        normal = jacobian.T @ jacobian
        step = -np.linalg.solve(
            normal + damping * np.diag(np.diag(normal) + 1e-30), jacobian.T @ residual
        )
        step = np.clip(step, -1.0, 1.0)
        trial = point + step * scale
        _, new = model.solve(trial)
        if float(new @ new) < cost:
            gain = cost - float(new @ new)
            point, residual, cost = trial, new, float(new @ new)
            damping = max(damping / 5.0, 1e-6)
            jacobian = _jacobian(model, point, scale, residual)
            if gain < _TOLERANCE * cost and np.abs(step).max() < 1e-2:  # noqa: PLR2004 -- 1 % of a depth
                break
        else:
            damping *= 8.0
    return point, jacobian, residual


def _jacobian(model: _Model, point: Floats, scale: Floats, residual: Floats) -> Floats:
    small = 1e-4
    columns = [
        (model.solve(point + small * scale * axis)[1] - residual) / small for axis in np.eye(3)
    ]
    return np.column_stack(columns)


def _result(
    model: _Model, point: Floats, scale: Floats, jacobian: Floats, residual: Floats
) -> BodyFit:
    unknowns, _ = model.solve(point)
    depth = float(np.exp(point[2]))
    count = len(residual)
    # Neighbours closer than the depth see the same misfit: they are not independent.
    independent = max(12.0, count * min(1.0, (1.5 * model.sample.spacing_m / depth) ** 2))
    variance = float(residual @ residual) / count
    inflation = variance * count / max(independent - 2 * _MOMENTS - _MOMENTS, 3.0)
    geometry = np.linalg.pinv(jacobian.T @ jacobian) * inflation
    trend = model.plane @ np.linalg.lstsq(model.plane, model.sample.tmi_nt, rcond=None)[0]
    total = float(np.sum((model.sample.tmi_nt - trend) ** 2))
    return BodyFit(
        shape=model.shape,
        easting_m=float(point[0]),
        northing_m=float(point[1]),
        depth_m=depth,
        depth_sigma_m=float(depth * np.sqrt(geometry[2, 2])),
        moment=unknowns[:_MOMENTS],
        moment_covariance=_moment_covariance(model, point, scale, geometry, inflation),
        residual_nt=float(np.sqrt(variance)),
        explained=1.0 - float(residual @ residual) / total if total > 0 else 0.0,
        independent=independent,
    )


def _moment_covariance(
    model: _Model, point: Floats, scale: Floats, geometry: Floats, inflation: float
) -> Floats:
    """Add to the moment's own uncertainty what place and depth pass on to it."""
    matrix = model.design(point)
    size = np.linalg.norm(matrix, axis=0)
    scaled = matrix / size
    own = np.linalg.pinv(scaled.T @ scaled) * inflation / np.outer(size, size)
    base, _ = model.solve(point)
    small = 1e-3
    slope = np.column_stack(
        [
            (model.solve(point + small * scale * axis)[0] - base)[:_MOMENTS] / small
            for axis in np.eye(3)
        ]
    )
    covariance: Floats = own[:_MOMENTS, :_MOMENTS] + slope @ geometry @ slope.T
    return covariance
