"""A SegResNet of MONAI's Auto3DSeg: what its checkpoint holds, and the recipe of its template.

The checkpoint is ``{"state_dict", "config", "epoch", "best_metric"}``; `config` is the resolved
hyper_parameters.yaml, of which only what decides a prediction is here. `labels.csv` lies beside it
in the archives that are published for 3D Slicer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

# Order of channels and nested regions of the BraTS networks published for 3D Slicer.
BRATS_SEQUENCES = ("flair", "t1c", "t1", "t2")
BRATS_CLASSES = {"class_names": ["wt", "tc", "et"], "class_index": [[1, 2, 3], [1, 3], [3]]}

_TERMS = "SegmentedProperty{0}CodeSequence.{1}"
LABELS_CSV = [
    ("3", "Neoplasm", "SCT", "86049000", "Neoplasm, Primary"),
    ("2", "Edema", "SCT", "79654002", "Edema"),
    ("1", "Necrosis", "SCT", "6574001", "Necrosis"),
]


def config(
    *,
    init_filters: int = 32,
    blocks_down: tuple[int, ...] = (1, 2, 2, 4, 4),
    roi_size: tuple[int, int, int] = (224, 224, 144),
    channels: int = 4,
    classes: int = 3,
    **others: Any,
) -> dict[str, Any]:
    """What a checkpoint says of its network and of how to use it; ``others`` goes over it."""
    base = {
        "bundle_root": "segresnet_0",
        "modality": "mri",
        "normalize_mode": "meanstd",
        "intensity_bounds": [0.0, 1000.0],
        "orientation_ras": True,
        "crop_foreground": True,
        "resample": False,
        "resample_resolution": [1.0, 1.0, 1.0],
        "anisotropic_scales": False,
        "roi_size": list(roi_size),
        "input_channels": channels,
        "output_classes": classes,
        "extra_modalities": {},
        "sigmoid": True,
        "amp": True,
        "channels_last": True,
        "infer": {"enabled": False, "ckpt_name": "$@bundle_root + '/model/model.pt'"},
        "network": {
            "_target_": "SegResNetDS",
            "init_filters": init_filters,
            "blocks_down": list(blocks_down),
            "norm": "INSTANCE",
            "in_channels": channels,
            "out_channels": classes,
            "dsdepth": 4,
        },
    }
    return {**base, **others}


def labels_csv() -> str:
    """The table in the columns of the archives for 3D Slicer."""
    columns = ["LabelValue", "Name"]
    for kind in ("Category", "Type"):
        columns += [
            _TERMS.format(kind, part)
            for part in ("CodingSchemeDesignator", "CodeValue", "CodeMeaning")
        ]
    lines = [",".join(columns)]
    for value, name, scheme, code, meaning in LABELS_CSV:
        quoted = f'"{meaning}"' if "," in meaning else meaning
        category = "SCT,49755003,Morphologically Altered Structure"
        lines.append(f"{value},{name},{category},{scheme},{code},{quoted}")
    return "\n".join(lines) + "\n"


def predict(model: Path, files: list[str]) -> np.ndarray[Any, Any]:
    """Labels [i, j, k] on the grid of the files, as the template's `infer` makes them.

    Probabilities are brought back to that grid and then decided: the class with the largest one,
    or, with nested regions, the label of the innermost region at 0.5 or above.
    """
    import torch
    from monai.bundle import ConfigParser
    from monai.data import decollate_batch, list_data_collate
    from monai.inferers import SlidingWindowInfererAdapt
    from monai.transforms import Invertd
    from monai.utils import convert_to_dst_type

    checkpoint = torch.load(model, map_location="cpu", weights_only=True)
    settings = checkpoint["config"]
    network = ConfigParser(settings["network"]).get_parsed_content()
    network.load_state_dict(checkpoint["state_dict"])
    network.eval()
    transform = _transforms(settings)
    inferer = SlidingWindowInfererAdapt(
        roi_size=settings["roi_size"], sw_batch_size=1, overlap=0.625, mode="gaussian"
    )
    batch = list_data_collate([transform({"image": files})])
    with torch.no_grad():
        logits = inferer(inputs=batch["image"].as_subclass(torch.Tensor), network=network)
    logits = logits[0] if isinstance(logits, list | tuple) else logits
    if settings["sigmoid"]:
        values = torch.sigmoid(logits)
    else:
        values = torch.softmax(logits, dim=1, dtype=torch.double).float()
    batch["pred"] = convert_to_dst_type(values, batch["image"])[0]
    invert = Invertd(keys="pred", orig_keys="image", transform=transform, nearest_interp=False)
    back = invert(decollate_batch(batch)[0])["pred"].numpy()
    if not settings["sigmoid"]:
        return back.argmax(0).astype(np.uint8)
    inside = back >= 0.5
    return np.where(inside[2], 3, np.where(inside[1], 1, np.where(inside[0], 2, 0))).astype(
        np.uint8
    )


def _transforms(settings: dict[str, Any]) -> Any:
    """Orientation, crop, resampling, normalisation: in the order of the template."""
    import torch
    from monai import transforms as monai

    steps: list[Any] = [
        monai.LoadImaged(keys="image", ensure_channel_first=True, dtype=None, image_only=True),
        monai.EnsureTyped(keys="image", data_type="tensor", dtype=torch.float),
    ]
    if settings["orientation_ras"]:
        steps.append(monai.Orientationd(keys="image", axcodes="RAS"))
    if settings["crop_foreground"]:
        steps.append(
            monai.CropForegroundd(keys="image", source_key="image", margin=10, allow_smaller=True)
        )
    if settings["resample"]:
        target = np.array(settings["resample_resolution"])
        steps.append(
            monai.Spacingd(
                keys="image",
                pixdim=target.tolist(),
                mode="bilinear",
                dtype=torch.float,
                min_pixdim=target * 0.75,
                max_pixdim=target * 1.25,
            )
        )
    steps.append(monai.NormalizeIntensityd(keys="image", nonzero=True, channel_wise=True))
    if settings["normalize_mode"] == "meanstdtanh":
        steps.append(monai.Lambdad(keys="image", func=lambda x: 3 * torch.tanh(x / 3)))
    return monai.Compose(steps)
