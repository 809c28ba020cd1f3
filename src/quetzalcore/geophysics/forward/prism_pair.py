"""What one prism does at one point: five terms of its tensor, as straight-line scalar arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from quetzalcore.vgpu.arithmetic import angle, log_ratio, power_of_two_scale, scalar, select

__all__ = ["prism_field_pair", "prism_tmi_pair"]

Real = Any  # np.float64 or np.float32


@scalar
def _edges(span: Real, r11: Real, r12: Real, r21: Real, r22: Real) -> Real:
    """Sum the four parallel edges of length ``span`` under one logarithm.

    An edge whose ends are ``a`` and ``b`` away adds ``ln((a + b + L) / (a + b - L))``, signed; here
    each argument is ``a + b``.
    """
    p = (r11 + span) * (r22 + span) * (r12 - span) * (r21 - span)
    q = (r11 - span) * (r22 - span) * (r12 + span) * (r21 + span)
    return log_ratio(p, q)


@scalar
def _face(
    x: Real, y1: Real, y2: Real, z1: Real, z2: Real, ra: Real, rb: Real, rc: Real, rd: Real
) -> tuple[Real, Real]:
    """Return a complex number whose argument is half the solid angle of a rectangle.

    The rectangle is ``y1..y2`` by ``z1..z2`` at ``x`` seen from the origin; ``ra, rb, rc, rd`` are
    the distances of the corners (1, 1), (2, 1), (1, 2), (2, 2). Two triangles by Van Oosterom and
    Strackee (1983), split along a-d.
    """
    xx = x * x
    yy = y1 * y2
    zz = z1 * z2
    ab = xx + yy + z1 * z1
    cd = xx + yy + z2 * z2
    ac = xx + y1 * y1 + zz
    bd = xx + y2 * y2 + zz
    ad = xx + yy + zz
    rad = ra * rd + ad
    lower = rb * rad + ab * rd + bd * ra
    upper = rc * rad + ac * rd + cd * ra
    rise = x * ((y2 - y1) * (z2 - z1))
    # On the face itself the triangles' shared edge would be 0 / 0: the answer there is half of 2 pi.
    on = (x == 0) & (y1 < 0) & (y2 > 0) & (z1 < 0) & (z2 > 0)
    real = select(on, -ra, lower * upper - rise * rise)
    return real, rise * (lower + upper)


@scalar
def _solid_angle(a: tuple[Real, Real], b: tuple[Real, Real], inside: Any, turn: Real) -> Real:  # noqa: ANN401 -- a NumPy or Numba boolean
    """Return the argument of ``b * conj(a)``, in (0, 2 pi) for points inside the prism."""
    half = angle(b[1] * a[0] - b[0] * a[1], b[0] * a[0] + b[1] * a[1])
    return select(inside & (half < 0), half + turn, half)


@scalar
def _bounds(
    e0: Real, n0: Real, u0: Real, west: Real, east: Real, south: Real, north: Real, bottom: Real,
    top: Real,
) -> tuple[Real, Real, Real, Real, Real, Real]:  # fmt: skip
    """Return the bounds seen from the point, scaled by a power of two: products stay in range, exactly."""
    reach = abs(west - e0) + abs(east - e0) + abs(south - n0) + abs(north - n0)
    scale = power_of_two_scale(reach + abs(bottom - u0) + abs(top - u0))
    return (
        (west - e0) * scale,
        (east - e0) * scale,
        (south - n0) * scale,
        (north - n0) * scale,
        (bottom - u0) * scale,
        (top - u0) * scale,
    )


@scalar
def _distance(e: Real, n: Real, u: Real) -> Real:
    return np.sqrt(e * e + n * n + u * u)


@scalar
def _tensor(
    e1: Real, e2: Real, n1: Real, n2: Real, u1: Real, u2: Real, turn: Real
) -> tuple[Real, Real, Real, Real, Real, Real]:  # fmt: skip
    """Return ee, nn, en, eu, nu of the second derivatives of the integral of 1/r, and 4 pi inside.

    The last is 0 outside, and NaN on an edge, where the field is infinite.
    """
    r111 = _distance(e1, n1, u1)
    r211 = _distance(e2, n1, u1)
    r121 = _distance(e1, n2, u1)
    r221 = _distance(e2, n2, u1)
    r112 = _distance(e1, n1, u2)
    r212 = _distance(e2, n1, u2)
    r122 = _distance(e1, n2, u2)
    r222 = _distance(e2, n2, u2)
    en = _edges(u2 - u1, r111 + r112, r121 + r122, r211 + r212, r221 + r222)
    eu = _edges(n2 - n1, r111 + r121, r112 + r122, r211 + r221, r212 + r222)
    nu = _edges(e2 - e1, r111 + r211, r112 + r212, r121 + r221, r122 + r222)
    inside = (e1 < 0) & (e2 > 0) & (n1 < 0) & (n2 > 0) & (u1 < 0) & (u2 > 0)
    west_face = _face(e1, n1, n2, u1, u2, r111, r121, r112, r122)
    east_face = _face(e2, n1, n2, u1, u2, r211, r221, r212, r222)
    south_face = _face(n1, e1, e2, u1, u2, r111, r211, r112, r212)
    north_face = _face(n2, e1, e2, u1, u2, r121, r221, r122, r222)
    ee = _solid_angle(west_face, east_face, inside, turn)
    nn = _solid_angle(south_face, north_face, inside, turn)
    logarithms = en + eu + nu
    own = select(inside, turn + turn, turn - turn) + (logarithms - logarithms)
    return -(ee + ee), -(nn + nn), en, eu, nu, own


@scalar
def prism_field_pair(
    e0: Real, n0: Real, u0: Real, west: Real, east: Real, south: Real, north: Real, bottom: Real,
    top: Real, me: Real, mn: Real, mu: Real, turn: Real,
) -> tuple[Real, Real, Real]:  # fmt: skip
    """Return the field in units of mu0 / (4 pi); ``turn`` is 2 pi."""
    e1, e2, n1, n2, u1, u2 = _bounds(e0, n0, u0, west, east, south, north, bottom, top)
    ee, nn, en, eu, nu, own = _tensor(e1, e2, n1, n2, u1, u2, turn)
    # The trace is -4 pi inside and 0 outside; B = mu0 (H + M) adds 4 pi inside.
    return (
        (ee + own) * me + en * mn + eu * mu,
        en * me + (nn + own) * mn + nu * mu,
        eu * me + nu * mn - (ee + nn + (own - own)) * mu,
    )


@scalar
def prism_tmi_pair(
    e0: Real, n0: Real, u0: Real, west: Real, east: Real, south: Real, north: Real, bottom: Real,
    top: Real, cee: Real, cnn: Real, cen: Real, ceu: Real, cnu: Real, turn: Real,
) -> tuple[Real]:  # fmt: skip
    """Return the field along a direction: ``cee`` and ``cnn`` are less ``uu``'s coefficient (Laplace).

    With M the magnetisation and f the direction, ``cee = fe me - fu mu``, ``cnn = fn mn - fu mu``,
    ``cen = fe mn + fn me`` and so on; inside, B = mu0 (H + M) adds 4 pi (cee + cnn).
    """
    e1, e2, n1, n2, u1, u2 = _bounds(e0, n0, u0, west, east, south, north, bottom, top)
    ee, nn, en, eu, nu, own = _tensor(e1, e2, n1, n2, u1, u2, turn)
    return (cee * (ee + own) + cnn * (nn + own) + cen * en + ceu * eu + cnu * nu,)
