# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import PIL.Image
import torch
from matplotlib import colormaps
from monai.data import MetaTensor

from scripts.demo.gallery import GALLERY_KINDS, write_gallery
from scripts.demo.restoration import demo_head
from scripts.evaluation.kinds import BACKGROUNDS, SEVERITIES

ROOT = Path(__file__).resolve().parents[2]


class Doubling:
    """A restorer that makes everything twice as bright, and is sure of it."""

    def __init__(self, **options: Any) -> None:
        assert options == {"gate": False, "uncertainty": True}

    def restored_item(self, image: nib.Nifti1Image) -> dict[str, MetaTensor]:
        values = torch.from_numpy(image.get_fdata(dtype=np.float32))[None]
        return {"pred": MetaTensor(2 * values), "uncertainty": MetaTensor(torch.zeros_like(values))}


def test_a_picture_for_each_kind_in_the_colours_of_its_scales(tmp_path, monkeypatch):
    monkeypatch.setattr("scripts.demo.gallery.Restorer", Doubling)
    nib.save(demo_head(spacing_mm=4.0), tmp_path / "head.nii.gz")
    kinds = ("rician_noise", "lesion_holes")
    files = list(write_gallery(tmp_path / "head.nii.gz", "head", tmp_path / "out", kinds=kinds))
    assert [file.name for file in files] == ["rician_noise.png", "lesion_holes.png"]
    picture = PIL.Image.open(files[0])
    assert picture.mode == "P"
    assert tuple(255 * np.array(colormaps["RdBu_r"](1.0))[:3] // 1) in {
        tuple(color) for color in np.asarray(picture.convert("RGB")).reshape(-1, 3).tolist()
    }  # twice as bright is beyond the scale: its end


def test_the_page_shows_every_kind():
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert [kind for kind in GALLERY_KINDS if f"figures/damage/{kind}.png" not in page] == []
    assert set(GALLERY_KINDS) <= SEVERITIES.keys() - BACKGROUNDS.keys()
