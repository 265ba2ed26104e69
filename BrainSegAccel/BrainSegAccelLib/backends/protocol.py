"""What a backend is: how it says what it can run, builds an engine, and what an engine tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from ..models.description import Shape
from ..models.precision import Precision

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..models.package import ModelPackage
    from .cache import EngineCache


class Device(StrEnum):
    """Where the network runs: processor, NVIDIA GPU, Apple's or Windows' way to other ones."""

    CPU = "cpu"
    CUDA = "cuda"
    COREML = "coreml"
    DIRECTML = "directml"


@dataclass(frozen=True)
class Availability:
    """Whether a backend runs at one precision on one device here, and if not, why not."""

    ok: bool
    reason: str = ""
    remedy: str = ""

    @classmethod
    def yes(cls) -> Availability:
        """Available."""
        return cls(True)

    @classmethod
    def no(cls, reason: str, remedy: str) -> Availability:
        """Not available.

        :param reason: what is missing on this machine.
        :param remedy: what would change it.
        """
        return cls(False, reason, remedy)


@dataclass(frozen=True)
class EngineInfo:
    """How an engine came to be; goes into the manifest as it is.

    :param actual_precision: how many layers that do arithmetic (convolutions, matrix products,
        normalisations) run in each format, e.g. ``{"fp32": 161}``; empty if the runtime does not
        tell.
    :param build_seconds: time to build, or to load from the cache on a hit.
    :param cache_key: hash that names the cache entry; None if this backend keeps none.
    :param cache_hit: None if this backend keeps no cache.
    :param settings: runtime settings that bear on speed, e.g. number of threads.
    """

    backend: str
    version: str
    device: Device
    device_name: str
    precision: Precision
    shape: Shape
    build_seconds: float
    actual_precision: Mapping[str, int] = field(default_factory=dict)
    cache_key: str | None = None
    cache_hit: bool | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """A compiled network of one static shape."""

    @property
    def info(self) -> EngineInfo:
        """How this engine came to be."""
        ...

    def __call__(
        self, x: NDArray[np.float32], availability: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Run the network once; channels are those of the model's card.

        :param x: float32 (1, C, D, H, W), C-contiguous, normalised; missing channels zero.
        :param availability: float32 (1, C), 1 where the channel is there; default: all are. A
            network that has no such input is not told.
        :returns: probabilities float32 (C, D, H, W); valid until the next call.
        """
        ...


class Backend(Protocol):
    """A way to run a network. One file in this folder defines one as ``BACKEND``."""

    name: str
    from_export: bool
    """Whether engines are made from a model's exports, and not from a network in PyTorch."""
    opens_at_once: bool
    """Whether an engine is opened from the export as it is: nothing is built, nothing kept."""
    fidelity: int
    """How near to the network as it is written its FP32 is: others are compared with the backend
    that has the most, and never with one that has 0."""
    build_seconds: float
    """About how long a first build of a whole-brain engine takes, for whoever has little time."""

    def version(self) -> str | None:
        """Version of the runtime, None if it is not installed. Imports nothing heavy."""
        ...

    def availability(self, device: Device, precision: Precision) -> Availability:
        """Say whether ``build`` would work here, and if not why not and what would change it."""
        ...

    def build(
        self,
        model: ModelPackage,
        shape: Shape,
        precision: Precision,
        device: Device,
        cache: EngineCache,
    ) -> Engine:
        """Compile the network, or load it from the cache.

        :raises UnavailableError: if ``availability`` says no.
        :raises ModelError: if the model files cannot be trusted.
        """
        ...
