"""The network as PyTorch compilers get it."""

from __future__ import annotations

import pytest
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.models.package import ModelPackage

torch = pytest.importorskip("torch")

from BrainSegAccelLib.models.program import (  # noqa: E402
    arithmetic_formats,
    exported_program,
    operator,
)


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16, Precision.FP16])
def test_the_format_is_in_the_graph_and_the_decay_stays_in_fp32(
    tiny_package: ModelPackage, precision: Precision
) -> None:
    program = exported_program(
        tiny_package, tiny_package.card.inference.window, precision, Device.CPU
    )
    formats = arithmetic_formats(program)
    assert max(formats, key=formats.__getitem__) == precision
    exponentials = [n for n in program.graph.nodes if n.op == "call_function"]
    exponentials = [n for n in exponentials if operator(n) == "exp"]
    assert exponentials
    assert {n.meta["val"].dtype for n in exponentials} == {torch.float32}
    (output,) = program.graph.output_node().args[0]
    assert output.meta["val"].dtype == torch.float32
    assert output.meta["val"].shape == (1, 3, *tiny_package.card.inference.window)


def test_the_graph_of_tf32_is_that_of_fp32(tiny_package: ModelPackage) -> None:
    exact, tf32 = (
        exported_program(tiny_package, tiny_package.card.inference.window, precision, Device.CPU)
        for precision in (Precision.FP32, Precision.TF32)
    )
    assert arithmetic_formats(tf32) == arithmetic_formats(exact)
    assert str(tf32.graph) == str(exact.graph)
