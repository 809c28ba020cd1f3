"""Choose the body that explains an anomaly, and read size and apparent susceptibility off it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.targets.anomaly import BodyShape
from quetzalcore.geophysics.targets.body import Ball, Block, FieldSample
from quetzalcore.geophysics.targets.fitting import BodyFit, fit_body
from quetzalcore.geophysics.targets.outline import OutlineAxes

__all__ = ["Interpretation", "interpret"]

Floats = NDArray[np.float64]
_MU0 = 4e-7 * np.pi
_NT = 1e-9
_Z90 = 1.2815515655446004  # an 80 % interval
_ELONGATED = 2.2  # length over width from which a body is called a sheet
_TALL = 4.0  # height over width from which a block is called a pipe
_WIDTH_OVER_DEPTH = 1.3  # of a dipole's analytic signal at half its peak
_FIT_AT_ALL = 0.6  # share of variance below which no body is claimed
_DEEPEST = 4.0  # times the depth that the outline's width suggests: deeper is not this anomaly
_TOP_OVER_CENTRE = 0.6  # first guess of a block's top from a ball's centre
_BALL_WIDTHS = (0.35, 1.5)  # diameter over depth of the centre: any of them gives the same field
_THIN_WIDTHS = (0.1, 0.7)  # width over depth of the top: only width times magnetisation is resolved
_THIN = 0.5
_WORTH_IT = 6.0  # gain in log likelihood, twice, that a block's three more numbers must bring
_COMPACT_TOP = (
    0.62,
    0.2,
)  # top of compact blocks over the depth of the ball that fits, and its spread
_SURE = 30.0  # the same, from which the ball is ruled out: neither body is quite the source's shape
_MOST_SPREAD = 2.5  # standard deviation of log magnetisation beyond which nothing is known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interpretation:
    """A body and what it says. Depth is below the plane of the data; see ``BodyShape`` for to what.

    ``rival_depth_m`` is the depth, with one standard deviation, that the other body would have where
    it explains the field about as well.
    """

    shape: BodyShape
    fit: BodyFit
    rival_depth_m: tuple[float, float] | None
    width_m: float
    length_m: float
    susceptibility_si: float
    susceptibility_interval_si: tuple[float, float]


def interpret(
    axes: OutlineAxes, sample: FieldSample, *, field: Floats, field_nt: float
) -> Interpretation | None:
    """Fit a ball and a block, keep the simpler one unless the other is worth it, and say if both may be.

    None where neither explains 60 % of the field's variance around the anomaly from a place inside
    it and a depth that its width allows.
    """
    guess_m = max(axes.width_m / _WIDTH_OVER_DEPTH, 0.5 * sample.spacing_m)
    ball = fit_body(Ball(easting_m=0.0, northing_m=0.0, depth_m=guess_m, field=field), sample)
    centre_m = float(np.clip(ball.depth_m, 0.4 * guess_m, 2.0 * guess_m))
    block = _block(axes, centre_m, field)
    ball_holds = _holds(ball, axes, guess_m)
    if ball_holds and _is_within_noise(ball, sample):
        return _as_ball(ball, field_nt, rival_depth_m=_compact_top(ball))
    fitted = fit_body(block, sample)
    gain = _gain(fitted, ball, sample)
    block_holds = _holds(fitted, axes, guess_m)
    if block_holds and gain > _WORTH_IT:
        rival = ball if ball_holds and gain < _SURE else None
        return _as_block(block, fitted, field_nt, rival_depth_m=_depth_of(rival))
    if not ball_holds:
        return None
    rival = fitted if block_holds and gain > -_WORTH_IT else None
    return _as_ball(ball, field_nt, rival_depth_m=_depth_of(rival))


def _is_within_noise(fit: BodyFit, sample: FieldSample) -> bool:
    return fit.misfit <= len(sample.tmi_nt) * sample.noise_nt**2


def _compact_top(ball: BodyFit) -> tuple[float, float]:
    """Say where the top of a compact block is whose field the ball's already explains."""
    share, spread = _COMPACT_TOP
    return share * ball.depth_m, spread * share * ball.depth_m


def _depth_of(fit: BodyFit | None) -> tuple[float, float] | None:
    return None if fit is None else (fit.depth_m, fit.depth_sigma_m)


def _holds(fit: BodyFit, axes: OutlineAxes, guess_m: float) -> bool:
    away_m = float(np.hypot(fit.point[0], fit.point[1]))
    return (
        fit.explained >= _FIT_AT_ALL
        and away_m <= 0.5 * axes.length_m + axes.width_m
        and fit.depth_m <= _DEEPEST * guess_m
    )


def _block(axes: OutlineAxes, centre_m: float, field: Floats) -> Block:
    top_m = _TOP_OVER_CENTRE * centre_m
    thin = 0.5 * top_m
    width_m = max(float(np.sqrt(max(axes.width_m**2 - (1.5 * top_m) ** 2, 0.0))), thin)
    longer_m = max(axes.length_m - axes.width_m, 0.0)
    return Block(
        easting_m=0.0,
        northing_m=0.0,
        depth_m=top_m,
        width_m=width_m,
        height_m=3.0 * top_m,
        length_m=width_m + longer_m,
        longer_m=None if axes.length_m > _ELONGATED * axes.width_m else longer_m,
        strike_deg=axes.strike_deg,
        field=field,
    )


def _gain(block: BodyFit, ball: BodyFit, sample: FieldSample) -> float:
    """Return twice the gain in log likelihood, the noise counted in so that nobody wins below it."""
    floor = len(sample.tmi_nt) * sample.noise_nt**2
    return float(block.independent * np.log((ball.misfit + floor) / (block.misfit + floor)))


def _as_ball(
    fit: BodyFit, field_nt: float, *, rival_depth_m: tuple[float, float] | None
) -> Interpretation:
    narrow, wide = (ratio * fit.depth_m for ratio in _BALL_WIDTHS)
    middle = float(np.sqrt(narrow * wide))
    moment, spread = _size_and_spread(fit)

    def ratio(width_m: float) -> float:
        return moment / (np.pi / 6.0 * width_m**3) * _MU0 / (field_nt * _NT)

    return Interpretation(
        shape=BodyShape.BALL,
        fit=fit,
        rival_depth_m=rival_depth_m,
        width_m=middle,
        length_m=middle,
        susceptibility_si=ratio(middle),
        susceptibility_interval_si=(ratio(wide) / np.exp(spread), ratio(narrow) * np.exp(spread)),
    )


def _as_block(
    block: Block, fit: BodyFit, field_nt: float, *, rival_depth_m: tuple[float, float] | None
) -> Interpretation:
    fitted, height = (float(size) for size in np.exp(fit.point[3:5]))
    thin = fitted < _THIN * fit.depth_m
    narrow, wide = (r * fit.depth_m if thin else fitted for r in _THIN_WIDTHS)
    width = float(np.sqrt(narrow * wide))
    length = max(block.length_at(fit.point), width)
    shape = BodyShape.PIPE if height > _TALL * width else BodyShape.BLOCK
    moment, spread = _size_and_spread(fit)
    chi = moment * _MU0 / (field_nt * _NT)
    factor = float(np.exp(_Z90 * spread)) if not thin else 1.0
    return Interpretation(
        shape=BodyShape.SHEET if length > _ELONGATED * width else shape,
        fit=fit,
        rival_depth_m=rival_depth_m,
        width_m=width,
        length_m=length,
        susceptibility_si=chi * fitted / width,
        susceptibility_interval_si=(chi * fitted / wide / factor, chi * fitted / narrow * factor),
    )


def _size_and_spread(fit: BodyFit) -> tuple[float, float]:
    """Return the moment's length and the standard deviation of its logarithm."""
    size = float(np.linalg.norm(fit.moment))
    along = fit.moment / size
    spread = float(np.sqrt(along @ fit.moment_covariance @ along)) / size
    return size, min(max(spread, 0.1), _MOST_SPREAD)
