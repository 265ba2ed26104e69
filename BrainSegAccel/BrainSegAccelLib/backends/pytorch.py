"""What the backends on PyTorch share: its devices, and an engine that runs tensors."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .host import cpu_name, usable_cores
from .protocol import Availability, Device, EngineInfo

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


def prepare(device: Device) -> dict[str, str]:
    """Set threads and TF32, and return these settings for the manifest.

    TF32 is off because cuDNN would otherwise use it in what is called FP32 here.
    """
    import torch

    if device is Device.CPU:
        torch.set_num_threads(usable_cores())
        return {"threads": str(torch.get_num_threads()), "tf32": "off"}
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return {"tf32": "off", "cudnn": str(torch.backends.cudnn.version())}


def device_name(device: Device) -> str:
    """Model name of a device."""
    if device is Device.CPU:
        return cpu_name()
    import torch

    return torch.cuda.get_device_name()


class TorchEngine:
    """A callable on tensors of one device.

    :param run: takes x [1, 4, D, H, W] and availability [1, 4], returns [1, 3, D, H, W].
    """

    def __init__(self, run: Callable[[Any, Any], Any], info: EngineInfo) -> None:
        self.info = info
        self._run = run

    def __call__(
        self, x: NDArray[np.float32], availability: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Run the network once, see `protocol.Engine`."""
        import torch

        device = self.info.device.value
        with torch.inference_mode():
            on_device = torch.from_numpy(x).to(device)
            there = torch.from_numpy(availability).to(device)
            return self._run(on_device, there)[0].cpu().numpy()
