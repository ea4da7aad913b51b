# SPDX-License-Identifier: Apache-2.0
"""Intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from scipy.stats import norm

from scripts.anatomy.damage_kinds import KINDS
from scripts.networks import ErrorSpread
from scripts.networks.error_spread import COVERAGES, FEATURES, REPAIRS, SMALL, known, voxel_features
from scripts.studies.restorer.calibrate import fitted


def test_the_features_of_a_voxel_are_what_they_are_called():
    torch.manual_seed(0)
    log_sd, filled, restored, before = torch.randn(4, 1, 1, 6, 7, 8)
    found = voxel_features(log_sd, filled > 0, restored, before)
    assert found.shape == (1, len(FEATURES), 6, 7, 8)
    constant, sd, hole, change, detail = found[0]
    assert (constant == 1).all()
    assert torch.equal(sd, log_sd[0, 0])
    assert torch.equal(hole, (filled[0, 0] > 0).float())
    torch.testing.assert_close(change.exp() - SMALL, (restored - before)[0, 0].abs(), atol=1e-5, rtol=1e-5)
    inner = ndimage.generic_filter(restored[0, 0].numpy(), np.std, size=3)[1:-1, 1:-1, 1:-1]
    np.testing.assert_allclose(detail[1:-1, 1:-1, 1:-1].exp() - SMALL, inner, atol=1e-4)


def test_at_first_nothing_is_changed():
    features = torch.randn(1, len(FEATURES), 4, 5, 6)
    assert torch.equal(ErrorSpread(3)(features, torch.rand(3), ["ghosts"]), features[:, 1:2])


def test_intervals_are_two_sided():
    expected = [norm.ppf((1 + coverage) / 2) for coverage in COVERAGES]
    torch.testing.assert_close(ErrorSpread(3).widths, torch.tensor(expected).float(), atol=1e-4, rtol=0)


def test_each_number_is_for_what_it_says():
    spread, features = ErrorSpread(2), torch.tensor([1.0, 0.5, 1.0, -2.0, -3.0])[None, :, None, None, None]
    places = 1 + 2 + len(REPAIRS)
    for row, feature in enumerate(features.flatten().tolist()):
        for column, told in ((0, 1.0), (1, 0.1), (2, 0.2), (3 + REPAIRS.index("spikes"), 1.0), (3, 0.0)):
            spread.numbers.copy_(torch.zeros(len(FEATURES), places))
            spread.numbers[row, column] = 10.0
            found = spread(features, torch.tensor([0.1, 0.2]), ["spikes"])
            torch.testing.assert_close(found.flatten(), torch.tensor([10.0 * feature * told]))


def test_fitted_intervals_cover_errors_that_are_not_normal():
    torch.manual_seed(0)
    volumes, voxels = 60, 800
    rows, groups = [], []
    for _ in range(volumes):
        features = torch.cat(
            [torch.ones(1, voxels), torch.randn(1, voxels), torch.rand(1, voxels).lt(0.1), -torch.rand(2, voxels)]
        )
        repaired = [name for name in REPAIRS if torch.rand(()) < 0.3]
        told = known(torch.rand(len(KINDS)), repaired)
        change = (1.0 + 2.0 * ("ghosts" in repaired)) * features[3]  # which tells more where ghosts were undone
        scale = 0.5 + 0.7 * features[1] + 1.5 * features[2] + change + told[3] - 0.8 * ("ghosts" in repaired)
        errors = torch.distributions.StudentT(3.0).sample((voxels,)).abs() * scale.exp()
        products = torch.einsum("iv,k->vik", features, told).flatten(1)
        rows.append(torch.cat([products, errors.log()[:, None]], dim=1))
        groups.append(torch.stack([features[2] > 0, torch.full((voxels,), "ghosts" in repaired), features[3] < -0.8]))
    table, inside = torch.cat(rows), torch.cat(groups, dim=1)
    numbers, widths = fitted(table)
    assert abs(float(widths[1]) - 1.6449) < 1e-4
    sd, errors = (table[:, :-1] @ numbers).exp(), table[:, -1].exp()
    for group in (torch.ones(len(table), dtype=torch.bool), *inside):
        for width, share in zip(widths, COVERAGES, strict=True):
            assert abs(float((errors <= width * sd)[group].float().mean()) - share) < 0.025
