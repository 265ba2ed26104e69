"""A computation and its schedule as one function that a Relax module calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tvm
from tvm import relax, te
from tvm.s_tir import Schedule

OPAQUE = 8
"""TVM's pattern of a function that is not fused with others: its loops are in order already."""


def emit(
    bb: Any,
    name: str,
    compute: Callable[..., Any],
    arguments: Sequence[Any],
    schedule: Callable[[Any], None],
) -> Any:
    """Add the function to the module of ``bb`` and return a call of it.

    :param compute: from one tensor an argument to the result, in TE.
    :param arguments: Relax tensors of static shape.
    :param schedule: puts the loops in order, in place.
    """
    inputs = [te.placeholder([int(n) for n in a.ty.shape], str(a.ty.dtype)) for a in arguments]
    result = compute(*inputs)
    sch = Schedule(tvm.IRModule({"main": te.create_prim_func([*inputs, result])}))
    schedule(sch)
    function = sch.mod["main"].with_attr({"op_pattern": OPAQUE, "tirx.is_scheduled": True})
    called = bb.add_func(function.without_attr("global_symbol"), name)
    return relax.call_tir(called, arguments, relax.TensorType(result.shape, result.dtype))
