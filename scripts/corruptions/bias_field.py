# SPDX-License-Identifier: Apache-2.0
"""Bias field: a smooth gain that makes parts of an image brighter than others."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache, reduce

import numpy as np
import torch
from torch import Tensor

from .draws import Draws
from .parameters import per_image, probability, value_range

__all__ = ["RandBiasField", "bias_field", "bias_terms", "ellipsoid", "smooth_field"]


def bias_terms(spatial_dims: int, degree: int) -> list[tuple[int, ...]]:
    """Degrees along each axis of the polynomial products of a field; their sum is from 1 to ``degree``."""
    return [term for term in itertools.product(range(degree + 1), repeat=spatial_dims) if 0 < sum(term) <= degree]


@lru_cache(maxsize=8)
def ellipsoid(spatial_shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Boolean mask of the ellipsoid that touches all sides of the image, where the head lies."""
    squares = [np.linspace(-1, 1, size) ** 2 for size in spatial_shape]
    return torch.tensor(reduce(np.add.outer, squares) <= 1, device=device)


@lru_cache(maxsize=8)
def _products(spatial_shape: tuple[int, ...], degree: int, device: torch.device, inscribed: bool) -> Tensor:
    """The products of Legendre polynomials in the order of :func:`bias_terms`, shape ``(terms, *spatial)``."""
    along = [np.polynomial.legendre.legvander(np.linspace(-1, 1, size), degree).T for size in spatial_shape]
    products = [
        reduce(np.multiply.outer, [polynomials[d] for polynomials, d in zip(along, term, strict=True)])
        for term in bias_terms(len(spatial_shape), degree)
    ]
    if inscribed:
        inside = ellipsoid(spatial_shape, torch.device("cpu")).numpy()
        products = [product - product[inside].mean() for product in products]
    return torch.tensor(np.stack(products), dtype=torch.float32, device=device)


def smooth_field(coefficients: Tensor, spatial_shape: Sequence[int], degree: int, inscribed: bool = False) -> Tensor:
    """Sum of products of Legendre polynomials along the axes, each axis running from -1 to 1.

    Args:
        coefficients: weights of the products in the order of :func:`bias_terms`, shape ``(B, terms)``.
        spatial_shape: size along each axis.
        degree: highest degree of a product.
        inscribed: give it the mean 0 within the ellipsoid that touches the sides of the image.

    Returns:
        Field of shape ``(B, 1, *spatial_shape)``. The constant product is left out, so its mean is nearly 0.
    """
    products = _products(tuple(spatial_shape), degree, coefficients.device, inscribed)
    field = torch.zeros(len(coefficients), *spatial_shape, device=coefficients.device)
    for number, product in enumerate(products):  # in a fixed order, unlike a matrix product
        field += coefficients[:, number].view(-1, *[1] * product.ndim) * product
    return field[:, None]


def bias_field(
    images: Tensor, strength: Tensor, coefficients: Tensor, degree: int = 3, inscribed: bool = False
) -> Tensor:
    """Multiply images by the exponential of a smooth field.

    Receive coils are more sensitive to nearby tissue, and at 3 T the excitation is uneven too, so the same tissue has
    different intensities in different places: the gain varies slowly and never changes sign. The field has no constant
    part: a gain of the whole image would be invisible, and no method could undo it.

    Args:
        images: shape ``(B, C, *spatial)``, two or three spatial axes.
        strength: largest absolute logarithm of the gain in each image, shape ``(B,)``; 0.1 means gains from 0.90 to
            1.11. The largest ones are at the corners, in the air.
        coefficients: weights of the field, shape ``(B, terms)``, see :func:`smooth_field`; only their ratios matter.
        degree: highest degree of the polynomials.
        inscribed: count the strength within the ellipsoid that touches the sides of the image, and give the logarithm
            the mean 0 there: ``strength`` 0.3 then is a gain of about 30 % either way in the head.

    Returns:
        The damaged images, shape of ``images``; exact zeros stay zero.

    References:
        Van Leemput et al., Automated model-based bias field correction of MR images of the brain, IEEE Trans. Medical
        Imaging 18(10), 1999 (doi:10.1109/42.811268). MONAI's ``RandBiasField`` has the same sum in 3D; in 2D it uses
        other products, and its coefficients are not scaled to a strength.
    """
    field = smooth_field(coefficients, images.shape[2:], degree, inscribed)
    counted = field * ellipsoid(tuple(images.shape[2:]), images.device) if inscribed else field
    largest = per_image(counted.flatten(1).abs().amax(dim=1), images)
    return images * torch.exp(field * per_image(strength, images) / largest.where(largest > 0, 1.0))


class RandBiasField:
    """Bias field with a strength and coefficients drawn for each image.

    Args:
        strength: range of the largest absolute logarithm of the gain, see :func:`bias_field`.
        degree: highest degree of the polynomials, at least 1.
        prob: probability that an image is damaged.
        inscribed: count the strength in the head rather than at the corners, see :func:`bias_field`.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(
        self, strength: Sequence[float] = (0.0, 0.3), degree: int = 3, prob: float = 1.0, inscribed: bool = False
    ) -> None:
        if degree < 1:
            raise ValueError(f"degree must be at least 1, got {degree}.")
        self.strength = value_range("strength", strength, 0.0, float("inf"))
        self.degree = degree
        self.prob = probability(prob)
        self.inscribed = inscribed

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        strength = draws.uniform("bias_field.strength", *self.strength)
        strength = strength * (draws.uniform("bias_field.prob") < self.prob)
        names = ["".join(map(str, term)) for term in bias_terms(images.ndim - 2, self.degree)]
        coefficients = torch.stack([draws.uniform(f"bias_field.{name}", -1.0, 1.0) for name in names], dim=1)
        return bias_field(images, strength, coefficients, self.degree, self.inscribed)
