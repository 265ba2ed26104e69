from __future__ import annotations

import json
from pathlib import Path

import pytest
from BrainSegAccelLib.errors import ModelError
from BrainSegAccelLib.models.package import load_package
from BrainSegAccelLib.models.tasks import BRAIN, TASKS, TUMOUR, task_of
from BrainSegAccelLib.resources import resource

CARD = resource("Models", "full.card.json")


def test_tasks_are_what_the_shipped_cards_say() -> None:
    for model, task in (("full", TUMOUR), ("fast", TUMOUR), ("brain", BRAIN)):
        card = load_package(resource("Models", f"{model}.card.json")).card
        assert (card.task, card.inputs, card.outputs) == (task.name, task.inputs, task.outputs)
    assert TASKS == {"tumour": TUMOUR, "brain": BRAIN}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "JSON"),
        ("[]", "object"),
        (json.dumps({"task": "liver"}), "name"),
        (CARD.read_text(encoding="utf-8").replace('"ET",', '"XX",', 1), "channels"),
    ],
)
def test_a_damaged_card_is_told_in_one_line(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "full.card.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=rf"full\.card\.json: .*{problem}.*; reinstall") as refused:
        task_of(path)
    assert len(str(refused.value).splitlines()) == 1


def test_a_missing_card_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        task_of(tmp_path / "full.card.json")
