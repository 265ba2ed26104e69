from __future__ import annotations

import json
from pathlib import Path

from BrainSegAccelLib.manifest.model import Manifest
from BrainSegAccelLib.manifest.write import render_json, to_json, write_manifest


def test_text_reads_back_as_the_same_manifest(manifest: Manifest) -> None:
    assert Manifest.model_validate_json(to_json(manifest)) == manifest


def test_keys_keep_the_order_of_the_model(manifest: Manifest) -> None:
    assert list(json.loads(to_json(manifest))) == list(Manifest.model_fields)


def test_lists_of_plain_values_stay_on_one_line() -> None:
    document = {"shape": [1, 2], "empty": {}, "rows": [[1, 2], [3, 4]], "name": "µ", "none": []}
    text = render_json(document)
    assert json.loads(text) == document
    assert '\n  "shape": [1, 2],\n' in text
    assert "\n    [3, 4]\n  ]" in text
    assert text.endswith("}\n")


def test_written_whole_and_the_same_each_time(manifest: Manifest, tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    second.write_text("an older one")
    write_manifest(manifest, first)
    write_manifest(manifest, second)
    assert first.read_bytes() == second.read_bytes() == to_json(manifest).encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]
