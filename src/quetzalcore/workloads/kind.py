"""What a job kind is; light, so that the gateway can know every kind and import none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from quetzalcore.jobs.model import Resources

__all__ = ["Kind"]


def _default_resources(_params: Mapping[str, Any], _sizes: Mapping[str, int]) -> Resources:
    return Resources()


def _assume_nothing(_params: Mapping[str, Any], _today: dt.date) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of job.

    Parameters
    ----------
    name : str
        As in ``POST /api/jobs``.
    version : str
        Raised whenever the same parameters and inputs may give another result; part of the reuse key.
    title : str
        One line for people.
    params : type of BaseModel
        Validates and completes the parameters; must import nothing heavy.
    run : str
        ``module:function`` of a ``TaskFunction``, imported only inside a VM.
    inputs : (int, int)
        The least and the greatest number of input files.
    tier : str
        ``bare`` or ``numeric``: what a warm VM has imported.
    resources : callable
        The default request from validated parameters and the size in bytes of each input by name.
    assume : callable
        From validated parameters and the day of the submission: what stands in for what was left out,
        JSON values by dotted name (``field.date``). The job keeps it, so that it means the same on
        every day, and no result of another day is given for it.
    wall_s : float
        The default limit.
    reusable : bool
        Whether a finished result may be given again for identical work.
    forkable : bool
        Whether it may run as a fork of a warm VM that serves the same tenant.
    waits : bool
        Short enough that an HTTP caller usually waits for it.
    stages : tuple of str
        Names from which it can be run again.
    example : mapping
        Parameters for the documentation.
    """

    name: str
    version: str
    title: str
    params: type[BaseModel]
    run: str
    inputs: tuple[int, int] = (0, 0)
    tier: str = "bare"
    resources: Callable[[Mapping[str, Any], Mapping[str, int]], Resources] = _default_resources
    assume: Callable[[Mapping[str, Any], dt.date], Mapping[str, Any]] = _assume_nothing
    wall_s: float = 600.0
    reusable: bool = True
    forkable: bool = False
    waits: bool = False
    stages: tuple[str, ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
