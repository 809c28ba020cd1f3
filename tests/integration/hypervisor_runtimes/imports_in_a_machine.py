"""What a job imports and does, run inside a machine by a test."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import threading

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numba
import numpy as np
import pyproj
import rasterio
import scipy.fft

figure = plt.figure()
plt.plot([1, 2])
figure.savefig("/out/a.png")
with rasterio.open(
    "/out/a.tif", "w", driver="GTiff", width=4, height=4, count=1, dtype="float32"
) as grid:
    grid.write(np.ones((1, 4, 4), "float32"))
easting, _ = pyproj.Transformer.from_crs(4326, 32755).transform(-20, 148)
assert 600_000 < easting < 620_000


@numba.njit(parallel=True)  # type: ignore[untyped-decorator]  # Numba has no stubs
def total(values: np.ndarray) -> float:
    """Sum in parallel."""
    result = 0.0
    for index in numba.prange(values.size):
        result += values[index]
    return result


assert scipy.fft.rfft2(np.ones((64, 64)), workers=2)[0, 0] == 4096
assert np.linalg.svd(np.ones((50, 50)))[1][0] > 49
thread = threading.Thread(target=multiprocessing.Lock)
thread.start()
thread.join()
child = subprocess.run(["/bin/echo", "child"], capture_output=True, text=True, check=True)
print(json.dumps({"sum": total(np.arange(9.0)), "child": child.stdout.strip()}))  # noqa: T201 -- its answer
