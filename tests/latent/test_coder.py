# SPDX-License-Identifier: Apache-2.0
"""Volumes to codes and back, with stand-ins that forget nothing, and with the shipped networks."""

from __future__ import annotations

from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import Compose

from scripts.latent.coder import SliceCodes, VolumeCoder, decode, encode, recipe_coder
from scripts.latent.model import LatentModel, MaskModel
from scripts.recipes.places import PUBLISHED
from scripts.recipes.trained import TrainedRecipe
from scripts.tissue import tissue_classes
from tests.helpers.toy_brain import toy_head, write_labels
from tests.helpers.volume_files import affine, head, write_nifti

WIDE = (30, 70, 60)
"""Of a head that fits into the frame of 256 mm."""


class Copy:
    """A network whose code is the image."""

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        self.image_shape, self.latent_size = (channels, *size), channels * size[0] * size[1]

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return z.unflatten(1, self.image_shape)

    def eval(self) -> Copy:
        return self

    def to(self, device: object) -> Copy:
        return self


def copying(recipe: str) -> VolumeCoder:
    """The coder of a shipped recipe with a network that forgets nothing."""
    coder = recipe_coder(TrainedRecipe(recipe, str(PUBLISHED / recipe / "model.pt")))
    channels, *size = coder.model.network.image_shape
    model = type(coder.model)(Copy(channels, tuple(size)))
    return VolumeCoder(model, coder.preprocessing, coder.key, coder.min_area_mm2)


@pytest.mark.parametrize("codes", ["PSR", "RAS", "LPS"])
def test_decoded_slices_lie_where_the_encoded_ones_lay(codes):
    volume, matrix = head(WIDE), affine(codes, tilt=0.1)
    coder = copying("vae")
    prepared = coder.prepared(volume, matrix)
    found = coder.encode(prepared)
    decoded = coder.decode(found, prepared)
    assert decoded.shape == (1, *WIDE)
    np.testing.assert_allclose(decoded.affine, matrix, atol=1e-9)
    sagittal = codes.index("R") if "R" in codes else codes.index("L")
    order = np.arange(WIDE[sagittal]) if "R" in codes else np.arange(WIDE[sagittal])[::-1]
    expected = np.zeros(WIDE, np.float32)
    kept = tuple(order[found.slices] if axis == sagittal else slice(None) for axis in range(3))
    expected[kept] = np.clip(volume, 0, np.percentile(volume, 99.5))[kept]  # the network ends at 1
    np.testing.assert_allclose(decoded[0].numpy(), expected, atol=0.02)
    assert 0 < len(found.slices) < WIDE[sagittal]  # slices of air have no code
    np.testing.assert_array_equal(coder.decode(found, prepared), decoded)  # and once more


def test_what_lies_outside_of_the_frame_is_background():
    volume = head((30, 150, 30)) + 100
    decoded = copying("vae")
    prepared = decoded.prepared(volume, affine("RAS"))
    back = decoded.decode(decoded.encode(prepared), prepared)[0].numpy()
    shown = np.abs(back - 100).max(axis=(0, 2)) > 1  # the background of this volume is 100
    np.testing.assert_array_equal(np.flatnonzero(shown)[[0, -1]], [11, 138])  # 128 of 150


def test_pixels_of_another_size_are_resampled_and_come_back():
    fine = head((40, 80, 72))
    coder = copying("vae")
    prepared = coder.prepared(fine, affine("RAS", (2.0, 1.0, 1.0)))
    assert prepared.shape == (1, 128, 128, 40)
    decoded = coder.decode(coder.encode(prepared), prepared)[0].numpy()
    inside = (slice(15, 25), slice(30, 50), slice(26, 46))
    assert decoded.shape == fine.shape
    assert np.abs(decoded[inside] - fine[inside]).mean() < 40  # noise of 30 is smoothed
    assert abs((decoded[inside] - fine[inside]).mean()) < 5


def test_masks_come_back_on_the_grid_of_the_labels(tmp_path):
    coder = copying("ar_vae")
    assert isinstance(coder.model, MaskModel)
    slices = np.roll(toy_head(np.random.default_rng(0)), 6, axis=1)  # out of the middle: the frame follows the brain
    image = nib.load(write_labels(tmp_path / "labels.nii.gz", slices, origin=3.0))
    turned = nib.as_closest_canonical(image)
    prepared = coder.prepared(turned)
    codes = coder.encode(prepared)
    classes = coder.decode(codes, prepared)[0].numpy()
    expected = tissue_classes(torch.from_numpy(turned.get_fdata(dtype=np.float32))).numpy()
    assert classes.shape == turned.shape
    shown = classes.any((0, 1))
    assert shown.sum() == len(codes.slices)
    np.testing.assert_array_equal(classes[..., shown], expected[..., shown])


def test_codes_are_those_of_the_training_slices(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", head(WIDE), affine("PSR"))
    trained = TrainedRecipe("vae", str(PUBLISHED / "vae/model.pt"))
    codes = encode(path)
    item = {"image": str(path), "subject": "a", "slices": codes.slices.tolist()}
    images = trained.dataset([item], progress=False, cache_dir="").images[:, 0].numpy()
    np.testing.assert_allclose(codes.values, LatentModel(trained.network).encode(images), atol=0.02)  # half precision
    assert codes.values.std() > 0.5


def test_a_decoded_volume_is_on_the_grid_and_scale_of_the_other():
    image = nib.Nifti1Image(head(WIDE), affine("LAS"))
    codes = encode(image)
    decoded, brighter = decode(codes, like=image), decode(codes, like=head(WIDE) * 3, affine=affine("LAS"))
    assert (decoded.shape, decoded.get_data_dtype()) == (WIDE, np.float32)
    np.testing.assert_array_equal(decoded.affine, image.affine)
    np.testing.assert_allclose(brighter.get_fdata(), 3 * decoded.get_fdata(), rtol=1e-4, atol=1e-3)
    moved = codes._replace(values=codes.values + 1)
    assert np.abs(decode(moved, like=image).get_fdata() - decoded.get_fdata()).max() > 10


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (SliceCodes(np.zeros((2, 3), np.float32), np.array([1, 2])), r"must have the shape \(2, 64\), got \(2, 3\)"),
        (SliceCodes(np.zeros((2, 64), np.float32), np.array([1])), r"must have the shape \(1, 64\), got \(2, 64\)"),
        (SliceCodes(np.zeros((1, 64), np.float32), np.array([30])), "slices 30 to 30, and the volume has 30"),
        (SliceCodes(np.zeros((1, 64), np.float32), np.array([-1])), "slices -1 to -1"),
    ],
)
def test_codes_that_do_not_fit_are_refused(codes, message):
    with pytest.raises(ValueError, match=message):
        decode(codes, like=head(WIDE), affine=affine("RAS"))


def test_no_codes_are_an_empty_volume():
    none = SliceCodes(np.zeros((0, 64), np.float32), np.zeros(0, np.int64))
    assert not decode(none, like=head(WIDE), affine=affine()).get_fdata().any()


def test_what_cannot_be_encoded_is_refused():
    with pytest.raises(ValueError, match="recipe residual_unet_mse has no code of one vector"):
        recipe_coder(SimpleNamespace(name="residual_unet_mse", network=torch.nn.Identity()))
    with pytest.raises(ValueError, match=r"no slice shows 2637 mm2 of tissue"):
        encode(head((16, 16, 16)), affine=affine())
    with pytest.raises(ValueError, match=r"no recipe fits 'va': did you mean vae\?"):
        encode(head(WIDE), "va", affine())
    with pytest.raises(ValueError, match=r"region labels .* are not in the table"):
        encode(head(WIDE), "ar_vae", affine())


def test_the_smallest_area_is_that_of_the_training():
    trained = TrainedRecipe("ar_vae", str(PUBLISHED / "ar_vae/model.pt"))
    assert recipe_coder(trained).min_area_mm2 == trained.config["train"]["dataset"]["min_area_mm2"] == 3500


def test_every_step_before_the_network_can_be_undone_or_is_a_check():
    steps = recipe_coder(TrainedRecipe("vae", str(PUBLISHED / "vae/model.pt"))).preprocessing
    assert isinstance(steps, Compose)
    assert [type(step).__name__ for step in steps.transforms][:2] == ["LoadVolumed", "CheckVolumed"]
    assert "LoadImaged" not in [type(step).__name__ for step in steps.transforms]
