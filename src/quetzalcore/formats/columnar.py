"""Parquet tables and GeoPackage points, both read as Arrow batches."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from quetzalcore.errors import BadTable, UnreadableInput
from quetzalcore.formats.crs import is_geographic
from quetzalcore.formats.rejects import Rejects
from quetzalcore.formats.source import Source
from quetzalcore.formats.table import Batch, Column, Layout, Wanted
from quetzalcore.formats.told import told
from quetzalcore.formats.units import unit_in_name
from quetzalcore.geophysics.survey import Floats

__all__ = ["GeoPackageReader", "ParquetReader"]

_BATCH_ROWS = 500_000
_POINT_BYTES = 21
_COPY_BYTES = 1 << 20


class ParquetReader:
    """Reads one Parquet file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        with _on_disk(source, ".parquet") as path:
            try:
                schema = pq.read_schema(path)
            except (pa.ArrowInvalid, OSError) as error:
                raise _damaged(source, "Parquet", error) from error
        told = {k.decode(): v.decode() for k, v in (schema.metadata or {}).items() if k == b"crs"}
        self._layout = Layout(
            format="parquet",
            compression=source.compression,
            columns=_columns(schema),
            crs=told.get("crs"),
        )

    @property
    def layout(self) -> Layout:
        """How the file is built."""
        return self._layout

    def batches(self, wanted: Wanted, rejects: Rejects) -> Iterator[Batch]:  # noqa: ARG002 -- typed columns have no unreadable cells
        """Read the wanted columns."""
        names = list(dict.fromkeys((*wanted.numbers, *wanted.texts)))
        row = 1
        with _on_disk(self._source, ".parquet") as path:
            try:
                with pq.ParquetFile(path) as file:
                    for part in file.iter_batches(batch_size=_BATCH_ROWS, columns=names):
                        yield _batch(part, wanted, row, {})
                        row += part.num_rows
            except (pa.ArrowInvalid, OSError) as error:
                raise _damaged(self._source, "Parquet", error) from error


class GeoPackageReader:
    """Reads the points of a GeoPackage's first layer; positions become columns x and y."""

    def __init__(self, source: Source) -> None:
        import pyogrio  # noqa: PLC0415 -- GDAL's vector part is slow to load and few need it

        self._source = source
        with _on_disk(source, ".gpkg") as path:
            try:
                info = pyogrio.read_info(path)
                with pyogrio.open_arrow(path, use_pyarrow=True) as (meta, reader):
                    self._geometry = meta["geometry_name"] or "wkb_geometry"
                    schema = reader.schema
            except pyogrio.errors.DataSourceError as error:
                raise _damaged(source, "GeoPackage", error) from error
        if "Point" not in str(info["geometry_type"]) or "Multi" in str(info["geometry_type"]):
            raise BadTable(
                f"the first layer holds {info['geometry_type']} and not points",
                hint="export the stations as points",
                where=source.where,
            )
        crs = info["crs"]
        geographic = crs is not None and is_geographic(crs)
        self._axes = ("longitude", "latitude") if geographic else ("easting", "northing")
        others = [c for c in _columns(schema) if c.name not in {self._geometry, *self._axes}]
        places = tuple(Column(name=axis) for axis in self._axes)
        self._layout = Layout(
            format="geopackage",
            compression=source.compression,
            columns=(*places, *others),
            crs=crs,
        )

    @property
    def layout(self) -> Layout:
        """How the file is built."""
        return self._layout

    def batches(self, wanted: Wanted, rejects: Rejects) -> Iterator[Batch]:  # noqa: ARG002 -- as above
        """Read the wanted columns and the positions."""
        import pyogrio  # noqa: PLC0415 -- as above

        names = [n for n in (*wanted.numbers, *wanted.texts) if n not in self._axes]
        row = 1
        with (
            _on_disk(self._source, ".gpkg") as path,
            pyogrio.open_arrow(
                path, columns=list(dict.fromkeys(names)), batch_size=_BATCH_ROWS, use_pyarrow=True
            ) as (_, reader),
        ):
            for part in reader:
                x, y = _points(part.column(self._geometry))
                places = dict(zip(self._axes, (x, y), strict=True))
                yield _batch(part, wanted, row, places)
                row += part.num_rows


def _columns(schema: Any) -> tuple[Column, ...]:  # noqa: ANN401 -- PyArrow has no types
    return tuple(
        Column(
            name=field.name,
            unit=unit_in_name(field.name),
            numeric=pa.types.is_integer(field.type)
            or pa.types.is_floating(field.type)
            or pa.types.is_decimal(field.type),
        )
        for field in schema
    )


def _batch(part: Any, wanted: Wanted, row: int, places: dict[str, Floats]) -> Batch:  # noqa: ANN401 -- PyArrow has no types
    numbers = {
        name: places[name] if name in places else _floats(part.column(name))
        for name in wanted.numbers
    }
    texts = {name: pc.cast(part.column(name), pa.string()) for name in wanted.texts}
    rows = np.arange(row, row + part.num_rows, dtype=np.int64)
    return Batch(rows=rows, numbers=numbers, texts=texts)


def _floats(column: Any) -> Floats:  # noqa: ANN401 -- PyArrow has no types
    plain = pc.cast(column, pa.float64(), safe=False)
    return np.asarray(plain.to_numpy(zero_copy_only=False), dtype=np.float64)


def _points(column: Any) -> tuple[Floats, Floats]:  # noqa: ANN401 -- PyArrow has no types
    """Take x and y out of well-known binary; an empty or missing point is NaN."""
    blobs = pc.fill_null(pc.cast(column, pa.binary()), b"")
    head = pc.binary_slice(blobs, 0, _POINT_BYTES)
    whole = np.asarray(pc.binary_length(head)) == _POINT_BYTES
    packed = b"".join(head.filter(pa.array(whole)).to_pylist())
    places = np.frombuffer(
        packed, dtype=[("order", "u1"), ("kind", "<u4"), ("x", "<f8"), ("y", "<f8")]
    )
    x, y = np.full(len(whole), np.nan), np.full(len(whole), np.nan)
    x[whole], y[whole] = places["x"], places["y"]
    return x, y


@contextmanager
def _on_disk(source: Source, suffix: str) -> Iterator[Path]:
    """Give a path to the plain file: its own, or a temporary copy of what an archive holds."""
    if source.compression == "none":
        yield source.path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"table{suffix}"
        with source.open() as packed, copy.open("wb") as plain:
            while piece := packed.read(_COPY_BYTES):
                plain.write(piece)
        yield copy


def _damaged(source: Source, kind: str, error: Exception) -> UnreadableInput:
    return UnreadableInput(
        f"the {kind} file is truncated or damaged ({told(error)})",
        hint="copy or export it again",
        where=source.where,
    )
