"""Cost of the SSD block over tokens and chunk lengths: linear in the one, a choice in the other.

    python Testing/benchmarks/ssd_scaling.py [docs/data/ssd_scaling.md]

Prints, and writes if told where, a Markdown table of milliseconds (median of interleaved repeats,
FP32 eager) for one bidirectional block of the 8 mm scale, and beside it what full attention of the
same width costs.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import torch
from BrainSegAccelLib.models.config import HybridConfig
from BrainSegAccelLib.models.ssd import BidirectionalSSD
from BrainSegAccelLib.system.allocator import keep_freed_memory
from BrainSegAccelLib.system.host import cpu_name
from torch import Tensor, nn
from torch.nn import functional

TOKENS = ((10, 12, 10), (20, 12, 10), (20, 24, 10), (20, 24, 20), (40, 24, 20))
"""Token grids; 20 x 24 x 20 is a whole brain at 8 mm."""
CHUNKS = (80, 160, 320, 640)
REPEATS = 7


class Attention(nn.Module):
    """Softmax attention over all tokens with the block's width and heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """[B, width, D, H, W]; same shape out."""
        tokens = features.flatten(2).transpose(1, 2)
        batch, length, width = tokens.shape
        query, key, value = (
            part.reshape(batch, length, self.heads, -1).transpose(1, 2)
            for part in self.project(tokens).chunk(3, -1)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        mixed = self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return mixed.transpose(1, 2).reshape(features.shape)


@torch.inference_mode()
def main() -> None:
    """Time every block at every size, in turn."""
    keep_freed_memory()  # As the command line has it; else the largest arrays are fetched anew.
    config = HybridConfig()
    width = config.widths[2]
    blocks: dict[str, nn.Module] = {
        f"chunks of {length}": BidirectionalSSD(
            width, config.head_width, config.state_width, length, (0, 1, 2)
        ).eval()
        for length in CHUNKS
    }
    blocks["attention"] = Attention(width, width // config.head_width).eval()
    times: dict[tuple[str, int], list[float]] = {}
    for repeat in range(REPEATS + 1):
        for sizes in TOKENS:
            features = torch.randn(1, width, *sizes)
            for name, block in blocks.items():
                began = time.perf_counter()
                block(features)
                seconds = time.perf_counter() - began
                if repeat:
                    times.setdefault((name, features[0, 0].numel()), []).append(seconds)
    counts = [torch.Size(sizes).numel() for sizes in TOKENS]
    lines = [
        f"| tokens | {' | '.join(map(str, counts))} | x{counts[-1] // counts[0]} tokens cost |",
        "|---|" + "---|" * (len(counts) + 1),
    ]
    for name in blocks:
        medians = [1000 * statistics.median(times[name, count]) for count in counts]
        cells = " | ".join(f"{value:.1f}" for value in medians)
        lines.append(f"| {name}, ms | {cells} | x{medians[-1] / medians[0]:.1f} |")
    lines += ["", f"{cpu_name()}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}."]
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(text)


if __name__ == "__main__":
    main()
