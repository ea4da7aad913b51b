# SPDX-License-Identifier: Apache-2.0
"""What was measured comes back exactly, against NumPy's Fourier transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.corruptions import Corruption, RandUndersampling
from scripts.corruptions.undersampling import acquired
from scripts.inference.data_consistency import DataConsistency, with_measured

KEYS = {"subject": torch.tensor([5, 6]), "slice": torch.tensor([1, 2]), "epoch": 0}


def numpy_kspace(images: torch.Tensor) -> np.ndarray:
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(images.numpy(), axes), axes=axes, norm="ortho"), axes)


def lines(*rows: int, size: int = 12) -> torch.Tensor:
    """Measured rows of k-space, counted from its centre, in the order of the FFT."""
    measured = torch.zeros(1, size, size, dtype=torch.bool)
    measured[:, list(rows)] = True
    return measured


@pytest.mark.parametrize("pattern", ["random", "equispaced"])
def test_measured_lines_come_back_exactly_and_all_others_are_the_networks(pattern):
    clean, guess = torch.rand(2, 2, 1, 24, 30, dtype=torch.float64).unbind()
    corruption = Corruption([RandUndersampling([3.5, 3.5], [0.08, 0.1], pattern)])
    kspace, measured = corruption.acquisition(clean, KEYS)
    assert 0.2 < measured.double().mean() < 0.4
    image = torch.view_as_complex(with_measured(guess, kspace, measured))
    found, where = numpy_kspace(image), measured.numpy()
    np.testing.assert_allclose(found[where], numpy_kspace(clean)[where], atol=1e-12)
    np.testing.assert_allclose(found[~where], numpy_kspace(guess)[~where], atol=1e-12)


def test_with_every_line_measured_the_truth_comes_back_and_with_none_the_networks_image():
    clean, guess = torch.rand(2, 2, 1, 24, 30).unbind()
    every = torch.ones(2, 24, 30, dtype=torch.bool)
    consistent = DataConsistency()
    torch.testing.assert_close(consistent(clean, lambda _: guess, *acquired(clean, every)), clean)
    torch.testing.assert_close(consistent(clean, lambda _: guess - 0.5, *acquired(clean, ~every)), (guess - 0.5).abs())


def test_a_network_that_is_right_stays_right():
    clean = torch.rand(2, 1, 24, 30)
    acquisition = Corruption([RandUndersampling()]).acquisition(clean, KEYS)
    torch.testing.assert_close(DataConsistency()(torch.zeros(2, 1, 24, 30), lambda _: clean, *acquisition), clean)


def test_the_magnitude_keeps_lines_that_are_measured_in_pairs_and_not_single_ones():
    clean, guess = (1 + 0.1 * torch.rand(2, 1, 1, 12, 12, dtype=torch.float64)).unbind()
    for rows, exact in (((0, 2, -2), True), ((0, 2), False)):
        kspace, measured = acquired(clean, lines(*rows))
        image = DataConsistency()(guess.float(), lambda _: guess, kspace.float(), measured)
        error = np.abs(numpy_kspace(image) - numpy_kspace(clean))[measured.numpy()].max()
        assert (error < 1e-5) == exact
        assert (error > 1e-2) != exact


def test_the_gradient_is_finite_in_black_images():
    black = torch.zeros(1, 1, 12, 12)
    image = black.clone().requires_grad_()
    DataConsistency()(black, lambda _: image, *acquired(black, lines(0, 3))).sum().backward()
    assert image.grad is not None
    assert image.grad.isfinite().all()
