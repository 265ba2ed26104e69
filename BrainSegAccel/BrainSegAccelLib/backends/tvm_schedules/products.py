"""Convolutions and matrix products as register tiles.

Both sum products into a tile of `rows` times `columns` results that stays in vector registers:
one input value times one vector of weights per step, as in Goto and van de Geijn, "Anatomy of
high-performance matrix multiplication" (2008). Inputs are copied into the order in which the sum
reads them, results leave in the layout of the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from math import ceil
from typing import Any

import numpy as np
import tvm
from tvm import relax, te, tirx

from .functions import emit


@dataclass(frozen=True)
class Tile:
    """Results that are summed at once.

    :param rows: neighbours along x, or rows of a matrix.
    :param columns: output channels, or columns of a matrix; two vectors.
    """

    rows: int
    columns: int

    def rows_of(self, size: int) -> int:
        """Rows of the tiles that share ``size`` as evenly as they can."""
        return ceil(size / ceil(size / self.rows))

    def columns_of(self, size: int) -> int:
        """One vector where ``size`` fits into it, else two."""
        vector = self.columns // 2
        return vector if size <= vector else self.columns


def register_tile(target: Any) -> Tile:
    """Return the tile that fills the vector registers: 20 of 32 with AVX-512, else 12 of 16."""
    wide = tvm.get_global_func("target.llvm_cpu_has_feature")("avx512f", target)
    return Tile(rows=10, columns=32) if wide else Tile(rows=6, columns=16)


def convolution(bb: Any, call: Any) -> Any:
    """Legalise ``relax.nn.conv3d`` [1, C, D, H, W] of constant weights [O, C, k, k, k]."""
    tile = register_tile(tvm.target.Target.current())
    stride, pad = int(call.attrs.strides[0]), int(call.attrs.padding[0])
    weights = call.args[1].value.numpy()
    outputs, _, kernel, *_ = weights.shape
    _, _, depth, height, width = (int(size) for size in call.ty.shape)
    rows, columns = tile.rows_of(width), tile.columns_of(outputs)
    panels = _in_panels(weights, columns)

    def compute(x: Any, panel: Any) -> Any:
        _, channels, *sizes = x.shape
        padded_width = (ceil(width / rows) * rows - 1) * stride + kernel

        def padded(z: Any, y: Any, c: Any, u: Any) -> Any:
            at = (z - pad, y - pad, u - pad)
            inside = [i >= 0 for i in at] + [i < n for i, n in zip(at, sizes, strict=True)]
            return tirx.if_then_else(tirx.all(*inside), x[(0, c, *at)], tirx.const(0, x.dtype))

        reach = ((depth - 1) * stride + kernel, (height - 1) * stride + kernel)
        gathered = te.compute((*reach, channels, padded_width), padded, name="gathered")
        c = te.reduce_axis((0, channels), "c")
        k = [te.reduce_axis((0, kernel), f"k{axis}") for axis in "zyx"]
        summed = te.compute(
            (panels.shape[0], depth, height, ceil(width / rows) * rows, columns),
            lambda p, z, y, u, v: te.sum(
                gathered[z * stride + k[0], y * stride + k[1], c, u * stride + k[2]]
                * panel[p, c, k[0], k[1], k[2], v],
                axis=[c, *k],
            ),
            name="summed",
        )
        return te.compute(
            (1, outputs, depth, height, width),
            lambda _, o, z, y, u: summed[o // columns, z, y, u, o % columns],
            name="result",
        )

    def schedule(sch: Any) -> None:
        z, y, *_ = sch.get_loops(sch.get_sblock("gathered"))
        sch.parallel(sch.fuse(z, y))
        _, o, z, y, u = sch.get_loops(sch.get_sblock("result"))
        panel, column = sch.split(o, [None, columns])
        strip, row = sch.split(u, [None, rows])
        sch.reorder(panel, z, y, strip, column, row)
        sch.parallel(sch.fuse(panel, z, y))
        _sum_in_registers(sch, strip)

    return emit(bb, "convolution", compute, [call.args[0], relax.const(panels)], schedule)


def product(bb: Any, call: Any) -> Any:
    """Legalise ``relax.matmul`` of [..., M, K] and [..., K, N], with broadcasting before."""
    tile = register_tile(tvm.target.Target.current())
    *batch, height, width = (int(size) for size in call.ty.shape)
    rows, columns = tile.rows_of(height), tile.columns_of(width)

    def compute(left: Any, right: Any) -> Any:
        *inner, length, _ = right.shape
        panels = te.compute(
            (*inner, ceil(width / columns), length, columns),
            lambda *i: tirx.if_then_else(
                i[-3] * columns + i[-1] < width,
                right[(*i[:-3], i[-2], i[-3] * columns + i[-1])],
                tirx.const(0, right.dtype),
            ),
            name="gathered",
        )
        k = te.reduce_axis((0, length), "k")

        def term(*i: Any) -> Any:
            # A tile may reach below the last row: it sums that one again and drops the result.
            row = (*_broadcast(i[:-3], left.shape[:-2]), te.min(i[-2], height - 1))
            panel = (*_broadcast(i[:-3], inner), i[-3])
            return te.sum(left[(*row, k)] * panels[(*panel, k, i[-1])], axis=k)

        shape = (*batch, ceil(width / columns), ceil(height / rows) * rows, columns)
        summed = te.compute(shape, term, name="summed")
        return te.compute(
            (*batch, height, width),
            lambda *i: summed[(*i[:-2], i[-1] // columns, i[-2], i[-1] % columns)],
            name="result",
        )

    def schedule(sch: Any) -> None:
        *outer, _, _ = sch.get_loops(sch.get_sblock("gathered"))
        sch.parallel(sch.fuse(*outer))
        *outer, m, n = sch.get_loops(sch.get_sblock("result"))
        strip, row = sch.split(m, [None, rows])
        panel, column = sch.split(n, [None, columns])
        sch.reorder(strip, panel, row, column)
        sch.parallel(sch.fuse(*outer, strip))
        _sum_in_registers(sch, panel)

    return emit(bb, "product", compute, list(call.args), schedule)


def _in_panels(weights: Any, columns: int) -> Any:
    """[O, C, k, k, k] to [panels, C, k, k, k, columns], zero beyond the last channel."""
    panels = ceil(len(weights) / columns)
    filled = np.zeros((panels * columns, *weights.shape[1:]), weights.dtype)
    filled[: len(weights)] = weights
    filled = filled.reshape(panels, columns, *weights.shape[1:])
    return np.ascontiguousarray(np.moveaxis(filled, 1, -1))


def _broadcast(index: Any, shape: Any) -> list[Any]:
    """Index into leading axes that are missing or of size 1."""
    pairs = zip_longest(reversed(index), reversed(list(shape)))
    return [0 if int(n) == 1 else i for i, n in pairs if n is not None][::-1]


def _sum_in_registers(sch: Any, strip: Any) -> None:
    """Sum each tile inside the loop ``strip``, which walks over tiles."""
    block = sch.get_sblock("summed")
    # The loops of a sum over a single value stay too, so that there are always as many.
    sch.compute_at(block, strip, preserve_unit_loops=True)
    sums = [axis for axis in sch.get(block).iter_vars if axis.iter_type == axis.CommReduce]
    loops = sch.get_loops(block)
    row, column = loops[-len(sums) - 2 : -len(sums)]
    sums = loops[-len(sums) :]
    sch.reorder(*sums, row, column)
    sch.set_scope(block, 0, "local")
    sch.unroll(row)
    sch.vectorize(column)
    sch.decompose_reduction(block, sums[0])
