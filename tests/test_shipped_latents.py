# SPDX-License-Identifier: Apache-2.0
"""The shipped weights of the latent recipes, on test subjects of the split that their cards describe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.latent.measures import spearman_matrix
from scripts.latent.model import LatentModel
from scripts.latent.space import TissueRecipe
from scripts.recipes.trained import TrainedRecipe

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = sorted(file.parent.name for file in (ROOT / "bundle").glob("*/model.pt") if "brain_mri" not in str(file))
LARGEST_MB = 4
TEST_SUBJECTS = ("IXI013-HH-1212", "IXI015-HH-1258", "IXI221-HH-1606", "IXI566-HH-2535")
SECTIONS = ("# Model Overview", "## Data", "## Training configuration", "## Performance", "## Limitations")


def heads(real_data: Path) -> list[dict]:
    """Four heads, their middle slices."""
    folder = real_data / "ixi_hh_2mm"
    return [
        {
            "subject": name,
            "image": str(folder / f"T1/{name}_T1.nii.gz"),
            "label": str(folder / f"labels/{name}_T1_DLMUSE.nii.gz"),
            "slices": list(range(30, 60)),
        }
        for name in TEST_SUBJECTS
    ]


def test_masks_and_slices_have_shipped_weights():
    assert {"ar_vae", "vae"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_weights_are_small_fit_their_recipe_and_have_a_card(name: str):
    weights = ROOT / "bundle" / name / "model.pt"
    assert weights.stat().st_size < LARGEST_MB * 1e6
    network = TrainedRecipe(name, str(weights)).network
    assert all(bool(values.isfinite().all()) for values in network.state_dict().values())
    card = (weights.parent / "README.md").read_text(encoding="utf-8")
    assert [part for part in SECTIONS if part not in card] == []


def test_the_dimensions_of_unseen_masks_follow_their_attributes(real_data: Path):
    recipe = TissueRecipe("ar_vae", str(ROOT / "bundle/ar_vae/model.pt"))
    masks = recipe.dataset(heads(real_data), progress=False)
    own = np.diag(spearman_matrix(recipe.model.encode(masks.tissue.classes), masks.attributes.numpy()))
    found = dict(zip(masks.names, own, strict=False))
    # a little below what the card says of 25 subjects: these are four
    assert min(found[name] for name in ("slice_level", "brain_area", "ventricle_area")) > 0.95
    assert min(found.values()) > 0.65


def test_unseen_slices_are_recognised_in_their_reconstruction(real_data: Path):
    recipe = TrainedRecipe("vae", str(ROOT / "bundle/vae/model.pt"))
    images = recipe.dataset(heads(real_data), progress=False, cache_dir="").images[:, 0].numpy().astype(np.float32)
    model = LatentModel(recipe.network)
    decoded = model.decode(model.encode(images))
    error = np.square(decoded[:, None] - images[None]).mean((2, 3))  # of each reconstruction with each slice
    same_head = np.arange(len(images)) // 30
    nearest = error.argmin(1)
    # neighbouring slices are alike: what counts is the head
    assert (same_head[nearest] == same_head).mean() > 0.9
    assert -10 * np.log10(np.diag(error).mean()) > 17
