"""The passes that bring an imported module under these schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvm import relax, transform
from tvm.s_tir import dlight

from .loops import Rows
from .norms import instance_norm
from .products import convolution, product

OPERATORS = {
    "relax.nn.conv3d": convolution,
    "relax.matmul": product,
    "relax.nn.instance_norm": instance_norm,
}
"""What has a computation of its own here, by the name that Relax gives it."""


def passes(operators: Mapping[str, Any], *rules: Any) -> Any:
    """Legalise and fuse the operators of a Relax module, then put loops in order.

    :param operators: functions that legalise some of them; the others go TVM's way.
    :param rules: DLight's schedule rules for functions whose loops are not in order yet.
    """
    return transform.Sequential(
        [
            relax.transform.LegalizeOps(dict(operators)),
            relax.transform.AnnotateTIROpPattern(),
            # What is computed from weights alone is computed now.
            relax.transform.FoldConstant(),
            relax.transform.FuseOps(),
            relax.transform.FuseTIR(),
            dlight.ApplyDefaultSchedule(*rules),
        ]
    )


def scheduled(module: Any, target: Any) -> Any:
    """Return the Relax module with all loops in order for a target, ready to be compiled."""
    with target:
        return passes(OPERATORS, Rows())(module)
