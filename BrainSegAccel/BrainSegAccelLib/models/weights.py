"""Loading weights into the network, and saying clearly why a file is not taken."""

from __future__ import annotations

from collections.abc import Mapping

from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from torch import Tensor, nn

from ..errors import ModelError

_PICKLE_STARTS = (b"PK\x03\x04", b"\x80")
_REMEDY = "give the safetensors file that belongs to the model card"


def parse_weights(content: bytes, name: str) -> dict[str, Tensor]:
    """Read a safetensors file from memory.

    :param name: file name, for messages.
    :raises ModelError: a pickle (never opened), a truncated file, or another format.
    """
    # A safetensors file begins with a length of eight bytes, which may look like a pickle's first.
    if content.startswith(_PICKLE_STARTS) and content[8:9] != b"{":
        raise ModelError("is a pickle or zip file, which can run code", where=name, remedy=_REMEDY)
    try:
        return parse_safetensors(content)
    except SafetensorError as error:
        raise ModelError(
            f"not a whole safetensors file: truncated, damaged or of another format ({error})",
            where=name,
            remedy=_REMEDY,
        ) from error


def load_into(network: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Copy tensors into a network; floating-point storage formats are converted.

    :raises ModelError: keys are missing or unknown, or a shape is another one.
    """
    expected = network.state_dict()
    missing, unknown = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected)
    if missing or unknown:
        detail = [f"{len(missing)} missing ({missing[0]}, …)"] if missing else []
        detail += [f"{len(unknown)} unknown ({unknown[0]}, …)"] if unknown else []
        raise ModelError(
            f"weights do not fit the network: {' and '.join(detail)}", where=name, remedy=_REMEDY
        )
    for key, tensor in tensors.items():
        if tensor.shape != expected[key].shape:
            raise ModelError(
                f"{key} has shape {list(tensor.shape)}, the network expects "
                f"{list(expected[key].shape)}",
                where=name,
                remedy=_REMEDY,
            )
    network.load_state_dict({key: tensor.float() for key, tensor in tensors.items()})
