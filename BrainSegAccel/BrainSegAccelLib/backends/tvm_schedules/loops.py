"""All other functions: what maps or moves values is inlined, and rows go over all cores."""

from __future__ import annotations

from typing import Any

from tvm.s_tir import Schedule, dlight
from tvm.s_tir.dlight.base import ScheduleRule, try_inline_contiguous_spatial


class Rows(ScheduleRule):
    """Share out the loops over results; the innermost loop is left for LLVM to make vectors of."""

    def apply(self, func: Any, target: Any, tunable: bool) -> Any:
        """Schedule a function, see DLight's ``ScheduleRule``; None if it is no plain loop nest."""
        sch = Schedule(func)
        blocks = try_inline_contiguous_spatial(sch, dlight.normalize_prim_func(sch))
        if blocks is None:
            return None
        for block in blocks:
            loops = sch.get_loops(block.block_rv)
            kinds = block.dom_kind()
            results = len(kinds) - len(kinds.lstrip("S"))
            outer = loops[: min(results, len(loops) - 1)]
            if outer:
                sch.parallel(sch.fuse(*outer))
        return sch
