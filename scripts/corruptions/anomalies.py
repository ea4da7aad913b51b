# SPDX-License-Identifier: Apache-2.0
"""Synthetic anomalies in healthy heads: what a detector learns to find, and a restorer to leave alone.

They imitate what lesions do to an image (another intensity or texture, lost detail, tissue that does not belong there,
displaced tissue), not any disease. Shape, content, size, edge and strength are drawn separately.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .anomaly_contents import CONTENTS, DEFORMATIONS, SMOOTH_MM, Strengths, box_index, contents, unit_texture
from .anomaly_shapes import REACH, SHAPES, Shapes, axes_along, box_offsets, gradient_at, places, shape_weights
from .draws import Draws
from .parameters import as_images, as_volumes, probability, sizes_mm, value_range

__all__ = ["RandAnomalies"]

LEAST_MM = {
    "cluster": 12.0,
    "shell": 10.0,
    "texture": 6.0,
    "equal": 6.0,
    "blur": 6.0,
    "swelling": 6.0,
    "shrinking": 6.0,
}
"""Smallest diameters: in a voxel or two there is no texture, and nothing to displace."""
ROUGHNESS = 0.3
"""How far bumps move the surface, as a share of the radius."""
BUMP_MM = 6.0
"""Distance of the bumps."""
BALLS = 6
"""Largest number of small lesions in a cluster."""
EDGES = 8
"""Deep places of which that at the strongest edge, such as the wall of a ventricle, gets a flat anomaly."""
FULL_CHANGE = 0.4
"""Local root mean square of the change that counts as severity 1, 1 = the volume's 99.5th percentile."""


class RandAnomalies:
    """Some anomalies in each head: lesion-like regions of a wrong intensity, texture or shape.

    Args:
        number: smallest and largest number of anomalies in a head that has some, both included.
        diameter_mm: range of the diameter, drawn log-uniformly; a displacement reaches twice as far.
        contrast: range of the change of intensity, drawn log-uniformly, bright or dark, 1 = the volume's 99.5th
            percentile; for ``gain`` it is relative.
        softness: range of the standard deviation of the edge in voxels; at least an eighth of a voxel, and at most half
            of what the anomaly measures from its surface inwards.
        shapes: some of :data:`~scripts.corruptions.anomaly_shapes.SHAPES`, each as likely; displacements are
            ellipsoids.
        contents: some of :data:`~scripts.corruptions.anomaly_contents.CONTENTS`, each as likely.
        spacing_mm: voxel size, one number or one each for rows, columns and slices.
        prob: probability that a head has anomalies.

    Raises:
        ValueError: a parameter is out of range, or a shape or content is unknown.

    References:
        Tan et al., Detecting outliers with foreign patch interpolation, MELBA 2022 (arXiv:2011.04197); Naval Marimont
        et al., DISYRE: Diffusion-inspired synthetic restoration for unsupervised anomaly detection, ISBI 2024
        (arXiv:2311.15453).
    """

    def __init__(
        self,
        number: Sequence[int] = (1, 4),
        diameter_mm: Sequence[float] = (3.0, 30.0),
        contrast: Sequence[float] = (0.08, 0.8),
        softness: Sequence[float] = (0.0, 3.0),
        shapes: Sequence[str] = SHAPES,
        contents: Sequence[str] = CONTENTS,
        spacing_mm: float | Sequence[float] = 2.0,
        prob: float = 0.8,
    ) -> None:
        self.number = [int(v) for v in value_range("number", number, 1, float("inf"))]
        self.diameter_mm = value_range("diameter_mm", diameter_mm, 0.1, float("inf"))
        self.contrast = value_range("contrast", contrast, 1e-3, 1.0)
        self.softness = value_range("softness", softness, 0.0, float("inf"))
        self.shapes, self.contents = _codes("shapes", shapes, SHAPES), _codes("contents", contents, CONTENTS)
        self.mm = sizes_mm(spacing_mm)
        self.prob = probability(prob)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Put anomalies into ``images`` of shape ``(B, C, *spatial)``."""
        return self.sample(images, draws)[0]

    def sample(
        self, images: Tensor, draws: Draws, brain: Tensor | None = None, donors: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Put anomalies into images, and tell where and how severe they are.

        Args:
            images: shape ``(B, C, *spatial)``.
            draws: draws of the batch.
            brain: mask of the brain, shape of ``images``, in which the anomalies stay; by default they lie deep in the
                head.
            donors: other heads, shape of ``images``, whose tissue ``foreign`` anomalies show. With other heads of the
                batch, ``images.roll(1, 0)``, an image depends on its batch. By default it is tissue of elsewhere in the
                same head.

        Returns:
            The images with anomalies; the weight of the anomalies in [0, 1], 0 where nothing is changed; and the
            severity in [0, 1], the root mean square of the change over 3 x 3 x 3 voxels, 1 from 0.4 of the 99.5th
            percentile on. All in the shape of ``images``.
        """
        clean = as_volumes(images).float()
        inside = torch.ones_like(clean, dtype=torch.bool) if brain is None else as_volumes(brain) > 0
        givers = clean if donors is None else as_volumes(donors).float()
        sides, there = self._sides(clean.shape[2:]), self._there(draws)
        shape_code, content = self._kinds(draws)
        radius = self._radius(draws, shape_code, content)
        centre, axes, elsewhere = self._places(clean, draws, None if brain is None else inside, shape_code, radius)
        start = _start(centre, sides, clean)
        source = _start(elsewhere, sides, clean) if donors is None else start
        shapes = self._shapes(draws, shape_code, content, centre - start, axes, radius, sides)
        strengths, textures = self._strengths(draws), self._textures(draws, sides)
        changed, mask = clean[:, 0].clone(), torch.zeros_like(clean[:, 0])
        for number in range(self.number[1]):  # one after another, for they may overlap
            index = box_index(start[:, number], sides)
            shape = Shapes(*(values[:, number] for values in shapes))
            offsets = box_offsets(shape.centre, sides, self.mm)
            allowed = inside[:, 0][index] & there[:, number, None, None, None]
            weight, profile = (part * allowed for part in shape_weights(shape, offsets))
            filled = contents(
                changed[index],
                weight,
                profile,
                offsets,
                givers[:, 0][box_index(source[:, number], sides)],
                textures[:, number],
                Strengths(*(values[:, number] for values in strengths)),
                self.mm,
            )
            changed[index] = filled[content[:, number], torch.arange(len(weight), device=weight.device)]
            mask[index] = torch.maximum(mask[index], weight)
        result = torch.where(mask > 0, changed.to(images.dtype), as_volumes(images)[:, 0])
        severity = (_local_rms(changed - clean[:, 0]) / FULL_CHANGE).clamp(max=1) * (mask > 0)
        result, mask, severity = (as_images(part[:, None], images.ndim - 2) for part in (result, mask, severity))
        return result, mask, severity

    def _sides(self, spatial_shape: Sequence[int]) -> list[int]:
        largest = REACH * max(self.diameter_mm[1], *LEAST_MM.values()) / 2
        return [min(size, 2 * math.ceil(largest / mm) + 1) for size, mm in zip(spatial_shape, self.mm, strict=True)]

    def _there(self, draws: Draws) -> Tensor:
        """Which of the anomalies are there, boolean of shape ``(B, N)``."""
        number = draws.integers("anomalies.number", self.number[0], self.number[1] + 1)
        number = number * (draws.uniform("anomalies.prob") < self.prob)
        return torch.arange(self.number[1], device=number.device) < number[:, None]

    def _kinds(self, draws: Draws) -> tuple[Tensor, Tensor]:
        """Indices of shape and content, each of shape ``(B, N)``."""
        uniform = draws.uniform_field("anomalies.kinds", (2, self.number[1]))
        shape, content = (
            torch.tensor(codes, device=uniform.device)[(values * len(codes)).long()]
            for codes, values in zip((self.shapes, self.contents), uniform.unbind(dim=1), strict=True)
        )
        return torch.where(_is(DEFORMATIONS, CONTENTS, content), SHAPES.index("ellipsoid"), shape), content

    def _radius(self, draws: Draws, shape: Tensor, content: Tensor) -> Tensor:
        """Radii along the axes of each anomaly in millimetres, ``(B, N, 3)``, the first one that of a flat one."""
        low, high = self.diameter_mm
        diameter = low * (high / low) ** draws.uniform_field("anomalies.diameter", (self.number[1],))
        for codes, names in ((shape, SHAPES), (content, CONTENTS)):
            least = torch.tensor([LEAST_MM.get(name, 0.0) for name in names], device=codes.device)
            diameter = torch.maximum(diameter, least[codes])
        ratio = 0.6 + 0.4 * draws.uniform_field("anomalies.flattening", (self.number[1], 3))
        ratio = ratio / ratio.amax(dim=2, keepdim=True)
        thin = torch.tensor([0.35, 1.0, 1.0], device=ratio.device)
        ratio = torch.where(_is(["flat"], SHAPES, shape)[..., None], ratio * thin, ratio)
        return ratio * diameter[..., None] / 2

    def _places(
        self, clean: Tensor, draws: Draws, brain: Tensor | None, shape: Tensor, radius: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Centres in voxels, ``(B, N, 3)``, axes, ``(B, N, 3, 3)``, and places elsewhere, ``(B, N, 3)``."""
        count, mm = self.number[1], torch.tensor(self.mm, device=clean.device)
        centre, elsewhere = places(clean, draws.uniform_field("anomalies.place", (2 * count, 4)), brain).chunk(2, dim=1)
        edges = places(clean, draws.uniform_field("anomalies.edges", (count * EDGES, 4)), brain, deep=True)
        slopes = gradient_at(clean, edges, self.mm).unflatten(1, (count, EDGES))
        steepest = slopes.square().sum(dim=3).argmax(dim=2)[..., None, None].expand(-1, -1, 1, 3)
        edge, slope = (
            edges.unflatten(1, (count, EDGES)).gather(2, steepest)[:, :, 0],
            slopes.gather(2, steepest)[:, :, 0],
        )
        flat = _is(["flat"], SHAPES, shape)[..., None]
        normal = draws.normal_field("anomalies.axes", (2, count, 3))
        axes = axes_along(torch.where(flat, slope + 1e-6 * normal[:, 0], normal[:, 0]), normal[:, 1])
        beside = edge + (axes[..., 0, :] * radius[..., :1] / mm).round().long()  # on the bright side
        last = torch.tensor(clean.shape[2:], device=clean.device) - 1
        return torch.minimum(torch.where(flat, beside, centre).clamp(min=0), last), axes, elsewhere

    def _shapes(
        self,
        draws: Draws,
        shape: Tensor,
        content: Tensor,
        centre: Tensor,
        axes: Tensor,
        radius: Tensor,
        sides: Sequence[int],
    ) -> Shapes:
        """Shapes of the anomalies, each field of shape ``(B, N, ...)``."""
        count, mm, deformed = self.number[1], sum(self.mm) / 3, _is(DEFORMATIONS, CONTENTS, content)
        uniform = draws.uniform_field("anomalies.edge", (3, count))
        smallest, longest = radius.amin(dim=2), radius.amax(dim=2)
        wall = smallest * (0.3 + 0.2 * uniform[:, 1])
        thin = smallest.where(~_is(["shell"], SHAPES, shape), wall / 2)
        thin = thin.where(~_is(["cluster"], SHAPES, shape), 0.15 * longest)
        low, high = ((thin / 2).clamp(max=softness * mm) for softness in self.softness)
        sigma = (low + (high - low) * uniform[:, 0]).clamp(min=mm / 8)  # sharp at any grid
        coarse = [max(2, round(side * size / BUMP_MM)) for side, size in zip(sides, self.mm, strict=True)]
        bumps = ROUGHNESS * (2 * draws.uniform_field("anomalies.bumps", (count, *coarse)) - 1)
        smooth = _is(("ellipsoid", "flat"), SHAPES, shape)
        ball = draws.uniform_field("anomalies.balls", (count, BALLS, 4))
        first = torch.arange(BALLS, device=ball.device) == 0  # a ball at the centre, so that no cluster is empty
        balls = (2 * ball[..., :3] - 1) * (0.65 * longest)[..., None, None] * ~first[:, None]
        ball_radius = longest[..., None] * (0.15 + 0.2 * ball[..., 3]) * (ball[..., 3] > 0.25)  # a quarter is left out
        return Shapes(
            shape,
            centre,
            axes,
            radius,
            torch.where(deformed, smallest / 2, sigma),
            bumps * ~smooth[..., None, None, None],
            balls,
            ball_radius.where(~first, 0.2 * longest[..., None]),
            wall,
            -0.6 * uniform[:, 2],
        )

    def _strengths(self, draws: Draws) -> Strengths:
        """Strengths of the anomalies, each field of shape ``(B, N)``."""
        uniform = draws.uniform_field("anomalies.strength", (7, self.number[1])).unbind(dim=1)
        low, high = self.contrast
        sign = torch.where(uniform[1] < 0.5, -1.0, 1.0)
        return Strengths(
            contrast=sign * low * (high / low) ** uniform[0],
            texture=0.03 * 6 ** uniform[2],
            blur=1.5 + (SMOOTH_MM - 1.5) * uniform[3],
            share=0.3 + 0.7 * uniform[4],
            matched=(uniform[5] < 0.5).float(),
            pull=0.2 + 0.6 * uniform[6],
        )

    def _textures(self, draws: Draws, sides: Sequence[int]) -> Tensor:
        """Noise of a drawn correlation length, shape ``(B, N, h, w, d)``."""
        sigma = SMOOTH_MM * draws.uniform_field("anomalies.correlation", (self.number[1], 1)).square()
        normal = draws.normal_field("anomalies.texture", (self.number[1], *sides))
        voxels = sigma / torch.tensor(self.mm, device=sigma.device)
        return unit_texture(normal.flatten(0, 1), voxels.flatten(0, 1), self.mm).view(normal.shape)


def _local_rms(change: Tensor) -> Tensor:
    """Root mean square over 3 x 3 x 3 voxels of ``(B, H, W, D)``."""
    widths = [3 if size >= 3 else 1 for size in change.shape[1:]]
    padding = [width // 2 for width in widths]
    return F.avg_pool3d(change.square()[:, None], widths, 1, padding, count_include_pad=False)[:, 0].sqrt()


def _start(centre: Tensor, sides: Sequence[int], volumes: Tensor) -> Tensor:
    """First voxel of the boxes about some centres, ``(B, N, 3)``; the boxes lie within the volume."""
    side = torch.tensor(sides, device=centre.device)
    size = torch.tensor(volumes.shape[2:], device=centre.device)
    return torch.minimum((centre - side // 2).clamp(min=0), size - side)


def _is(some: Sequence[str], names: Sequence[str], codes: Tensor) -> Tensor:
    """Whether codes are the indices of some of the names, boolean."""
    wanted = torch.tensor([name in some for name in names], device=codes.device)
    return wanted[codes]


def _codes(parameter: str, some: Sequence[str], names: Sequence[str]) -> list[int]:
    unknown = [name for name in some if name not in names]
    if unknown or not some:
        raise ValueError(f"{parameter} must be some of {', '.join(names)}, got {list(some)}.")
    return [names.index(name) for name in some]
