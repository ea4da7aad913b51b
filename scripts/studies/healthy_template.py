# SPDX-License-Identifier: Apache-2.0
"""Make the template of healthy brains from the training heads of a cohort with region labels (MUSE).

::

    python -m scripts.studies.healthy_template DATA

The mean of the brains is found in three rounds: aligned by place and size of the brain first, then by the mean of the
round before. A region is the one that most heads have at a place. Cortex is named after the lobe whose white matter is
nearest, so that the atlas has few and large regions.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from tqdm import tqdm

from ..anatomy.template_registration import Field
from ..anomaly.detector import Head
from ..anomaly.healthy_template import SHAPE, TEMPLATE_MM, HealthyTemplate
from ..anomaly.working_grid import WorkingGrid
from ..data.cohort import load_datalist
from ..inference.brain_mask import BrainMasker

__all__ = ["main", "template_of"]

ROUNDS = 3
KEYS = ("image", "label")
LOBES = {81: "frontal lobe", 83: "occipital lobe", 85: "parietal lobe", 87: "temporal lobe"}
"""White matter of the right side; the left one has the next number."""
SIDED = {
    "cerebellum": ((38, 40), (39, 41)),
    "lateral ventricle": ((49, 51), (50, 52)),
    "basal ganglia": ((23, 36, 55, 57, 75), (30, 37, 56, 58, 76)),
    "thalamus": ((59,), (60,)),
    "hippocampus and amygdala": ((31, 47), (32, 48)),
    "internal capsule": ((91, 93), (92, 94)),
}
MIDDLE = {
    "brain stem": (35, 61, 62),
    "cerebellar vermis": (71, 72, 73),
    "third ventricle": (4,),
    "fourth ventricle": (11,),
    "corpus callosum and fornix": (89, 90, 95),
}
CORTEX = 100
"""MUSE labels from here on are cortex."""


def region_names() -> dict[str, tuple[int, ...]]:
    """Labels of each region, but for the cortex."""
    names: dict[str, tuple[int, ...]] = {
        f"{side} {lobe}, white matter": (label + i,) for label, lobe in LOBES.items() for i, side in _sides()
    }
    names |= {f"{side} {name}": labels[i] for name, labels in SIDED.items() for i, side in _sides()}
    return {**names, **MIDDLE}


def regions_of(labels: NDArray[np.integer], names: list[str]) -> NDArray[np.uint8]:
    """Numbers of the regions of MUSE labels, those of ``names``."""
    regions = np.zeros(labels.shape, dtype=np.uint8)
    for name, numbers in region_names().items():
        regions[np.isin(labels, numbers)] = names.index(name)
    white = [label + i for label in LOBES for i, _ in _sides()]
    nearest = ndimage.distance_transform_edt(~np.isin(labels, white), return_distances=False, return_indices=True)
    lobe = labels[tuple(nearest)]
    for label, name in LOBES.items():
        for i, side in _sides():
            regions[(labels >= CORTEX) & (lobe == label + i)] = names.index(f"{side} {name}, cortex")
    return regions


def _sides() -> list[tuple[int, str]]:
    return list(enumerate(("right", "left")))


def all_names() -> list[str]:
    """Names of the regions; the first is that of no region."""
    cortex = [f"{side} {lobe}, cortex" for lobe in LOBES.values() for _, side in _sides()]
    return ["", *cortex, *region_names()]


def template_of(heads: list[Head], labels: list[NDArray[np.integer]]) -> HealthyTemplate:
    """Make a template.

    Args:
        heads: healthy heads.
        labels: MUSE labels of each, on its grid.
    """
    names = all_names()
    empty = np.zeros(SHAPE)
    template = HealthyTemplate(_ellipsoid(), empty, empty.astype(int), names)
    points = template.mean.voxels()
    for number in range(ROUNDS):
        fits = [template.fit(head) for head in tqdm(heads, desc=f"round {number + 1}")]
        values = torch.stack([_seen(head, fit, points) for head, fit in zip(heads, fits, strict=True)])
        mean, sd = (part.view(SHAPE).numpy() for part in (values.mean(dim=0), values.std(dim=0)))
        template = HealthyTemplate(mean, sd, empty.astype(int), names)
    counts = np.zeros((len(names), *SHAPE), dtype=np.uint16)
    for head, fit, label in zip(heads, fits, labels, strict=True):
        index = _back(fit, points, head).round().long()
        inside = ((index >= 0) & (index < torch.tensor(label.shape))).all(dim=1)
        regions = np.zeros(len(points), dtype=np.uint8)
        regions[inside.numpy()] = regions_of(label, names)[tuple(index[inside].numpy().T)]
        for region in range(len(names)):
            counts[region] += (regions == region).reshape(SHAPE)
    counts[0] = np.where(counts[1:].sum(axis=0) * 2 > len(heads), 0, counts[0])
    return HealthyTemplate(mean, sd, counts.argmax(axis=0), names)


def _ellipsoid() -> NDArray[np.floating]:
    grid = (np.indices(SHAPE) - (np.array(SHAPE)[:, None, None, None] - 1) / 2) * TEMPLATE_MM
    distance = np.square(grid / np.array([68.0, 86.0, 66.0])[:, None, None, None]).sum(axis=0)
    return (distance < 1).astype(np.float32)


def _seen(head: Head, fit: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Intensities of a head at places of the template."""
    stripped = head.image * head.brain / head.image[head.brain].median()
    return Field(ndimage.gaussian_filter(stripped.numpy(), 0.7), np.eye(4))(_back(fit, points, head))


def _back(fit: torch.Tensor, points: torch.Tensor, head: Head) -> torch.Tensor:
    """Voxels of a head, ``(N, 3)``, at places of the template."""
    inverse = torch.as_tensor(np.linalg.inv(head.affine), dtype=torch.float32)
    places = (points - fit[:, 3]) @ torch.linalg.inv(fit[:, :3]).T
    return places @ inverse[:3, :3].T + inverse[:3, 3]


def main(dataset_dir: str) -> None:
    """Make the template that comes with the package."""
    grid, heads, labels = WorkingGrid(BrainMasker()), [], []
    for item in tqdm(load_datalist(dataset_dir, "training")):
        volume, regions = (grid.load.transforms[0]({"image": item[key], "series": ""})["image"] for key in KEYS)
        heads.append(grid(volume).head)
        labels.append(np.asarray(grid.turn(grid.on_grid_of(volume, regions)))[0].astype(np.uint8))
    template_of(heads, labels).save()


if __name__ == "__main__":
    main(sys.argv[1])
