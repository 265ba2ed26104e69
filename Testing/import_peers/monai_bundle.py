"""The layout of MONAI's bundle brats_mri_segmentation: its metadata and its configuration.

Only what decides a prediction is here, not its documentation. `roi_size` and `init_filters` are
what a smaller bundle of the same layout changes.
"""

from __future__ import annotations

from typing import Any

PUBLISHED = {"roi_size": [240, 240, 160], "init_filters": 16}
SMALL = {"roi_size": [32, 32, 24], "init_filters": 8}


def network(init_filters: int) -> dict[str, Any]:
    return {
        "_target_": "SegResNet",
        "blocks_down": [1, 2, 2, 4],
        "blocks_up": [1, 1, 1],
        "init_filters": init_filters,
        "in_channels": 4,
        "out_channels": 3,
        "dropout_prob": 0.2,
    }


def metadata() -> dict[str, Any]:
    """configs/metadata.json"""
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": 4,
        "spatial_shape": ["8*n", "8*n", "8*n"],
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": True,
        "channel_def": {"0": "T1c", "1": "T1", "2": "T2", "3": "FLAIR"},
    }
    prediction = {
        "type": "image",
        "format": "segmentation",
        "num_channels": 3,
        "spatial_shape": ["8*n", "8*n", "8*n"],
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": True,
        "channel_def": {"0": "Tumor core", "1": "Whole tumor", "2": "Enhancing tumor"},
    }
    return {
        "version": "0.5.2",
        "monai_version": "1.4.0",
        "pytorch_version": "2.4.0",
        "numpy_version": "1.24.4",
        "name": "BraTS MRI segmentation",
        "task": "Multimodal Brain Tumor segmentation",
        "image_classes": "4 channel data, T1c, T1, T2, FLAIR at 1x1x1 mm",
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": prediction}},
    }


def inference(roi_size: list[int], init_filters: int) -> dict[str, Any]:
    """configs/inference.json"""
    return {
        "imports": ["$import glob", "$import numpy", "$import os"],
        "bundle_root": ".",
        "image_key": "image",
        "ckpt_dir": "$@bundle_root + '/models'",
        "output_dir": "$@bundle_root + '/eval'",
        "output_ext": ".nii.gz",
        "output_dtype": "uint8",
        "output_postfix": "seg",
        "separate_folder": True,
        "load_pretrain": True,
        "data_list_file_path": "$@bundle_root + '/configs/datalist.json'",
        "dataset_dir": "/workspace/data/medical/brats2018challenge",
        "test_datalist": "$monai.data.load_decathlon_datalist(@data_list_file_path, "
        "data_list_key='testing', base_dir=@dataset_dir)",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "amp": True,
        "network_def": network(init_filters),
        "network": "$@network_def.to(@device)",
        "preprocessing": _compose(
            {"_target_": "LoadImaged", "keys": "@image_key", "image_only": False},
            {
                "_target_": "NormalizeIntensityd",
                "keys": "@image_key",
                "nonzero": True,
                "channel_wise": True,
            },
        ),
        "dataset": {
            "_target_": "Dataset",
            "data": "@test_datalist",
            "transform": "@preprocessing",
        },
        "dataloader": {
            "_target_": "DataLoader",
            "dataset": "@dataset",
            "batch_size": 1,
            "shuffle": True,
            "num_workers": 4,
        },
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": roi_size,
            "sw_batch_size": 1,
            "overlap": 0.5,
        },
        "postprocessing": _compose(*_postprocessing()),
        "handlers": [{"_target_": "StatsHandler", "iteration_log": False}],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
            "amp": True,
        },
        "checkpointloader": {
            "_target_": "CheckpointLoader",
            "load_path": "$@bundle_root + '/models/model.pt'",
            "load_dict": {"model": "@network"},
        },
        "initialize": [
            "$setattr(torch.backends.cudnn, 'benchmark', True)",
            "$@checkpointloader(@evaluator) if @load_pretrain else None",
        ],
        "run": ["$@evaluator.run()"],
    }


def _compose(*transforms: dict[str, Any]) -> dict[str, Any]:
    return {"_target_": "Compose", "transforms": list(transforms)}


def _postprocessing() -> list[dict[str, Any]]:
    return [
        {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
        {
            "_target_": "Invertd",
            "keys": "pred",
            "transform": "@preprocessing",
            "orig_keys": "@image_key",
            "meta_keys": "pred_meta_dict",
            "nearest_interp": False,
            "to_tensor": True,
        },
        {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
        {
            "_target_": "Lambdad",
            "keys": "pred",
            "func": "$lambda x: torch.where(x[[2]] > 0, 4, "
            "torch.where(x[[0]] > 0, 1, torch.where(x[[1]] > 0, 2, 0)))",
        },
        {
            "_target_": "SaveImaged",
            "keys": "pred",
            "meta_keys": "pred_meta_dict",
            "output_dir": "@output_dir",
            "output_ext": "@output_ext",
            "output_dtype": "@output_dtype",
            "output_postfix": "@output_postfix",
            "separate_folder": "@separate_folder",
            "resample": False,
            "squeeze_end_dims": True,
        },
    ]
