"""PyTorch eager from the safetensors: the reference that the other backends are held to."""

from __future__ import annotations

import ctypes
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .cache import EngineCache
from .host import cpu_name, installed_version, usable_cores
from .protocol import Availability, Device, EngineInfo, Precision, Shape

if TYPE_CHECKING:
    from ..network.package import ModelPackage


class EagerBackend:
    """Runs the network as written, operation by operation, in FP32."""

    name = "eager"

    def version(self) -> str | None:
        """Version of PyTorch, None if it is not installed."""
        return installed_version("torch")

    def availability(self, device: Device, precision: Precision) -> Availability:
        """FP32 where PyTorch is installed; on CUDA where PyTorch sees a GPU."""
        if self.version() is None:
            return Availability.no("PyTorch is not installed", "pip install 'brainsegaccel[torch]'")
        if precision is not Precision.FP32:
            return Availability.no(
                "eager is the FP32 reference", "use --precision fp32 or another backend"
            )
        if device is Device.CUDA and not _cuda():
            return Availability.no(
                "PyTorch sees no CUDA device",
                "install a PyTorch build for this GPU's driver, or use --device cpu",
            )
        return Availability.yes()

    def build(
        self,
        model: ModelPackage,
        shape: Shape,
        precision: Precision,
        device: Device,
        cache: EngineCache,
    ) -> EagerEngine:
        """Load the weights. Any shape of multiples of 16 runs; ``shape`` is the one promised."""
        import torch

        from ..network.hybrid import ProbabilityNetwork
        from ..network.weights import load_network

        started = time.perf_counter()
        if device is Device.CPU:
            torch.set_num_threads(usable_cores())
        network = ProbabilityNetwork(load_network(model)).eval().to(device.value)
        name = cpu_name() if device is Device.CPU else torch.cuda.get_device_name()
        info = EngineInfo(
            backend=self.name,
            version=str(torch.__version__),
            device=device,
            device_name=name,
            precision=precision,
            shape=shape,
            build_seconds=time.perf_counter() - started,
            actual_precision={"fp32": _arithmetic_layers(network)},
            settings={"threads": str(torch.get_num_threads()), "tf32": "off"},
        )
        return EagerEngine(network, device, info)


class EagerEngine:
    """The network on its device."""

    def __init__(self, network: Any, device: Device, info: EngineInfo) -> None:
        self.info = info
        self._network = network
        self._device = device.value

    def __call__(
        self, x: NDArray[np.float32], availability: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Run the network once, see `protocol.Engine`."""
        import torch

        with torch.inference_mode():
            on_device = torch.from_numpy(x).to(self._device)
            there = torch.from_numpy(availability).to(self._device)
            return self._network(on_device, there)[0].cpu().numpy()


def _arithmetic_layers(network: Any) -> int:
    """Count convolutions, linear layers and normalisations."""
    from torch import nn

    kinds = (nn.Conv3d, nn.Linear, nn.InstanceNorm3d, nn.LayerNorm)
    return sum(isinstance(module, kinds) for module in network.modules())


def _cuda() -> bool:
    """Whether PyTorch sees a GPU; not even imported, for a second, where there is no driver."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    import torch

    return torch.cuda.is_available()


BACKEND = EagerBackend()
