"""Recipes: the one of the shipped models holds what the cards say, and bad ones are refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.models.card import ModelCard
from BrainSegAccelLib.models.package import load_package
from BrainSegAccelLib.training.recipe import Recipe, RunNode, read_recipe

SHIPPED = Path(__file__).parents[2] / "docs" / "history" / "recipe.json"


@pytest.fixture(scope="module")
def shipped() -> Recipe:
    return read_recipe(SHIPPED)


def card_of(model: str) -> ModelCard:
    return load_package(model).card


@pytest.mark.parametrize("model", ["full", "fast", "brain"])
def test_the_recipe_leads_to_what_ships(shipped: Recipe, model: str) -> None:
    """To weights of this version and hash, by as many steps as the card says."""
    card, name = card_of(model), shipped.models[model]
    (released,) = shipped.nodes[name].released
    assert (released.model, released.version) == (model, card.version)
    assert released.sha256 == card.weights.sha256
    runs = [
        node for each in shipped.ancestry(name) if isinstance(node := shipped.nodes[each], RunNode)
    ]
    assert sum(run.steps for run in runs) == card.training.steps
    configuration = shipped.configuration(name)
    assert configuration is not None
    assert (configuration.task, configuration.network) == (card.task, card.network)
    assert f"docs/history/{SHIPPED.name}" in card.training.configuration


def test_every_node_of_the_recipe_leads_to_a_model(shipped: Recipe) -> None:
    assert set(shipped.order(shipped.models.values())) == set(shipped.nodes)


def test_what_a_node_needs_comes_before_it(shipped: Recipe) -> None:
    done: set[str] = set()
    for name in shipped.order(shipped.models.values()):
        assert done.issuperset(shipped.nodes[name].needs())
        done.add(name)


RUN: dict[str, Any] = {"kind": "run", "configuration": {"stages": [{"steps": 2}]}}


def run(name: str, **more: Any) -> dict[str, Any]:
    node = copy.deepcopy(RUN) | more
    node["configuration"]["name"] = name
    return node


def with_(node: dict[str, Any], **settings: Any) -> dict[str, Any]:
    node["configuration"] |= settings
    return node


BRAIN = {"task": "brain", "network": {"kind": "unet"}}
SMALL = {"widths": (8, 16, 32, 48)}


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({"a": run("a", initial="b")}, "a: there is no node b"),
        (
            {"a": run("a", initial="b"), "b": run("b", initial="a")},
            "made of itself: .*a of b|b of a",
        ),
        ({"a": run("b")}, "a: its configuration is called b"),
        ({"a": run("a", stopped_after=3)}, "stopped after 3 of 2"),
        ({"a": run("a", prune=True)}, "prunes nothing"),
        ({"a": run("a", stopped_after=0)}, "greater than 0"),
        (
            {"a": run("a"), "b": with_(run("b", initial="a"), network=SMALL)},
            "b: a is another network",
        ),
        (
            {"a": run("a"), "b": with_(run("b", teachers=["a"]), **BRAIN)},
            "b: a is for the task tumour, not brain",
        ),
        (
            {"a": run("a"), "b": run("b"), "m": {"kind": "mean", "parts": {"a": 0.5, "b": 0.5}}},
            "m: a and b do not go back to one start",
        ),
        (
            {
                "a": run("a"),
                "b": run("b", initial="a", prune=True),
                "m": {"kind": "mean", "parts": {"a": 0.5, "b": 0.5}},
            },
            "m: a and b do not go back to one start",
        ),
        (
            {
                "a": run("a"),
                "b": run("b", initial="a"),
                "m": {"kind": "mean", "parts": {"a": 0.5, "b": 0.4}},
            },
            "do not add up to 1",
        ),
        ({"a": run("a"), "m": {"kind": "mean", "parts": {"a": 1.0}}}, "m"),
        (
            {"a": run("a"), "s": {"kind": "shift", "of": "a", "region": "BRAIN", "factor": 2}},
            "s: the network does not find BRAIN",
        ),
        (
            {"a": run("a"), "s": {"kind": "shift", "of": "a", "region": "ET", "factor": 0}},
            "greater than 0",
        ),
        ({"a": {"kind": "guess"}}, "a"),
        ({}, "at least 1"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    tmp_path: Path, nodes: dict[str, Any], message: str
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"nodes": nodes}))
    with pytest.raises(InputError, match=rf"^bad\.json: .*({message})") as error:
        read_recipe(path)
    assert "\n" not in str(error.value)


def test_a_pruned_run_may_be_of_another_network_and_teachers_too() -> None:
    nodes = {
        "a": run("a"),
        "b": with_(run("b", initial="a", prune=True, teachers=["a"]), network=SMALL),
        "c": with_(run("c", initial="b", teachers=["a"]), network=SMALL),
        "m": {"kind": "mean", "parts": {"b": 0.5, "c": 0.5}},
    }
    recipe = Recipe.model_validate({"nodes": nodes})
    assert recipe.ancestry("m") == {"m", "b", "c"}
    assert recipe.order(["m"]) == ["a", "b", "c", "m"]


def test_a_missing_file_and_a_node_that_is_none_are_told(tmp_path: Path, shipped: Recipe) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read"):
        read_recipe(tmp_path / "none.json")
    with pytest.raises(InputError, match="has no node full-99"):
        shipped.order(["full-99"])
