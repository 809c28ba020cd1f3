"""WebAssembly modules of clients, run with bounded fuel and memory over columns or a grid."""

from __future__ import annotations
