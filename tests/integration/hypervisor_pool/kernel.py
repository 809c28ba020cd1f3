"""A small compiled kernel."""

from __future__ import annotations

from typing import Any

import numba


def _total(values: Any) -> Any:  # noqa: ANN401 -- any array
    result = values[0]
    for value in values[1:]:
        result += value
    return result


total = numba.njit(cache=True)(_total)
