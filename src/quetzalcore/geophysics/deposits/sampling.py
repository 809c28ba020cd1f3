"""Draw magnetisations from a source class: susceptibility, Koenigsberger ratio and remanence together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from quetzalcore.geophysics.deposits.petrophysics import SourceClass

__all__ = ["Magnetization", "draw_magnetization", "even_numbers"]

Floats = NDArray[np.float64]
_VISCOUS_ANGLE_DEG = 10.0  # scatter of remanence that follows the present field


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Magnetization:
    """Drawn magnetisations, each (n,): what a survey would see of them.

    ``apparent_susceptibility_si`` is total magnetisation over inducing field; ``angle_deg`` is
    between the two.
    """

    koenigsberger: Floats
    apparent_susceptibility_si: Floats
    angle_deg: Floats


def draw_magnetization(source: SourceClass, uniform: Floats) -> Magnetization:
    """Turn uniform numbers in (0, 1), (n, 5), into magnetisations of ``source``.

    The columns choose the rock, its susceptibility, its Koenigsberger ratio, whether remanence
    follows the present field, and the angle of remanence to that field. Induced and remanent
    magnetisation add as vectors: with unit inducing field, ``chi (1, 0) + chi Q (cos a, sin a)``.
    """
    edges = np.cumsum([rock.share for rock in source.rocks])
    rock = np.searchsorted(edges / edges[-1], uniform[:, 0]).clip(max=len(edges) - 1)
    chi = _lognormal(source, "susceptibility_si", rock, uniform[:, 1])
    q = _lognormal(source, "koenigsberger", rock, uniform[:, 2])
    parallel = uniform[:, 3] < np.array([each.parallel_share for each in source.rocks])[rock]
    anywhere = np.arccos(1.0 - 2.0 * uniform[:, 4])  # uniform on the sphere
    near = np.radians(_VISCOUS_ANGLE_DEG) * np.sqrt(-2.0 * np.log1p(-uniform[:, 4]))
    angle = np.where(parallel, np.minimum(near, np.pi), anywhere)
    along, across = 1.0 + q * np.cos(angle), q * np.sin(angle)
    return Magnetization(
        koenigsberger=q,
        apparent_susceptibility_si=chi * np.maximum(np.hypot(along, across), 1e-6),
        angle_deg=np.degrees(np.arctan2(across, along)),
    )


def even_numbers(count: int, dimensions: int) -> Floats:
    """Return ``count`` points that fill the unit cube evenly, (count, dimensions), in (0, 1).

    An additive recurrence on powers of the root of ``x**(d + 1) = x + 1``; no randomness.
    """
    root = 1.5
    for _ in range(40):  # a contraction: 40 rounds reach double precision
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    steps = root ** -np.arange(1.0, dimensions + 1)
    points: Floats = np.mod(0.5 + np.outer(np.arange(1, count + 1), steps), 1.0)
    return points.clip(1e-9, 1.0 - 1e-9)


def _lognormal(source: SourceClass, name: str, rock: NDArray[np.intp], uniform: Floats) -> Floats:
    mean = np.array([getattr(each, name).mean_dex for each in source.rocks])[rock]
    sigma = np.array([getattr(each, name).sigma_dex for each in source.rocks])[rock]
    values: Floats = 10.0 ** (mean + sigma * ndtri(uniform))
    return values
