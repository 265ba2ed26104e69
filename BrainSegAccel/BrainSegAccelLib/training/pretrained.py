"""Weights of an earlier training: what a run starts from, or whom it learns from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import InputError, ModelError
from ..models.config import GraphConfig, HybridConfig, UNetConfig
from ..models.networks import TrainableNetwork, new_network
from ..models.package import ModelPackage, load_package
from ..models.tasks import TASKS, TaskName
from ..models.weights import load_into, parse_weights
from .config import WeightsHeader

WEIGHTS_SUFFIX = ".safetensors"


@dataclass(frozen=True, eq=False)
class PretrainedWeights:
    """Trained weights and the network they belong to.

    :param name: file name, for messages.
    :param sha256: of the safetensors file; what ties a run to these weights.
    :param task: what the network finds.
    :param tensors: as of the network's ``state_dict``, finite, in any floating-point format.
    """

    name: str
    sha256: str
    task: TaskName
    network: HybridConfig | UNetConfig
    tensors: Mapping[str, Tensor]

    def require_task(self, task: TaskName) -> None:
        """Check that the weights are of a network for ``task``.

        :raises InputError: they are of another one.
        """
        if self.task != task:
            raise InputError(
                f"weights of a network for the task {self.task}, not {task}",
                where=self.name,
                remedy="give weights of a network for the task of the training configuration",
            )

    def require_network(self, network: HybridConfig | UNetConfig) -> None:
        """Check that the weights are of the architecture ``network``.

        :raises InputError: they are of another one.
        """
        theirs, ours = self.network.model_dump(), network.model_dump()
        other = [name for name in ours if ours[name] != theirs.get(name)]
        if other:
            shown = ", ".join(
                f"{name} {theirs.get(name)} instead of {ours[name]}" for name in other
            )
            raise InputError(
                f"weights of another network: {shown}",
                where=self.name,
                remedy="give weights of the network that the training configuration describes",
            )

    def load_into(self, network: nn.Module) -> None:
        """Copy the weights into a network of their architecture.

        :raises ModelError: a tensor is missing, unknown or of another shape.
        """
        load_into(network, self.tensors, self.name)

    def build(self, device: torch.device) -> TrainableNetwork:
        """Return the network, FP32, in evaluation mode and without gradients."""
        network = new_network(self.network, *TASKS[self.task].channels)
        self.load_into(network)
        return network.requires_grad_(False).eval().to(device)


def joint_sha256(weights: Sequence[PretrainedWeights]) -> str | None:
    """Return what ties a run to all of ``weights``: the hash of one, else of the joined hashes."""
    if len(weights) < 2:
        return weights[0].sha256 if weights else None
    return hashlib.sha256("".join(each.sha256 for each in weights).encode()).hexdigest()


def read_pretrained(model: str) -> PretrainedWeights:
    """Open trained weights.

    :param model: name of a shipped model, path of a model card, or path of the
        ``weights.safetensors`` that training writes.
    :raises InputError: no such model or file; a safetensors file that does not tell its network.
    :raises ModelError: a file that cannot be trusted.
    """
    if not model.endswith(WEIGHTS_SUFFIX):
        return _of_package(load_package(model))
    path = Path(model)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or error})", where=path.name, remedy="check the path"
        ) from error
    tensors = parse_weights(content, path.name)
    require_finite(tensors, path.name)
    header, sha256 = _header(content, path.name), hashlib.sha256(content).hexdigest()
    return PretrainedWeights(path.name, sha256, header.task, header.network, tensors)


def require_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    """Check that no weight is NaN or infinite: nothing can be learned from such a network.

    :raises ModelError: one is.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ModelError(
                f"{name} holds values that are NaN or infinite",
                where=where,
                remedy="give the weights of an earlier run",
            )


def _of_package(package: ModelPackage) -> PretrainedWeights:
    card = package.card
    if isinstance(card.network, GraphConfig):
        raise InputError(
            "is an ONNX graph, from which training cannot go on",
            where=card.name,
            remedy="give a model that this program trained",
        )
    tensors = parse_weights(package.weights(), card.weights.file)
    require_finite(tensors, card.weights.file)
    return PretrainedWeights(
        card.weights.file, card.weights.sha256, card.task, card.network, tensors
    )


def _header(content: bytes, name: str) -> WeightsHeader:
    """Return what a safetensors file, which has been parsed, says of its network."""
    length = int.from_bytes(content[:8], "little")
    said = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    try:
        return WeightsHeader.model_validate({**said, "network": json.loads(said["network"])})
    except (KeyError, ValueError) as error:
        raise InputError(
            "does not tell which network it belongs to",
            where=name,
            remedy="give the model card or the weights that brainsegaccel train wrote",
        ) from error
