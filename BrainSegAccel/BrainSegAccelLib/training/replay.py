"""Making the weights of a recipe's nodes again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import assert_never

from torch import Tensor

from ..errors import InputError
from ..io.atomic import atomic_write
from .checkpoint import save_weights
from .config import WeightsHeader
from .pretrained import PretrainedWeights, read_pretrained
from .recipe import MeanNode, ModelNode, Recipe, RunNode, ShiftNode
from .run import train
from .train import CHECKPOINT, WEIGHTS
from .weight_arithmetic import average, shift_odds

CONFIGURATION = "configuration.json"
DONE = "node.json"


class Replay:
    """Makes nodes in a folder, each in one of its name, and keeps what is finished.

    A node is finished once its ``node.json`` says what its weights were made of; if that has
    changed since, it is refused. A run that was interrupted goes on where it was.

    :param device: to train on.
    :param tell: told a line for each node.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        device: str = "cpu",
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.recipe, self.folder, self.device, self.tell = recipe, folder, device, tell

    def make(self, targets: Iterable[str]) -> None:
        """Make nodes and all that they are made of.

        :raises InputError: there is no such node; weights or a configuration that cannot be used;
            a folder that holds a node made of something else.
        :raises KeyboardInterrupt: the run that was under way can go on.
        """
        for name in self.recipe.order(targets):
            node = self.recipe.nodes[name]
            if isinstance(node, ModelNode):
                self._check_model(name, node)
            elif self._is_finished(name):
                self.tell(f"{name}: there already")
            else:
                self._make(name, node)
                self._finish(name)
                self.tell(f"{name}: {node.kind}, {self._sha256(name)[:12]}")

    def weights(self, name: str) -> str:
        """Return the weights of a node as training takes them: a path, or a model's name."""
        node = self.recipe.nodes[name]
        return node.model if isinstance(node, ModelNode) else str(self.folder / name / WEIGHTS)

    def _make(self, name: str, node: RunNode | MeanNode | ShiftNode) -> None:
        match node:
            case RunNode():
                self._run(name, node)
            case MeanNode():
                opened = (read_pretrained(self.weights(part)) for part in node.parts)
                parts = list(zip(opened, node.parts.values(), strict=True))
                self._write(name, parts[0][0], average(parts))
            case ShiftNode():
                of = read_pretrained(self.weights(node.of))
                self._write(name, of, shift_odds(of, node.region, node.factor))
            case _:
                assert_never(node)

    def _run(self, name: str, node: RunNode) -> None:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / CONFIGURATION) as beside:
            beside.write_text(node.configuration.model_dump_json(indent=2) + "\n")
        train(
            folder / CONFIGURATION,
            folder,
            device=self.device,
            resume=(folder / CHECKPOINT).exists(),
            stop_after=node.stopped_after,
            initial=self.weights(node.initial) if node.initial else None,
            prune=node.prune,
            teachers=[self.weights(teacher) for teacher in node.teachers],
        )

    def _write(self, name: str, like: PretrainedWeights, tensors: Mapping[str, Tensor]) -> None:
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        header = WeightsHeader(task=like.task, network=like.network, training=name)
        save_weights(self.folder / name / WEIGHTS, tensors, header)

    def _check_model(self, name: str, node: ModelNode) -> None:
        found = read_pretrained(node.model).sha256
        if node.sha256 not in (None, found):
            raise InputError(
                f"asks for weights with SHA-256 {node.sha256}, {node.model} has {found}",
                where=name,
                remedy="give the version of the model that the recipe was written for",
            )

    def _is_finished(self, name: str) -> bool:
        done = self.folder / name / DONE
        if not done.exists():
            return False
        if done.read_text() != self._record(name):
            raise InputError(
                "was made of something else than the recipe says now, or has been changed",
                where=str(self.folder / name),
                remedy="remove that folder and those of all that was made of it",
            )
        return True

    def _finish(self, name: str) -> None:
        with atomic_write(self.folder / name / DONE) as beside:
            beside.write_text(self._record(name))

    def _record(self, name: str) -> str:
        """Return what a node is, of what weights it was made, and its own."""
        node = self.recipe.nodes[name]
        record = {
            "node": node.model_dump(mode="json", exclude={"released", "note", "hours", "hardware"}),
            "of": {each: self._sha256(each) for each in node.needs()},
            "weights_sha256": self._sha256(name),
        }
        return json.dumps(record, indent=2) + "\n"

    def _sha256(self, name: str) -> str:
        return read_pretrained(self.weights(name)).sha256
