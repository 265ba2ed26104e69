"""Number formats of a network's arithmetic."""

from __future__ import annotations

from enum import StrEnum


class Precision(StrEnum):
    """Numeric format of the network's arithmetic.

    TF32 is NVIDIA's: numbers stay FP32, but what convolutions and matrix products multiply is
    rounded to 10 bits of mantissa. Only GPUs have it.
    """

    FP32 = "fp32"
    TF32 = "tf32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"
