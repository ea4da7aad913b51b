# SPDX-License-Identifier: Apache-2.0
"""Lines through the latent space; the Parzen window against scikit-learn and scipy, and what is drawn from it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, multivariate_normal, norm
from sklearn.neighbors import KernelDensity

from scripts.latent import AttributeScale, ParzenWindow, interpolation, sample_with_attribute, traversal


def codes(count: int = 50, dimensions: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimensions)) * [1.0, 2.0, 0.5][:dimensions]


def test_log_density_is_that_of_scikit_learn():
    points = codes(20, seed=1)
    expected = KernelDensity(bandwidth=0.4).fit(codes()).score_samples(points)
    np.testing.assert_allclose(ParzenWindow(codes(), 0.4).log_density(points), expected, rtol=1e-7)


def test_density_left_out_is_that_of_a_window_without_the_code():
    window = ParzenWindow(codes(7), 0.6)
    expected = [ParzenWindow(np.delete(codes(7), row, axis=0), 0.6).log_density(codes(7)[[row]])[0] for row in range(7)]
    np.testing.assert_allclose(window.log_density_left_out(), expected)


def test_density_of_no_codes_is_empty():
    assert ParzenWindow(codes(), 1.0).log_density(np.zeros((0, 3))).shape == (0,)


def test_bandwidth_is_the_most_likely_of_held_out_codes():
    training, held_out, widths = codes(200), codes(100, seed=5), (0.1, 0.3, 0.6, 1.5)
    scores = [KernelDensity(bandwidth=width).fit(training).score(held_out) for width in widths]
    assert ParzenWindow.fitted(training, held_out, widths).bandwidth == widths[int(np.argmax(scores))]


def test_exact_samples_have_the_distribution_of_the_window():
    centres, width = np.array([[-2.0], [3.0]]), 0.5
    drawn = ParzenWindow(centres, width).sample(4000, np.random.default_rng(0))
    expected = lambda x: 0.5 * (norm.cdf(x, -2, width) + norm.cdf(x, 3, width))  # noqa: E731
    assert kstest(drawn[:, 0], expected).pvalue > 0.01


def test_rejection_samples_have_the_distribution_of_the_window():
    # many codes and a wide kernel: the bound holds nearly everywhere, so the draw is nearly exact
    window = ParzenWindow(codes(300, 1), 0.5)
    result = window.sample_by_rejection(6000, np.random.default_rng(0), "max", leave_one_out=False)
    grid = np.sort(window.sample(100_000, np.random.default_rng(1))[:, 0])
    assert kstest(result.codes[:, 0], lambda x: np.searchsorted(grid, x) / len(grid)).pvalue > 0.01
    assert result.exceeded < 0.2
    assert result.acceptance_rate == len(result.codes) / 6000


def test_rejection_accepts_the_share_that_the_densities_say():
    window = ParzenWindow(codes(40, 2), 0.7)
    result = window.sample_by_rejection(20_000, np.random.default_rng(0), "third_quartile", leave_one_out=False)
    proposal = multivariate_normal(window.codes.mean(0), np.cov(window.codes.T))
    ratios = window.log_density(window.codes) - proposal.logpdf(window.codes)
    assert result.log_bound == pytest.approx(np.quantile(ratios, 0.75))
    tried = proposal.rvs(20_000, random_state=1)
    ratio = np.exp(window.log_density(tried) - proposal.logpdf(tried) - result.log_bound)
    assert result.acceptance_rate == pytest.approx(np.minimum(ratio, 1).mean(), abs=0.02)  # 4 standard errors
    assert result.exceeded == pytest.approx((ratio > 1).mean(), abs=0.02)


def test_leaving_a_codes_own_kernel_out_accepts_more():
    window, rng = ParzenWindow(codes(40), 0.2), np.random.default_rng
    with_own, without = (window.sample_by_rejection(2000, rng(0), "max", own) for own in (False, True))
    assert without.log_bound < with_own.log_bound
    assert without.acceptance_rate > with_own.acceptance_rate


def test_conditional_samples_have_the_conditional_distribution():
    # two correlated groups: with the first number at 1.8, the group around (2, 5) has nearly all the weight
    centres = np.array([[-2.0, -5.0], [2.0, 5.0]])
    drawn = sample_with_attribute(ParzenWindow(centres, 0.5), 0, 1.8, 3000, np.random.default_rng(0))
    assert (drawn[:, 0] == 1.8).all()
    assert kstest(drawn[:, 1], norm(5, 0.5).cdf).pvalue > 0.01
    middle = sample_with_attribute(ParzenWindow(centres, 0.5), 0, 0.0, 3000, np.random.default_rng(0))
    assert (middle[:, 1] > 0).mean() == pytest.approx(0.5, abs=0.04)


def test_attribute_scale_joins_equal_ranks():
    scale = AttributeScale(np.array([0.0, 1.0, 3.0, 9.0]), np.array([10.0, 20.0, 30.0, np.nan]))
    assert [scale.code(value) for value in (10, 20, 25, 30)] == [0.0, 1.0, 2.0, 3.0]
    falling = AttributeScale(np.array([9.0, 1.0, 0.0]), np.array([10.0, 20.0, 30.0]))
    assert [falling.code(value) for value in (10, 20, 25, 30)] == [9.0, 1.0, 0.5, 0.0]
    tied = AttributeScale(np.array([0.0, 0.2, 0.4, 5.0]), np.array([0.0, 0.0, 0.0, 7.0]))
    assert tied.code(0.0) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ParzenWindow(codes(), 0.0), "bandwidth must be positive, got 0.0"),
        (lambda: ParzenWindow(np.zeros((0, 2)), 1.0), r"shape \(N, K\) with N > 0, got \(0, 2\)"),
        (
            lambda: ParzenWindow(codes(), 1.0).sample_by_rejection(9, np.random.default_rng(), "median"),
            'bound must be "max" or "third_quartile", got \'median\'',
        ),
        (lambda: AttributeScale(np.arange(2.0), np.array([1.0, 3.0])).code(9), "between 1 and 3, .* got 9"),
        (lambda: AttributeScale(np.zeros(3), np.array([1.0, np.nan, np.nan])), "at least 2 training images, got 1"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_interpolation_is_straight_and_holds_both_ends():
    first, last = np.array([0.0, 4.0]), np.array([1.0, 0.0])
    np.testing.assert_allclose(interpolation(first, last, 5)[[0, 1, 4]], [[0, 4], [0.25, 3], [1, 0]])
    many = interpolation(np.stack([first, last]), np.stack([last, first]), 3)
    np.testing.assert_allclose(many[:, 1], [[0.5, 2], [0.5, 2]])


def test_traversal_moves_one_dimension_only():
    codes = np.arange(6.0).reshape(2, 3)
    path = traversal(codes, 1, -1.0, 1.0, 3)
    np.testing.assert_allclose(path[1], [[3, -1, 5], [3, 0, 5], [3, 1, 5]])
    np.testing.assert_allclose(codes, np.arange(6.0).reshape(2, 3))  # the start is not changed
