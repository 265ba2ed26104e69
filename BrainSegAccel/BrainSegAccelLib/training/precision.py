"""Which arithmetic a device trains in."""

from __future__ import annotations

import torch

from ..system.hardware import probe_cpu

_BF16_INSTRUCTIONS = frozenset({"AMX BF16", "AVX-512 BF16", "Arm BF16"})
_WRONG_CUDNN = range(90800, 91100)
"""cuDNN 9.8 to 9.10: reported to compute wrong 3D convolutions in BF16."""


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a device computes BF16 convolutions in hardware, and rightly."""
    if device.type != "cuda":
        return bool(_BF16_INSTRUCTIONS.intersection(probe_cpu().instruction_sets or ()))
    return (
        torch.cuda.is_bf16_supported(including_emulation=False)
        and torch.backends.cudnn.version() not in _WRONG_CUDNN
    )


def mixed_precision(device: torch.device) -> torch.autocast:
    """Return the context for a forward pass: BF16 autocast where it pays, else FP32.

    BF16 has FP32's range, so that gradients need no scaling.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bf16(device))
