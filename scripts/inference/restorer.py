# SPDX-License-Identifier: Apache-2.0
"""Restore single images in Python, as the inference config restores those of a folder."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Any

import nibabel as nib
import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose, SaveImaged
from numpy.typing import ArrayLike

from ..files.errors import unwrapped
from ..files.nifti_image import nifti_image
from ..recipes.places import ROOT
from ..recipes.recipe import merged_config
from ..recipes.workflow import INFERENCE, as_text
from ..transforms.load_volume import WARNINGS
from .evaluator import check_options
from .volume_item import VolumeLike, prepare

__all__ = ["Restorer", "restore"]

logger = logging.getLogger(__name__)

CHECKED = ("plane", "spatial_dims", "anomaly")
OF_SAVING = {"dicom", "dtype", "output_dir"}
"""Keys that only the last step of the postprocessing uses, which is left out here."""


class Restorer:
    """The inference config, loaded once, for any number of images.

    Args:
        **options: keys of ``configs/inference.yaml`` that concern a single image, such as ``plane`` ("auto",
            "sagittal", "coronal" or "axial"), ``device``, ``weights``, ``batch_size``, ``amp`` (bfloat16) and
            ``network_def``.

    Attributes:
        device: device of the network.

    Raises:
        FileNotFoundError: the weights do not exist.
        ValueError: an option is unknown (the nearest one is named), of no use for a single image, or has a wrong
            value; the weights are of another network.

    Example:
        >>> restorer = brain_ae.Restorer(device="cpu", amp=False, gate=False)  # synthetic heads are outside
        >>> head = brain_ae.demo_head()
        >>> [round(brain_ae.psnr(restorer(brain_ae.damage(head, seed=seed)), head), 1) for seed in (1, 2)]
        [26.3, 28.1]
    """

    def __init__(self, **options: Any) -> None:
        parser = ConfigParser(merged_config(INFERENCE, {"bundle_root": as_text(str(ROOT)), **options}))
        self._take_parts(parser)
        unused = sorted(options.keys() - (parser.ref_resolver.resolved_content.keys() - OF_SAVING))
        if unused:
            raise ValueError(f"{', '.join(unused)}: of no use for a single image. Leave it out.")

    @classmethod
    def of_config(cls, parser: ConfigParser) -> Restorer:
        """A restorer of the parts of an inference config, such as those of a workflow that has run.

        Args:
            parser: the config.
        """
        restorer = cls.__new__(cls)
        restorer._take_parts(parser)
        return restorer

    def _take_parts(self, parser: ConfigParser) -> None:
        try:
            check_options(**{key: parser.get_parsed_content(key) for key in CHECKED})
            self.device = torch.device(parser.get_parsed_content("device"))
            self.preprocessing = parser.get_parsed_content("preprocessing")
            self.inferer = parser.get_parsed_content("inferer")
            postprocessing = parser.get_parsed_content("postprocessing").transforms
            self.network = parser.get_parsed_content("network")
        except RuntimeError as error:  # MONAI wraps what a component raises
            raise unwrapped(error) from None
        self.postprocessing = Compose([step for step in postprocessing if not isinstance(step, SaveImaged)])

    def __call__(self, image: VolumeLike, affine: ArrayLike | None = None) -> nib.Nifti1Image:
        """Restore an image.

        Args:
            image: see :func:`restore`.
            affine: see :func:`restore`.

        Returns:
            See :func:`restore`.

        Raises:
            FileNotFoundError: see :func:`restore`.
            TypeError: see :func:`restore`.
            ValueError: see :func:`restore`.
        """
        item = self.restored_item(image, affine)
        for line in item.get(WARNINGS, "").splitlines():
            logger.warning("warning: %s", line)
        restored = item["pred"].cpu()
        return nifti_image(restored.numpy()[0], restored.affine.numpy(), restored.meta)

    @torch.no_grad()
    def restored_item(self, image: VolumeLike, affine: ArrayLike | None = None) -> dict[str, Any]:
        """Restore an image, and tell all that is known of it.

        Args:
            image: see :func:`restore`.
            affine: see :func:`restore`.

        Returns:
            ``pred``, the restored volume ``(1, X, Y, Z)``; where the network tells them, the mask ``filled`` and the
            standard deviation ``uncertainty``; and ``warnings`` about the image, one a line.
        """
        item = prepare(self.preprocessing, image, affine)
        item["image"] = item["image"].to(self.device)
        item["pred"] = self.inferer(item["image"][None], self.network)[0]
        return self.postprocessing(item)


def restore(image: VolumeLike, affine: ArrayLike | None = None, **options: Any) -> nib.Nifti1Image:
    """Restore a damaged T1-weighted head with the shipped weights.

    The voxels are those that ``python -m monai.bundle run inference`` writes. The network of the last options is kept
    for the next call.

    Args:
        image: path of a NIfTI, MHA or NRRD file or of a folder with one DICOM series, nibabel image, or array
            ``(X, Y, Z)``.
        affine: affine of an array, ``(4, 4)``, voxel indices to millimetres, RAS.
        **options: see :class:`Restorer`.

    Returns:
        NIfTI image on the grid and the intensity scale of the input: float32, or float64 where that is too coarse.

    Raises:
        FileNotFoundError: there is no such file, or the weights do not exist.
        TypeError: the image is of another type.
        ValueError: the image cannot be restored (more than three axes, NaN, constant, damaged file ...), or an option
            is wrong; see :class:`Restorer`.

    Example:
        >>> head = brain_ae.demo_head()
        >>> damaged = brain_ae.damage(head)
        >>> restored = brain_ae.restore(damaged, device="cpu", amp=False, gate=False)  # synthetic
        >>> [round(brain_ae.psnr(image, head), 1) for image in (damaged, restored)]
        [19.3, 28.1]
    """
    if not all(isinstance(value, Hashable) for value in options.values()):
        return Restorer(**options)(image, affine)
    weights = Path(options.get("weights") or "")
    return _kept(weights.stat().st_mtime_ns if weights.is_file() else 0, **options)(image, affine)


@lru_cache(maxsize=2)
def _kept(weights_changed: int, **options: Any) -> Restorer:
    return Restorer(**options)
