# SPDX-License-Identifier: Apache-2.0
"""Intervals hold what they promise."""

from __future__ import annotations

import torch
from scipy.stats import norm

from scripts.anatomy.damage_kinds import KINDS
from scripts.networks import ErrorSpread
from scripts.networks.error_spread import COVERAGES, REPAIRS
from scripts.studies.restorer.calibrate import fitted


def test_at_first_nothing_is_changed():
    log_sd = torch.randn(1, 1, 4, 5, 6)
    assert torch.equal(ErrorSpread(3)(log_sd, torch.ones_like(log_sd), torch.rand(3), ["ghosts"]), log_sd)


def test_intervals_are_two_sided():
    expected = [norm.ppf((1 + coverage) / 2) for coverage in COVERAGES]
    torch.testing.assert_close(ErrorSpread(3).widths, torch.tensor(expected).float(), atol=1e-4, rtol=0)


def test_each_number_is_for_what_it_says():
    spread = ErrorSpread(2)
    spread.numbers.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, *(10.0 * n for n in range(1, len(REPAIRS) + 1))]))
    found = spread(torch.tensor([0.5, 0.5]), torch.tensor([0.0, 1.0]), torch.tensor([0.1, 0.2]), ["spikes"])
    torch.testing.assert_close(found, torch.tensor([1.0 + 1.0 + 0.4 + 1.0 + 30.0, 1.0 + 1.0 + 3.0 + 0.4 + 1.0 + 30.0]))


def test_fitted_intervals_cover_errors_that_are_not_normal():
    torch.manual_seed(0)
    rows = 40_000
    log_sd, levels, repairs = torch.randn(rows), torch.rand(rows, len(KINDS)), (torch.rand(rows, len(REPAIRS)) < 0.2)
    filled = (torch.rand(rows) < 0.1).float()
    scale = 0.5 + 0.7 * log_sd + 1.5 * filled + levels[:, 2] - 0.8 * repairs[:, 1]
    errors = torch.distributions.StudentT(3.0).sample((rows,)).abs() * scale.exp()
    known = torch.cat([torch.ones(rows, 1), log_sd[:, None], filled[:, None], levels, repairs.float()], dim=1)
    spread = ErrorSpread(len(KINDS))
    numbers, widths = fitted(torch.cat([known, errors.log()[:, None]], dim=1))
    spread.numbers.copy_(numbers)
    assert float(widths[1]) == torch.tensor(1.6449).item()
    for group in (slice(None), filled > 0, levels[:, 2] > 0.8, repairs[:, 1]):
        sd = (known[group] @ numbers).exp()
        for width, share in zip(widths, COVERAGES, strict=True):
            assert abs(float((errors[group] <= width * sd).float().mean()) - share) < 0.02
