"""The manifest as text: the same document gives the same bytes, and people can read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..io.atomic import atomic_write
from .model import Manifest

_INDENT = "  "


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write the manifest; a file that exists is replaced only once the new one is complete."""
    with atomic_write(path) as beside:
        beside.write_text(to_json(manifest), encoding="utf-8")


def to_json(manifest: Manifest) -> str:
    """Return the manifest as JSON text, keys in the order of the schema, short lists on a line."""
    return render_json(manifest.model_dump(mode="json"))


def render_json(document: Any) -> str:
    """Return indented JSON in which a list of plain values stays on one line."""
    return _render(document, "") + "\n"


def _render(value: Any, margin: str) -> str:
    inner = margin + _INDENT
    if isinstance(value, dict) and value:
        items = [f"{json.dumps(key)}: {_render(item, inner)}" for key, item in value.items()]
        return _block("{", items, "}", margin)
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return _block("[", [_render(item, inner) for item in value], "]", margin)
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _block(opening: str, items: list[str], closing: str, margin: str) -> str:
    inner = f"\n{margin}{_INDENT}"
    return f"{opening}{inner}{f',{inner}'.join(items)}\n{margin}{closing}"
