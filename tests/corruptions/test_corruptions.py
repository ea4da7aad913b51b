# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from monai.transforms import RandBiasField, RandRicianNoise
from scipy import ndimage

import scripts.corruptions as corruptions
from scripts.corruptions import Corruption, Draws
from scripts.corruptions.bias_field import bias_terms, ellipsoid, smooth_field
from scripts.corruptions.noise import noise_map

STEPS = [
    member
    for name, member in vars(corruptions).items()
    if inspect.isclass(member)
    and name in corruptions.__all__
    and name not in {"Corruption", "Draws", "EachSlice", "VolumeCorruption"}
]
TRANSFORMED = {"RandGhosting", "RandGibbsRinging", "RandKSpaceBlur", "RandMotion", "RandSpikes", "RandUndersampling"}
"""An FFT takes another way through a batch of another size: the last bit of float32 may differ."""


def batch(count: int = 7, shape: tuple[int, ...] = (37, 45)) -> tuple[torch.Tensor, dict]:
    images = torch.rand(count, 1, *shape, generator=torch.Generator().manual_seed(0))
    images[..., :5] = 0.0
    return images, {"subject": torch.arange(count) * 7919, "slice": torch.arange(count), "epoch": 3}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
@pytest.mark.parametrize("shape", [(37, 45), (13, 12, 11), (5, 21, 20)], ids=["2d", "3d", "stack"])
def test_every_step_damages_each_image_the_same_in_any_batch(step, shape, request):
    images, keys = batch(shape=shape)
    if "stack" in request.node.callspec.id:
        images = images[:, 0]
    corruption = Corruption([step()], seed=5)
    whole = corruption(images, keys)
    order = [4, 1, 6]
    some = corruption(images[order], {"subject": keys["subject"][order], "slice": keys["slice"][order], "epoch": 3})
    assert whole.shape == images.shape
    assert whole.dtype == images.dtype
    torch.testing.assert_close(some, whole[order], rtol=0, atol=1e-6 if step.__name__ in TRANSFORMED else 0)
    assert torch.equal(images, batch(shape=shape)[0].view(images.shape))  # the clean images are not written to


@pytest.mark.gpu
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
@pytest.mark.parametrize("shape", [(37, 45), (13, 12, 11)], ids=["2d", "3d"])
def test_every_step_does_the_same_on_a_gpu(step, shape):
    images, keys = batch(shape=shape)
    there = {name: torch.as_tensor(value).cuda() for name, value in keys.items()}
    damaged = Corruption([step()], seed=5)(images.cuda(), there)
    assert damaged.is_cuda
    torch.testing.assert_close(damaged.cpu(), Corruption([step()], seed=5)(images, keys), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "step", [s for s in STEPS if "prob" in inspect.signature(s).parameters], ids=lambda s: s.__name__
)
def test_prob_is_the_share_of_damaged_images(step):
    neighbours = 3 if step is corruptions.RandThickSlices else 1
    images = torch.rand(2000, neighbours, 16, 16) + 0.5
    keys = {"subject": torch.arange(2000), "slice": torch.zeros(2000, dtype=torch.int64), "epoch": 0}
    sizes = {"offset": [4, 8], "size": [4, 8]} if "offset" in inspect.signature(step).parameters else {}
    damaged = (step(prob=0.3, **sizes)(images, Draws(0, keys)) != images).flatten(1).any(1)
    assert abs(damaged.float().mean() - 0.3) < 0.04  # 4 standard errors
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got 1.5"):
        step(prob=1.5)


def test_pixel_dropout_loses_the_given_share_and_rescales_as_tensorflow_does():
    images = torch.ones(1, 1, 200, 200)
    uniform = torch.rand(images.shape)
    lost = corruptions.pixel_dropout(images, torch.tensor([0.04]), uniform)
    assert abs((lost == 0).float().mean() - 0.04) < 0.004
    rescaled = corruptions.pixel_dropout(images, torch.tensor([0.04]), uniform, rescale=True)
    assert rescaled.max() == pytest.approx(1 / 0.96)


def test_gaussian_noise_has_its_standard_deviation():
    images = torch.zeros(2, 1, 100, 100)
    noisy = corruptions.gaussian_noise(images, torch.tensor([0.01, 0.04]), torch.randn(images.shape))
    torch.testing.assert_close(noisy.flatten(1).std(1), torch.tensor([0.01, 0.04]), rtol=0.05, atol=0)


def test_rician_noise_is_monais_with_the_same_numbers():
    image = torch.rand(1, 1, 31, 25)
    monai = RandRicianNoise(prob=1.0, std=0.05, sample_std=False).set_random_state(3)
    expected = monai(image[0])
    real, imaginary = (torch.as_tensor(part) / 0.05 for part in (monai._noise1, monai._noise2))
    noisy = corruptions.rician_noise(image, torch.tensor([0.05]), real[None], imaginary[None])
    torch.testing.assert_close(noisy[0], torch.as_tensor(expected), rtol=0, atol=1e-6)


def test_rician_noise_is_rayleigh_in_the_air_and_gaussian_in_tissue():
    images = torch.stack([torch.zeros(1, 300, 300), torch.ones(1, 300, 300)])
    keys = {"subject": torch.arange(2), "slice": torch.arange(2), "epoch": 0}
    air, tissue = corruptions.RandRicianNoise(std=[0.04, 0.04])(images, Draws(0, keys))
    assert air.mean() == pytest.approx(0.04 * (np.pi / 2) ** 0.5, rel=0.01)
    assert tissue.std() == pytest.approx(0.04, rel=0.01)
    assert tissue.mean() == pytest.approx(1 + 0.04**2 / 2, abs=5e-4)


def test_uneven_noise_is_rician_with_the_standard_deviation_of_its_map():
    shape = (40, 36, 30)
    keys = {"subject": torch.arange(4), "slice": torch.arange(4), "epoch": 0}
    step = corruptions.RandRicianNoise(std=[0.05, 0.05], variation=[0.7, 0.7])
    air = step(torch.zeros(4, 1, *shape), Draws(0, keys))
    coefficients = 2 * Draws(0, keys).uniform_field("rician_noise.map", (9,)) - 1
    gain = noise_map(coefficients, torch.full((4,), 0.7), shape)
    head = ellipsoid(shape, torch.device("cpu"))
    torch.testing.assert_close(gain[..., head].square().mean(2).sqrt(), torch.ones(4, 1))
    assert 2.0 < (gain[..., head].amax(2) / gain[..., head].amin(2)).min() <= np.exp(1.4) * 1.001
    rayleigh = air / (0.05 * gain)
    assert rayleigh.mean() == pytest.approx((np.pi / 2) ** 0.5, rel=0.005)
    parts = [gain < gain.median(), gain >= gain.median()]
    assert all(rayleigh[part].mean().item() == pytest.approx((np.pi / 2) ** 0.5, rel=0.01) for part in parts)


def test_no_rician_noise_changes_nothing():
    images = torch.rand(3, 1, 9, 9) - 0.5  # also where an image is negative
    normal = torch.randn(images.shape)
    assert torch.equal(corruptions.rician_noise(images, torch.zeros(3), normal, normal), images)


@pytest.mark.parametrize("shape", [(13, 12, 11), (21, 34)], ids=["3d", "2d"])
def test_smooth_field_is_monais_sum_of_legendre_products(shape):
    terms = bias_terms(len(shape), 3)
    assert len(terms) == {2: 9, 3: 19}[len(shape)]
    # in 2D MONAI has other products: those whose degree along the second axis is not above that along the first
    common = [len(shape) == 3 or term[1] <= term[0] for term in terms]
    generator = torch.Generator().manual_seed(0)
    coefficients = (torch.rand(1, len(terms), generator=generator) - 0.5) * torch.tensor(common)
    if len(shape) == 3:
        theirs = [0.0, *coefficients[0].tolist()]  # the constant first
    else:
        of_term = dict(zip(terms, coefficients[0].tolist(), strict=True))
        theirs = [of_term.get((i, j), 0.0) for i, j in zip(*np.tril_indices(4), strict=True)]
    expected = RandBiasField(degree=3)._generate_random_field(shape, 3, theirs)
    np.testing.assert_allclose(smooth_field(coefficients, shape, 3)[0, 0], expected, atol=1e-6)


def test_bias_field_reaches_its_strength_and_keeps_zeros_and_signs():
    images = torch.ones(50, 1, 33, 26)
    images[..., :4] = 0.0
    keys = {"subject": torch.arange(50), "slice": torch.arange(50), "epoch": 0}
    step = corruptions.RandBiasField(strength=[0.4, 0.4])
    gain = step(torch.ones(50, 1, 33, 26), Draws(0, keys))
    torch.testing.assert_close(gain.log().abs().flatten(1).amax(1), torch.full((50,), 0.4))
    assert abs(gain.log().mean()) < 0.01  # no gain of the whole image
    assert torch.equal(step(images, Draws(0, keys)), images * gain)
    steps = (gain[..., 1:, :] - gain[..., :-1, :]).abs().amax()
    assert steps < 0.15  # smooth: the largest step from a pixel to the next is at a corner


@pytest.mark.parametrize("shape", [(33, 26), (24, 20, 17)], ids=["2d", "3d"])
def test_an_inscribed_field_reaches_its_strength_in_the_head_where_it_has_no_mean(shape):
    keys = {"subject": torch.arange(20), "slice": torch.arange(20), "epoch": 0}
    step = corruptions.RandBiasField(strength=[0.3, 0.3], degree=2, inscribed=True)
    field = step(torch.ones(20, 1, *shape), Draws(0, keys)).log()
    grid = torch.meshgrid(*(torch.linspace(-1, 1, size) for size in shape), indexing="ij")
    head = sum(axis**2 for axis in grid) <= 1
    assert torch.equal(ellipsoid(shape, torch.device("cpu")), head)
    torch.testing.assert_close(field[..., head].abs().amax((1, 2)), torch.full((20,), 0.3))
    assert field[..., head].mean(2).abs().max() < 1e-6
    for axis in range(2, field.ndim):  # a polynomial of degree 2 along each axis
        assert field.diff(n=3, dim=axis).abs().max() < 1e-5
        assert field.diff(n=2, dim=axis).abs().max() > 1e-4
    images = torch.rand(20, 1, *shape)
    torch.testing.assert_close(step(images, Draws(0, keys)), images * field.exp())


def test_a_field_without_coefficients_changes_nothing():
    images = torch.rand(2, 1, 9, 8)
    assert torch.equal(corruptions.bias_field(images, torch.ones(2), torch.zeros(2, 9)), images)


@pytest.mark.parametrize("name", ["RandHoles", "RandDiagonalCutout"])
def test_hole_mask_is_what_the_holes_erase(name):
    images = torch.rand(200, 1, 64, 64) + 0.5
    keys = {"subject": torch.arange(200), "slice": torch.zeros(200, dtype=torch.int64), "epoch": 0}
    hole = getattr(corruptions, name)(prob=0.5)
    corruption = Corruption([corruptions.RandGaussianNoise(), hole], seed=2, untouched_prob=0.3)
    mask = corruption.hole_mask(images, keys)
    assert torch.equal(mask, corruption(images, keys) == 0)
    assert 0.2 < mask.flatten(1).any(1).float().mean() < 0.5


def test_damage_without_holes_has_no_hole_mask():
    images, keys = batch()
    assert Corruption([corruptions.RandGaussianNoise()]).hole_mask(images, keys) is None


def test_holes_are_squares_of_zeros_wholly_inside_and_anywhere():
    images = torch.ones(3000, 1, 40, 50)
    keys = {"subject": torch.arange(3000), "slice": torch.zeros(3000, dtype=torch.int64), "epoch": 0}
    holes = (corruptions.RandHoles(size=(10, 38), prob=1.0)(images, Draws(0, keys)) == 0)[:, 0]
    heights, widths = holes.any(2).sum(1), holes.any(1).sum(1)
    assert torch.equal(heights, widths)
    assert torch.equal(holes.sum((1, 2)), heights * widths)
    assert (heights.min(), heights.max()) == (10, 38)
    assert holes.any(0).all()  # every pixel is in some hole: also the corners off the diagonal


def test_thesis_holes_are_centred_on_the_diagonal():
    images = torch.ones(500, 1, 128, 128)
    keys = {"subject": torch.arange(500), "slice": torch.zeros(500, dtype=torch.int64), "epoch": 0}
    holes = (corruptions.RandDiagonalCutout(prob=1.0)(images, Draws(0, keys)) == 0)[:, 0]
    assert torch.equal(holes, holes.transpose(1, 2))
    sides = holes.any(2).sum(1)
    whole = sides[holes[:, 0].sum(1) == 0]  # those that do not touch the border
    assert set(whole.tolist()) <= set(range(10, 40, 2))
    assert not holes[:, 110:, :10].any()


def test_blur_equals_scipy_with_the_same_kernel():
    image = np.random.default_rng(0).random((21, 34))
    weights = np.exp(-0.5 * np.arange(-1, 2) ** 2 / 0.6**2)
    weights /= weights.sum()
    expected = ndimage.convolve(
        image, np.outer(weights, weights), mode="mirror"
    )  # scipy's mirror is TensorFlow's REFLECT
    blurred = corruptions.gaussian_blur(torch.tensor(image)[None, None], 0.6)
    np.testing.assert_allclose(blurred[0, 0].numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 40, 30), (2, 1, 40, 30, 4)], ids=["stack", "volume"])
def test_blur_of_any_width_is_scipys_in_the_plane(shape):
    image = np.random.default_rng(0).random(shape)
    sigma = (2.0, 1.6)
    blurred = corruptions.kspace_blur(torch.tensor(image), torch.tensor(sigma, dtype=torch.float64))
    for number in range(2):
        widths = [0, sigma[number], sigma[number], 0][: len(shape) - 1]
        expected = ndimage.gaussian_filter(image[number], widths, mode="wrap", truncate=7)
        np.testing.assert_allclose(blurred[number].numpy(), expected, atol=1e-5)
    torch.testing.assert_close(corruptions.kspace_blur(torch.tensor(image), torch.zeros(2)), torch.tensor(image))


def test_min_max_maps_to_the_unit_interval_and_a_constant_to_zero():
    images = torch.stack([torch.linspace(-3, 5, 64).view(1, 8, 8), torch.full((1, 8, 8), 2.0)])
    scaled = corruptions.rescale_min_max(images)
    assert (scaled[0].min(), scaled[0].max()) == (0, 1)
    assert torch.equal(scaled[1], torch.zeros(1, 8, 8))


def test_untouched_share_and_exact_zero_background_are_kept():
    count = 1000
    images = torch.rand(count, 1, 16, 16) + 0.1
    images[:, :, :4] = 0.0
    keys = {"subject": torch.arange(count), "slice": torch.zeros(count, dtype=torch.int64), "epoch": 0}
    noise = corruptions.RandGaussianNoise(std=[0.1, 0.2])
    damaged = Corruption([noise], untouched_prob=0.3)(images, keys)
    assert abs((damaged == images).flatten(1).all(1).float().mean() - 0.3) < 0.06
    damaged = Corruption([noise], keep_zero_prob=1.0)(images, keys)
    assert torch.equal(damaged[:, :, :4], images[:, :, :4])
    assert (damaged[:, :, 4:] != images[:, :, 4:]).float().mean() > 0.99


def test_another_epoch_gives_other_damage():
    images, keys = batch()
    corruption = Corruption([corruptions.RandGaussianNoise(std=[0.1, 0.2])])
    assert not torch.equal(corruption(images, keys), corruption(images, {**keys, "epoch": 4}))


def test_ranges_are_checked():
    with pytest.raises(ValueError, match=r"rate must be \[low, high\] within \[0.0, 1.0\], got \[0.2, 0.1\]"):
        corruptions.RandPixelDropout(rate=[0.2, 0.1])
    with pytest.raises(ValueError, match="degree must be at least 1, got 0"):
        corruptions.RandBiasField(degree=0)
    with pytest.raises(ValueError, match="sigma must be positive, got 0"):
        corruptions.RandGaussianBlur(sigma=0)
