"""A survey as columns: where and when the sensor was, and what it read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadSurvey

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Bools", "Floats", "HeightRole", "Ints", "Survey"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]


class HeightRole(StrEnum):
    """What a height is measured from; it is named or asked for, never guessed silently."""

    ELLIPSOIDAL = "ellipsoidal"
    ORTHOMETRIC = "orthometric"
    CLEARANCE = "clearance"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Survey:
    """Line data in projected coordinates; every array has shape (n,) and is read-only by convention.

    Parameters
    ----------
    easting_m, northing_m : (n,) float64
        Sensor position on the axes of ``crs``, metres. Finite.
    tmi_nt : (n,) float64
        Total-field reading or anomaly, nT. NaN means no reading.
    line : (n,) int32
        Index into ``line_names``; rows of one line are contiguous and in the order of acquisition.
    line_names : tuple of str
        Names of the lines as the file has them.
    crs : str, optional
        Projected coordinate reference system (``"EPSG:32754"`` or WKT); None for a local frame.
    height_m : (n,) float64, optional
        Sensor height, metres, measured from what ``height_role`` says. NaN means unknown.
    height_role : HeightRole, optional
        What ``height_m`` is measured from.
    time_s : (n,) float64, optional
        Seconds since 1970-01-01T00:00 UTC. NaN means unknown.
    longitude_deg, latitude_deg : (n,) float64, optional
        The same positions on WGS 84, where known.
    channels : mapping of str to (n,) float64
        Everything else that was measured, under the file's own names (gradients, fluxgate, attitude).

    Raises
    ------
    BadSurvey
        If columns differ in length or positions are not finite.
    """

    easting_m: Floats
    northing_m: Floats
    tmi_nt: Floats
    line: Ints
    line_names: tuple[str, ...]
    crs: str | None = None
    height_m: Floats | None = None
    height_role: HeightRole | None = None
    time_s: Floats | None = None
    longitude_deg: Floats | None = None
    latitude_deg: Floats | None = None
    channels: Mapping[str, Floats] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Check that the columns are one table."""
        n = len(self.easting_m)
        for name, column in self.columns().items():
            if len(column) != n:
                raise BadSurvey(
                    f"column {name} has {len(column)} rows and easting_m has {n}",
                    hint="give every column the same length",
                )
        if not (np.isfinite(self.easting_m).all() and np.isfinite(self.northing_m).all()):
            raise BadSurvey(
                "some positions are not finite", hint="drop the rows without a position first"
            )

    def __len__(self) -> int:
        """Count the stations."""
        return len(self.easting_m)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Give every column that is there, by name; channels are prefixed ``channel:``."""
        named: dict[str, NDArray[Any] | None] = {
            "easting_m": self.easting_m,
            "northing_m": self.northing_m,
            "tmi_nt": self.tmi_nt,
            "line": self.line,
            "height_m": self.height_m,
            "time_s": self.time_s,
            "longitude_deg": self.longitude_deg,
            "latitude_deg": self.latitude_deg,
        }
        named.update({f"channel:{name}": values for name, values in self.channels.items()})
        return {name: values for name, values in named.items() if values is not None}

    def with_tmi(self, tmi_nt: Floats) -> Self:
        """Return the same survey with another reading, (n,) nT."""
        return replace(self, tmi_nt=tmi_nt)

    def select(self, keep: Bools | NDArray[np.intp]) -> Self:
        """Return the rows that ``keep`` names, (n,) bool or (k,) indices; line names stay."""

        def rows(values: Floats | None) -> Floats | None:
            return None if values is None else values[keep]

        return replace(
            self,
            easting_m=self.easting_m[keep],
            northing_m=self.northing_m[keep],
            tmi_nt=self.tmi_nt[keep],
            line=self.line[keep],
            height_m=rows(self.height_m),
            time_s=rows(self.time_s),
            longitude_deg=rows(self.longitude_deg),
            latitude_deg=rows(self.latitude_deg),
            channels=MappingProxyType({k: v[keep] for k, v in self.channels.items()}),
        )

    def line_slices(self) -> list[tuple[int, slice]]:
        """Give ``(line index, rows)`` for every run of one line, in order of acquisition."""
        if not len(self):
            return []
        edges = np.flatnonzero(np.diff(self.line)) + 1
        bounds = [0, *edges.tolist(), len(self)]
        return [(int(self.line[a]), slice(a, b)) for a, b in pairwise(bounds)]

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a station; ``line`` holds names; CRS and height role are in ``attrs``."""
        import pandas as pd  # noqa: PLC0415 -- 0.3 s that only this method needs

        columns = {name.removeprefix("channel:"): values for name, values in self.columns().items()}
        columns["line"] = np.asarray(self.line_names, dtype=object)[self.line]
        frame = pd.DataFrame(columns)
        frame.attrs = {"crs": self.crs, "height_role": self.height_role}
        return frame

    @classmethod
    def from_pandas(
        cls, frame: pd.DataFrame, *, crs: str | None = None, height_role: HeightRole | None = None
    ) -> Self:
        """Build a survey from columns named as the fields are; other numeric columns are channels.

        ``line`` may hold any values (default: one line); rows of a line need not be contiguous in
        ``frame``: a stable sort by first appearance brings them together. ``crs`` and
        ``height_role`` default to what :meth:`to_pandas` left in ``frame.attrs``.
        """
        import pandas as pd  # noqa: PLC0415 -- as above

        labels = frame["line"] if "line" in frame else pd.Series("1", index=frame.index)
        codes, names = pd.factorize(labels)
        order = np.argsort(codes, kind="stable")

        def column(name: str) -> Floats | None:
            if name not in frame:
                return None
            return np.asarray(frame[name], dtype=np.float64)[order]

        def needed(name: str) -> Floats:
            values = column(name)
            if values is None:
                raise BadSurvey(
                    f"the frame has no column {name}", hint=f"rename or add a column {name}"
                )
            return values

        known = {
            "easting_m", "northing_m", "tmi_nt", "line", "height_m", "time_s", "longitude_deg",
            "latitude_deg",
        }  # fmt: skip
        numeric = frame.select_dtypes("number").columns
        extra = {str(name): needed(str(name)) for name in numeric if str(name) not in known}
        return cls(
            easting_m=needed("easting_m"),
            northing_m=needed("northing_m"),
            tmi_nt=needed("tmi_nt"),
            line=codes[order].astype(np.int32),
            line_names=tuple(str(name) for name in names),
            crs=crs if crs is not None else frame.attrs.get("crs"),
            height_m=column("height_m"),
            height_role=height_role if height_role is not None else frame.attrs.get("height_role"),
            time_s=column("time_s"),
            longitude_deg=column("longitude_deg"),
            latitude_deg=column("latitude_deg"),
            channels=MappingProxyType(extra),
        )
