# SPDX-License-Identifier: Apache-2.0
"""A picture for each kind of damage: a synthetic head clean, damaged, restored, the error, and the uncertainty."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..anatomy.head_mask import head_mask
from ..data.slices import subject_key
from ..evaluation.conditions import Condition, make_conditions
from ..inference.restorer import Restorer
from ..metrics.restoration import peak_signal_to_noise_ratio
from ..pages.comparison import Column, comparison_figure, difference_scale, image_scale, sd_scale
from ..pages.head_views import save_figure
from .restoration import read_head

__all__ = ["GALLERY_KINDS", "write_gallery"]

GALLERY_KINDS = (
    "rician_noise", "uneven_noise", "pixel_dropout", "some_holes", "lesion_holes", "gaussian_blur", "volume_bias",
    "motion", "ghosting", "spikes", "gibbs", "thick_slices", "random_lines", "equispaced_lines", "mixed",
)  # fmt: skip
SEVERITY = 3
PLANES = ("axial", "sagittal")
LIMIT = 0.15
"""Ends of the scale of the error and of the uncertainty, 1 = the clean head's 99.5th percentile."""
COLORS = {"gray": 40, "RdBu_r": 41, "inferno": 32}
"""Numbers of colours of each scale: few, as noise makes large files."""

logger = logging.getLogger(__name__)


def write_gallery(
    image: str | Path,
    subject: str,
    folder: Path,
    weights: str = "",
    seed: int = 0,
    kinds: tuple[str, ...] = GALLERY_KINDS,
) -> Iterator[Path]:
    """Damage a head in each way, restore it without the gate, and draw it.

    Args:
        image: file of the clean head.
        subject: its name; the damage depends on it.
        folder: of the pictures, each named after its kind.
        weights: of the restorer; "" for the shipped ones.
        seed: of the damage.
        kinds: kinds of damage, see :data:`~scripts.evaluation.kinds.KINDS`.

    Yields:
        The PNG files, as they are written.
    """
    options = {"weights": weights} if weights else {}
    restorer = Restorer(gate=False, uncertainty=True, **options)  # synthetic heads are outside of its training
    clean = read_head(image)
    inside = torch.from_numpy(head_mask(clean[0]))
    keys: dict[str, Tensor | int] = {
        "subject": torch.tensor([subject_key(subject)]),
        "slice": torch.tensor([0]),
        "epoch": 0,
    }
    for condition in make_conditions(kinds, [SEVERITY], seed, volumes=True):
        damaged = condition.corruption(clean.as_tensor()[None], keys)[0, 0]
        item = restorer.restored_item(nib.Nifti1Image(damaged.numpy(), np.asarray(clean.affine, dtype=np.float64)))
        restored, sd = (item[key].as_tensor()[0].cpu().float() for key in ("pred", "uncertainty"))
        path = folder / f"{condition.kind}.png"
        save_figure(damage_figure(clean.as_tensor()[0], damaged, restored, sd, clean.affine, inside), path, maps=COLORS)
        logger.info("%s: %s", condition.name, _in_words(condition, clean.as_tensor()[0], damaged, restored, inside))
        yield path


def damage_figure(
    clean: Tensor, damaged: Tensor, restored: Tensor, sd: Tensor, affine: Tensor, inside: Tensor
) -> Figure:
    """Draw a damaged head and what became of it, all volumes ``(X, Y, Z)``, 1 = the clean head's 99.5th percentile."""
    grey = image_scale(0.0, 1.1, "1: 99.5th percentile of the clean head")
    before, after = (_psnr(one, clean, inside) for one in (damaged, restored))
    columns = [
        Column("clean", clean, grey),
        Column(f"damaged, {before:.1f} dB", damaged, grey),
        Column(f"restored, {after:.1f} dB", restored, grey),
        Column("error of the restored", restored - clean, difference_scale(LIMIT, "restored - clean")),
        Column("uncertainty", sd, sd_scale(LIMIT, "standard deviation")),
    ]
    return comparison_figure(columns, affine, inside, (damaged - clean) * inside, PLANES)


def _in_words(condition: Condition, clean: Tensor, damaged: Tensor, restored: Tensor, inside: Tensor) -> str:
    before, after = (_psnr(one, clean, inside) for one in (damaged, restored))
    return f"{condition.description}: {before:.1f} to {after:.1f} dB"


def _psnr(volume: Tensor, clean: Tensor, inside: Tensor) -> float:
    return peak_signal_to_noise_ratio(float((volume - clean)[inside].square().mean(dtype=torch.float64)))
