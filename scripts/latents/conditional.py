# SPDX-License-Identifier: Apache-2.0
"""Masks with a wanted attribute value, through the latent dimension that follows the attribute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import spearmanr

from .density import ParzenWindow

__all__ = ["AttributeScale", "sample_with_attribute"]


class AttributeScale:
    """What value of a latent dimension stands for what value of its attribute.

    The dimension orders the training images as the attribute does, or the other way round, so equal ranks belong
    together.

    Args:
        values: the dimension's values of the training images, ``(N,)``.
        attribute: their attribute, ``(N,)``, NaN where undefined.

    Raises:
        ValueError: fewer than two images have the attribute.
    """

    def __init__(self, values: NDArray[np.floating], attribute: NDArray[np.floating]) -> None:
        known = np.isfinite(attribute)
        if known.sum() < 2:
            raise ValueError(f"an attribute must be known of at least 2 training images, got {known.sum()}.")
        self.attribute = np.sort(attribute[known].astype(np.float64))
        self.values = np.sort(values[known].astype(np.float64))
        if spearmanr(values[known], attribute[known]).statistic < 0:
            self.values = self.values[::-1]

    def code(self, attribute: float) -> float:
        """Value of the dimension for a value of the attribute.

        Raises:
            ValueError: no training image has so little or so much of it: nothing is extrapolated.
        """
        if not self.attribute[0] <= attribute <= self.attribute[-1]:
            raise ValueError(
                f"the attribute's value must lie between {self.attribute[0]:g} and {self.attribute[-1]:g}, what the "
                f"training masks have; got {attribute:g}."
            )
        ties = np.flatnonzero(self.attribute == attribute)
        if len(ties):
            return float(np.median(self.values[ties]))
        return float(np.interp(attribute, self.attribute, self.values))


def sample_with_attribute(
    window: ParzenWindow, dimension: int, value: float, count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    r"""Draw from the window given that one dimension has a value, exactly.

    .. math:: p(z \mid z_d = v) = \sum_i w_i \, N(z_{\neg d}; z_{i \neg d}, h^2 I),
        \qquad w_i \propto \exp\left( -\frac{(v - z_{id})^2}{2 h^2} \right)

    Args:
        window: of the training codes.
        dimension: d.
        value: v, see :meth:`AttributeScale.code`.
        count: number of codes.
        rng: source of chance.

    Returns:
        ``(count, K)``.
    """
    shares = softmax(-0.5 * ((value - window.codes[:, dimension]) / window.bandwidth) ** 2)
    chosen = window.codes[rng.choice(len(window.codes), size=count, p=shares)]
    codes = chosen + window.bandwidth * rng.standard_normal(chosen.shape)
    codes[:, dimension] = value
    return codes
