"""``brainsegaccel phantom``: a synthetic case with its truth."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..synthesis.cases import SyntheticCase

BRIGHTEST = 255
"""Value of the brightest voxel: small integers compress well and still keep the noise."""


def phantom(
    output: Annotated[Path, typer.Option(help="Folder of the case; made if it is not there.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same case.")] = 0,
    head: Annotated[
        bool, typer.Option("--head", help="Leave skull, scalp and face around the brain.")
    ] = False,
) -> None:
    """Make a synthetic case. Needs the train extra.

    Writes t1, t1c, t2, flair and seg .nii.gz, of no patient.
    """
    from ..runs.progress import StageClock
    from .extras import needs
    from .folder import ready_folder
    from .progress import progress_on_stderr

    with ready_folder(output), progress_on_stderr() as progress:
        clock = StageClock(progress)
        with needs("train"), clock.stage("prepare"):
            from ..synthesis.cases import CaseGenerator, Stripping
        with clock.stage("generate"):
            left = Stripping.ABSENT if head else Stripping.CLEAN
            case = CaseGenerator().generate(seed, stripping=left)
        with clock.stage("write"):
            files = write_case(case, output)
    for file in files:
        print(file)


def write_case(case: SyntheticCase, folder: Path) -> list[Path]:
    """Write a case as five files; the last of them is complete before the first is in place.

    Images are int16 from 0 to `BRIGHTEST`, labels uint8. The centre of the grid is at the origin.

    :raises RunError: the system refused to write.
    """
    import numpy as np
    import SimpleITK as sitk

    from ..geometry.resampling import to_image
    from ..geometry.volume import Grid
    from ..io.atomic import atomic_write
    from ..study.modality import Modality

    k, j, i = case.mask.shape
    affine = np.diag([case.voxel] * 3 + [1.0])
    affine[:3, 3] = [-case.voxel * (n - 1) / 2 for n in (i, j, k)]
    grid = Grid((k, j, i), affine)
    arrays = {}
    for modality in Modality:
        image = case.images[modality.channel].cpu().numpy()
        scaled = np.rint(image * (BRIGHTEST / max(float(image.max()), 1e-6)))
        arrays[f"{modality}.nii.gz"] = scaled.astype(np.int16)
    arrays["seg.nii.gz"] = case.label_map().cpu().numpy()
    with ExitStack() as stack:
        for name, array in arrays.items():
            beside = stack.enter_context(atomic_write(folder / name))
            sitk.WriteImage(to_image(array, grid), str(beside), True)
    return [folder / name for name in arrays]
