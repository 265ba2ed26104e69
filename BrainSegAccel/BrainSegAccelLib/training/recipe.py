"""How a model's weights came to be, as a graph that a machine can read and replay.

A node of the graph is a set of weights: a model that there is already, what a run of training led
to, a mean of other nodes, or another node with the odds of a region shifted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import InputError
from ..models.tasks import TASKS
from ..records import first_problem
from .config import Sha256, TrainingConfig

_SUM = 1e-9
"""How far the shares of a mean may be from 1."""
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
_Share = Annotated[float, Field(gt=0, lt=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Release(_Part):
    """A version of a model whose weights were those of a node, rounded to FP16."""

    model: str
    version: str
    sha256: Sha256 = Field(description="of the safetensors file that was shipped")


class _Node(_Part):
    released: tuple[Release, ...] = ()
    note: str = Field(default="", description="what it is for, in words")

    def needs(self) -> tuple[str, ...]:
        """Return the nodes that it is made of."""
        raise NotImplementedError


class ModelNode(_Node):
    """Weights that there are already."""

    kind: Literal["model"] = "model"
    model: str = Field(description="name of a shipped model, or path of a card or of weights")
    sha256: Sha256 | None = Field(default=None, description="of its weights; none: any")

    def needs(self) -> tuple[str, ...]:
        """Return nothing: it is there."""
        return ()


class RunNode(_Node):
    """A run of training."""

    kind: Literal["run"] = "run"
    configuration: TrainingConfig
    initial: _Name | None = Field(default=None, description="node it begins with; none: random")
    prune: bool = Field(default=False, description="whether that is of a larger network")
    teachers: tuple[_Name, ...] = Field(default=(), description="nodes it learns from")
    stopped_after: int | None = Field(default=None, gt=0, description="step; none: the last one")
    hours: float | None = Field(default=None, gt=0)
    hardware: str = ""

    @property
    def steps(self) -> int:
        """How many steps it took."""
        return self.stopped_after or self.configuration.steps

    def needs(self) -> tuple[str, ...]:
        """Return where it begins, and the teachers."""
        return (*((self.initial,) if self.initial else ()), *self.teachers)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.stopped_after and self.stopped_after > self.configuration.steps:
            raise ValueError(f"stopped after {self.stopped_after} of {self.configuration.steps}")
        if self.prune and not self.initial:
            raise ValueError("prunes nothing: no node to begin with")
        return self


class MeanNode(_Node):
    """Weights of several nodes, averaged (Wortsman et al. 2022, "Model soups", arXiv 2203.05482).

    That only means something where all go back to one start.
    """

    kind: Literal["mean"] = "mean"
    parts: dict[_Name, _Share] = Field(min_length=2, description="share of each node")

    def needs(self) -> tuple[str, ...]:
        """Return its parts."""
        return tuple(self.parts)

    @model_validator(mode="after")
    def _shares_are_all(self) -> Self:
        if abs(math.fsum(self.parts.values()) - 1) > _SUM:
            raise ValueError(f"shares {tuple(self.parts.values())} do not add up to 1")
        return self


class ShiftNode(_Node):
    """A node with the odds of one region multiplied, which makes a threshold part of the weights.

    What had odds of ``1 / factor`` has a probability of one half then.
    """

    kind: Literal["shift"] = "shift"
    of: _Name
    region: str
    factor: float = Field(gt=0)

    def needs(self) -> tuple[str, ...]:
        """Return what is shifted."""
        return (self.of,)


Node = Annotated[ModelNode | RunNode | MeanNode | ShiftNode, Field(discriminator="kind")]


class Recipe(_Part):
    """All nodes, and which of them are the models that ship.

    :raises pydantic.ValidationError: a node that is not there, or made of itself; a mean of what
        does not go back to one start; teachers, or parts of a mean, for another task; a region
        that the network does not find; a run named otherwise than its node.
    """

    schema_version: Literal["1.0"] = "1.0"
    description: str = ""
    nodes: dict[_Name, Node] = Field(min_length=1)
    models: dict[str, _Name] = Field(default_factory=dict, description="node of each model")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name, node in self.nodes.items():
            self._require(node.needs(), name)
        self._require(self.models.values(), "models")
        try:
            ordered = self._ordered()
        except CycleError as error:
            raise ValueError(f"made of itself: {' of '.join(error.args[1])}") from error
        for name in ordered:
            try:
                self._check(name)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        return self

    def order(self, targets: Iterable[str]) -> list[str]:
        """Return the nodes that targets are made of, and these, each after what it needs.

        :raises InputError: there is no such node.
        """
        needed: set[str] = set()
        waiting = list(targets)
        while waiting:
            name = waiting.pop()
            if name not in self.nodes:
                raise InputError(
                    f"has no node {name}",
                    where="recipe",
                    remedy=f"give one of {', '.join(self.nodes)}",
                )
            if name not in needed:
                needed.add(name)
                waiting += self.nodes[name].needs()
        return [name for name in self._ordered() if name in needed]

    def ancestry(self, name: str) -> frozenset[str]:
        """Return the nodes whose weights went into those of a node by training or averaging.

        A run on pruned weights begins anew, as far as averaging goes.
        """
        found: set[str] = set()
        waiting = [name]
        while waiting:
            each = waiting.pop()
            if each not in found:
                found.add(each)
                node = self.nodes[each]
                if isinstance(node, RunNode):
                    waiting += [node.initial] if node.initial and not node.prune else []
                else:
                    waiting += node.needs()
        return frozenset(found)

    def configuration(self, name: str) -> TrainingConfig | None:
        """Return that of the run that weights go back to; None if that is not told here."""
        node = self.nodes[name]
        match node:
            case RunNode():
                return node.configuration
            case MeanNode() | ShiftNode():
                known = (self.configuration(part) for part in node.needs())
                return next((each for each in known if each is not None), None)
            case _:
                return None

    def _ordered(self) -> list[str]:
        graph = {name: node.needs() for name, node in self.nodes.items()}
        return list(TopologicalSorter(graph).static_order())

    def _require(self, names: Iterable[str], where: str) -> None:
        for name in names:
            if name not in self.nodes:
                raise ValueError(f"{where}: there is no node {name}")

    def _check(self, name: str) -> None:
        node, own = self.nodes[name], self.configuration(name)
        if own is None:
            return
        if isinstance(node, RunNode) and node.configuration.name != name:
            raise ValueError(f"its configuration is called {node.configuration.name}")
        if isinstance(node, ShiftNode) and node.region not in TASKS[own.task].outputs.channels:
            raise ValueError(f"the network does not find {node.region}")
        for part in node.needs():
            theirs = self.configuration(part)
            if theirs is None:
                continue
            if theirs.task != own.task:
                raise ValueError(f"{part} is for the task {theirs.task}, not {own.task}")
            teaches = isinstance(node, RunNode) and (part != node.initial or node.prune)
            if theirs.network != own.network and not teaches:
                raise ValueError(f"{part} is another network")
        lines = [self.ancestry(part) for part in node.needs()]
        if isinstance(node, MeanNode) and not frozenset.intersection(*lines):
            raise ValueError(f"{' and '.join(node.parts)} do not go back to one start")


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    :raises InputError: it cannot be read, or is not valid.
    """
    try:
        return Recipe.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or error})", where=path.name, remedy="check the path"
        ) from error
    except ValidationError as error:
        raise InputError(first_problem(error), where=path.name) from error
