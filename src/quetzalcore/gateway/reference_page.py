"""The API's description as a page for people: no script, and nothing that lies elsewhere."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from quetzalcore.gateway.reference import read

__all__ = ["page", "policy", "prose"]

_PARAGRAPHS = re.compile(r"\n\s*\n")
_CODE = re.compile(r"`([^`]+)`")
_STRONG = re.compile(r"\*\*([^*]+)\*\*")


def page(document: Mapping[str, Any]) -> str:
    """Give the page of an OpenAPI document; the same document gives the same text."""
    environment = Environment(
        loader=PackageLoader("quetzalcore.gateway"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    template = environment.get_template("reference.html.j2")
    return template.render(reference=read(document), style=_style())


def policy() -> str:
    """Give the content security policy: nothing is loaded, and only our own style is used."""
    digest = base64.b64encode(sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )


def prose(text: str) -> Markup:
    """Turn paragraphs, ```code``` and ``**weight**`` into HTML; everything else stays what it was."""
    safe = str(escape(text))
    marked = _STRONG.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", safe))
    parts = (part.strip() for part in _PARAGRAPHS.split(marked))
    return Markup("".join(f"<p>{part}</p>" for part in parts if part))  # noqa: S704 -- escaped above


@lru_cache(maxsize=1)
def _style() -> str:
    return files("quetzalcore.gateway").joinpath("templates/reference.css").read_text("utf-8")
