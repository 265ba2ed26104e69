"""Instance normalisation in passes that a processor reads row by row, over all cores."""

from __future__ import annotations

from typing import Any

from tvm import te

from .functions import emit


def instance_norm(bb: Any, call: Any) -> Any:
    """Legalise ``relax.nn.instance_norm`` of [1, C, D, H, W] with scale and shift [C].

    The sums over a channel go by columns first, [C, D, W], so that vectors are summed: a compiler
    may not change the order of a sum of floats by itself. The variance is that of the differences
    from the mean, which are exact where the mean is large.
    """
    epsilon = float(call.attrs.epsilon)

    def compute(x: Any, scale: Any, shift: Any) -> Any:
        _, channels, depth, height, width = (int(size) for size in x.shape)
        count = float(depth * height * width)

        def mean_of(term: Any, name: str) -> Any:
            y = te.reduce_axis((0, height), "y")
            columns = te.compute(
                (channels, depth, width),
                lambda c, z, u: te.sum(term(c, z, y, u), axis=y),
                name=f"{name}_columns",
            )
            z, u = te.reduce_axis((0, depth), "z"), te.reduce_axis((0, width), "u")
            return te.compute(
                (channels,), lambda c: te.sum(columns[c, z, u] / count, axis=[z, u]), name=name
            )

        mean = mean_of(lambda c, z, y, u: x[0, c, z, y, u], "mean")

        def squared(*i: Any) -> Any:
            return (x[(0, *i)] - mean[i[0]]) * (x[(0, *i)] - mean[i[0]])

        variance = mean_of(squared, "variance")
        slope = te.compute(
            (channels,), lambda c: scale[c] * te.rsqrt(variance[c] + epsilon), name="slope"
        )
        return te.compute(
            x.shape, lambda n, c, *i: (x[(n, c, *i)] - mean[c]) * slope[c] + shift[c], name="result"
        )

    def schedule(sch: Any) -> None:
        for name in ("mean_columns", "variance_columns"):
            block = sch.get_sblock(name)
            c, z, u, y = sch.get_loops(block)
            sch.reorder(y, u)
            sch.parallel(sch.fuse(c, z))
            sch.decompose_reduction(block, y)
        _, c, z, _, _ = sch.get_loops(sch.get_sblock("result"))
        sch.parallel(sch.fuse(c, z))

    return emit(bb, "instance_norm", compute, list(call.args), schedule)
