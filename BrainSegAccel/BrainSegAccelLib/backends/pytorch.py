"""What the backends on PyTorch share: its devices, and the engines that run tensors on them."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.card import ModelCard
from ..system.host import cpu_name, usable_cores
from .cuda import CudaEngine, allow_tf32
from .protocol import Availability, Device, Engine, EngineInfo, Precision

INSTALL = "pip install 'brainsegaccel[torch]'"


def no_cuda() -> Availability | None:
    """Return why PyTorch cannot use a GPU; None if it can.

    It is not even imported, for a second, where there is no driver.
    """
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return Availability.no(
            "there is no NVIDIA driver",
            "use a machine with an NVIDIA GPU and its driver, or --device cpu",
        )
    import torch

    if torch.cuda.is_available():
        return None
    return Availability.no(
        "PyTorch sees no CUDA device",
        "install a PyTorch build for this GPU's driver, or use --device cpu",
    )


def prepare(device: Device, precision: Precision) -> dict[str, str]:
    """Set the threads and return what bears on an engine's speed, for the manifest.

    TF32 is off unless it is asked for: cuDNN would otherwise use it in what is called FP32 here.
    """
    import torch

    if device is Device.CPU:
        torch.set_num_threads(usable_cores())
        return {"threads": str(torch.get_num_threads()), "tf32": "off"}
    allow_tf32(precision)
    # An engine has one shape: cuDNN measures its kernels once and takes the fastest.
    torch.backends.cudnn.benchmark = True
    tf32 = "on" if precision is Precision.TF32 else "off"
    return {"tf32": tf32, "cudnn": str(torch.backends.cudnn.version()), "cudnn benchmark": "on"}


def device_name(device: Device) -> str:
    """Model name of a device."""
    if device is Device.CPU:
        return cpu_name()
    import torch

    return torch.cuda.get_device_name()


def torch_engine(
    run: Callable[..., Any], info: EngineInfo, card: ModelCard, *, recorded: bool = False
) -> Engine:
    """Return the engine of a program for the device that ``info`` names.

    :param run: takes x [1, C, D, H, W], and availability [1, C] where the card says so; returns
        probabilities [1, C, D, H, W] in FP32.
    :param recorded: see `CudaEngine`; without effect on a CPU.
    """
    if info.device is Device.CPU:
        return CpuEngine(run, info, card)
    return CudaEngine(run, info, card, recorded=recorded)


class CpuEngine:
    """A callable on tensors in host memory.

    :param run, card: as of `torch_engine`.
    """

    def __init__(self, run: Callable[..., Any], info: EngineInfo, card: ModelCard) -> None:
        self.info = info
        self._run, self._inputs = run, card.inputs

    def __call__(
        self, x: NDArray[np.float32], availability: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Run the network once, see `protocol.Engine`."""
        import torch

        with torch.inference_mode():
            given = map(torch.from_numpy, self._inputs.feed(x, availability))
            return self._run(*given)[0].numpy()
