"""What requests and answers look like, where models alone cannot say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["PROBLEMS", "REQUESTS", "RESULTS"]

_ID = "01kaj3v7q4h2m8s0c5x9tzy6wd"

# By operation: what a body looks like.
REQUESTS: Mapping[str, Any] = {
    "run_mag_survey": {
        "upload_id": _ID,
        "params": {"input": {"crs": "EPSG:32754", "date": "2024-05-14"}},
    },
    "run_wasm": {
        "inputs": [{"upload_id": _ID, "name": "survey.csv"}],
        "params": {"module": {"name": "clip"}, "columns": ["tmi"], "parameters": [500]},
    },
    "discriminate": {
        "values": [12.0, 340.5, 90.1],
        "locations": [[-43.70, -23.50], [-43.69, -23.50], [-43.68, -23.50]],
        "date": "2024-05-14",
    },
    "target_drills": {"upload_id": _ID, "date": "2024-05-14", "top_n": 5, "min_anomaly_nt": 50},
    "cost_analysis": {"project_type": "mag_survey", "area_km2": 10, "methods": ["magnetometry"]},
    "igrf": {
        "longitude_deg": [-43.7, -43.6],
        "latitude_deg": [-23.5, -23.5],
        "height_m": [700],
        "date": ["2024-01-01"],
    },
    "inspect_upload": {"crs": "EPSG:32754"},
    "retry_job": {"stage": "gridding"},
    "drain_node": {"draining": True},
}

# By operation: part of a result; the whole is the kind's affair.
RESULTS: Mapping[str, Any] = {
    "run_mag_survey": {
        "survey_info": {"num_stations": 990_987, "crs": "EPSG:32754", "igrf_model": "IGRF-14"},
        "grids": [{"name": "tmi", "artifact": "grids/tmi.tif", "unit": "nT", "cell_size_m": 50}],
        "drill_targets": [{"rank": 1, "location": [140.7, -22.1, 280.0], "depth_m": 120.0}],
    },
    "run_wasm": {"columns": ["tmi"], "rows": 120_400},
    "discriminate": {"num_target_types": 1, "all_targets": [], "high_priority_targets": []},
    "target_drills": {"drill_targets": [{"rank": 1, "anomaly_nT": 340.5, "depth_m": 85.0}]},
    "cost_analysis": {"survey_cost_usd": {"p10": 18_000, "p50": 21_500, "p90": 26_000}},
    "igrf": {"model": "IGRF-14", "total_nt": [23_115.2, 23_109.8]},
    "inspect_upload": {"columns": [], "lines": 120, "warnings": []},
}

# By status: code, title, detail and hint of a typical problem.
PROBLEMS: Mapping[int, tuple[str, str, str, str]] = {
    400: ("bad_request", "The request is not well formed", "the body is not JSON", "send JSON"),
    401: ("not_authenticated", "Who are you?", "no key came with the request", "send a key"),
    403: ("forbidden", "Not allowed", "role client may not do this", "ask an administrator"),
    404: ("not_found", "Not found", f"there is no job {_ID!r}", "check the id"),
    408: ("slow_body", "The request came too slowly", "3 bytes came", "send it again"),
    409: ("conflict", "Not possible now", "the job runs", "wait until it has ended"),
    413: ("too_large", "Too large", "the body is larger than 1048576 bytes", "upload a file"),
    415: ("unsupported_media_type", "Unsupported media type", "text came", "send JSON"),
    416: ("range_not_satisfiable", "No such part of the file", "it has 10 bytes", "ask for less"),
    422: ("bad_parameter", "A parameter is wrong", "area_km2 is -1", "give more than 0"),
    429: ("too_many_requests", "Too many requests", "the rate limit is used up", "wait 3 s"),
    500: ("internal_error", "Internal Server Error", "the gateway met an error of its own", ""),
    507: (
        "storage_full",
        "The artifact store is full",
        "the platform's file store is full",
        "ask the operator to make room in it, then send the file again",
    ),
    503: ("ledger_unavailable", "The ledger cannot be reached", "it is away", "come again"),
}
