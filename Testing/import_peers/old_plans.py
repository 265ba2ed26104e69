"""Plans in the layout that nnU-Net 2.0 to 2.3 wrote, from those of later versions."""

from __future__ import annotations

from copy import deepcopy
from typing import Any


def old_layout(plans: dict[str, Any]) -> dict[str, Any]:
    """The same plans: where later versions name a class and its arguments, numbers only."""
    old = deepcopy(plans)
    for configuration in old["configurations"].values():
        if "architecture" not in configuration:
            continue
        architecture = configuration.pop("architecture")
        arguments = architecture["arch_kwargs"]
        strides = arguments["strides"]
        per_stage = arguments.get("n_conv_per_stage", arguments.get("n_blocks_per_stage"))
        configuration.update(
            UNet_class_name=architecture["network_class_name"].split(".")[-1],
            UNet_base_num_features=arguments["features_per_stage"][0],
            n_conv_per_stage_encoder=per_stage,
            n_conv_per_stage_decoder=arguments["n_conv_per_stage_decoder"],
            num_pool_per_axis=[
                sum(each[axis] > 1 for each in strides) for axis in range(len(strides[0]))
            ],
            pool_op_kernel_sizes=strides,
            conv_kernel_sizes=arguments["kernel_sizes"],
            unet_max_num_features=320,
        )
    return old
