"""Forward modelling: the field of dipoles, spheres and prisms at points."""

from __future__ import annotations

from quetzalcore.geophysics.forward.dipoles import dipole_field, dipole_tmi, sphere_moment
from quetzalcore.geophysics.forward.direction import direction
from quetzalcore.geophysics.forward.prisms import induced_magnetization, prism_field, prism_tmi

__all__ = [
    "dipole_field",
    "dipole_tmi",
    "direction",
    "induced_magnetization",
    "prism_field",
    "prism_tmi",
    "sphere_moment",
]
