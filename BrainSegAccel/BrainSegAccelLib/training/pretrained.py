"""Weights of an earlier training: what a run starts from, or whom it learns from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from ..errors import InputError
from ..models.config import HybridConfig
from ..models.hybrid import HybridNetwork
from ..models.package import load_package
from ..models.tasks import TUMOUR
from ..models.weights import load_into, parse_weights

WEIGHTS_SUFFIX = ".safetensors"


@dataclass(frozen=True, eq=False)
class PretrainedWeights:
    """Trained weights and the network they belong to.

    :param name: file name, for messages.
    :param sha256: of the safetensors file; what ties a run to these weights.
    :param tensors: as of :meth:`HybridNetwork.state_dict`, in any floating-point format.
    """

    name: str
    sha256: str
    network: HybridConfig
    tensors: Mapping[str, Tensor]

    def require_network(self, network: HybridConfig) -> None:
        """Check that the weights are of the architecture ``network``.

        :raises InputError: they are of another one.
        """
        theirs, ours = self.network.model_dump(), network.model_dump()
        other = [name for name in ours if ours[name] != theirs[name]]
        if other:
            shown = ", ".join(f"{name} {theirs[name]} instead of {ours[name]}" for name in other)
            raise InputError(
                f"weights of another network: {shown}",
                where=self.name,
                remedy="give weights of the network that the training configuration describes",
            )

    def load_into(self, network: HybridNetwork) -> None:
        """Copy the weights into a network of their architecture.

        :raises ModelError: a tensor is missing, unknown or of another shape.
        """
        load_into(network, self.tensors, self.name)

    def build(self, device: torch.device) -> HybridNetwork:
        """Return the network, FP32, in evaluation mode and without gradients."""
        network = HybridNetwork(self.network, *TUMOUR.channels)
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
        package = load_package(model)
        record, network = package.card.weights, package.card.network
        if not isinstance(network, HybridConfig):
            raise InputError(
                f"is a network of kind {network.kind}, from which training cannot go on",
                where=model,
                remedy="give a hybrid network",
            )
        tensors = parse_weights(package.weights(), record.file)
        return PretrainedWeights(record.file, record.sha256, network, tensors)
    path = Path(model)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or error})", where=path.name, remedy="check the path"
        ) from error
    tensors = parse_weights(content, path.name)
    sha256 = hashlib.sha256(content).hexdigest()
    return PretrainedWeights(path.name, sha256, _network_in_header(path), tensors)


def _network_in_header(path: Path) -> HybridConfig:
    with safe_open(path, "pt") as weights:
        header = weights.metadata() or {}
    if "network" not in header:
        raise InputError(
            "does not tell which network it belongs to",
            where=path.name,
            remedy="give the model card or the weights that brainsegaccel train wrote",
        )
    return HybridConfig.model_validate_json(header["network"])
