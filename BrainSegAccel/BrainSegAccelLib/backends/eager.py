"""PyTorch eager from the safetensors: in FP32 the reference that the others are held to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from .cache import EngineCache
from .protocol import Availability, Device, Engine, EngineInfo, Precision, Shape
from .pytorch import INSTALL, device_name, no_cuda, prepare, torch_engine
from .runtime import Runtime

if TYPE_CHECKING:
    from ..models.package import ModelPackage


class EagerBackend(Runtime):
    """Runs the network as written: operation by operation, on a GPU by autocast and recorded."""

    name = "eager"
    title = "PyTorch"
    distributions = ("torch",)
    install = INSTALL
    build_seconds = 3.0
    fidelity = 3
    formats: ClassVar = {
        Device.CPU: (Precision.FP32,),
        Device.CUDA: (Precision.FP32, Precision.TF32, Precision.FP16, Precision.BF16),
    }

    def lacks(self, device: Device, precision: Precision) -> Availability | None:
        """On CUDA: a GPU that PyTorch sees."""
        return no_cuda() if device is Device.CUDA else None

    def build(
        self,
        model: ModelPackage,
        shape: Shape,
        precision: Precision,
        device: Device,
        cache: EngineCache,
    ) -> Engine:
        """Load the weights. Any shape of multiples of 16 runs; ``shape`` is the one promised."""
        from ..models.program import deployed_network

        started = time.perf_counter()
        settings = prepare(device, precision)
        network = deployed_network(model, precision, device)
        info = EngineInfo(
            backend=self.name,
            version=self.version() or "",
            device=device,
            device_name=device_name(device),
            precision=precision,
            shape=shape,
            build_seconds=time.perf_counter() - started,
            actual_precision={"fp32": _arithmetic_layers(network)}
            if precision is Precision.FP32
            else {},
            settings=settings,
        )
        return torch_engine(network, info, model.card, recorded=True)


def _arithmetic_layers(network: Any) -> int:
    """Count convolutions, linear layers and normalisations."""
    from torch import nn

    kinds = (nn.Conv3d, nn.Linear, nn.InstanceNorm3d, nn.LayerNorm)
    return sum(isinstance(module, kinds) for module in network.modules())


BACKEND = EagerBackend()
