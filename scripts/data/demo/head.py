# SPDX-License-Identifier: Apache-2.0
"""Synthetic T1-weighted heads with region labels: the brain of the MNI152 template inside a painted head.

Skull, scalp, face and neck are painted around the template's brain, which is deformed differently for each subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from monai.transforms import RandBiasField, RandRicianNoise, Resample
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import BSpline
from scipy.spatial.transform import Rotation
from scipy.special import expit, softmax

__all__ = ["REGIONS", "TISSUES", "DemoHead", "head_atlas", "make_head", "region_labels"]

TISSUES: dict[str, float] = {
    "air": 0.0,
    "csf": 0.19,
    "gray_matter": 0.57,
    "white_matter": 0.86,
    "bone": 0.06,
    "marrow": 0.34,
    "fat": 0.85,
    "muscle": 0.42,
}
"""Tissues of the atlas with their T1-weighted signal; 1.0 is about the 99.5th percentile of a head."""
BRAIN_TISSUES = ("csf", "gray_matter", "white_matter")
FIELD_OF_VIEW_MM = ((-95.0, 95.0), (-129.0, 109.0), (-102.0, 104.0))
"""Box of the atlas in MNI millimetres (right, anterior, superior), first and last voxel centre."""
EDGE_MM = 0.7
"""Width of the soft edge between painted tissues."""
CONTROL_DISTANCE_MM = 40.0
DISPLACEMENT_MM = 5.0
"""Distance and typical shift of the control points of the deformation."""
REGIONS: dict[str, tuple[int, int]] = {"fluid": (1, 1), "ventricle": (51, 52), "gray": (100, 101), "white": (81, 82)}
"""Region labels of MUSE, right and left of the middle; one stands for all of its kind."""
VENTRICLE_DEPTH_MM = 26.0
"""Depth below the surface of the brain beyond which fluid is ventricle."""

Volume = NDArray[np.float32]


@dataclass(frozen=True)
class DemoHead:
    """One synthetic head on a right-anterior-superior grid.

    Attributes:
        image: T1-like intensities, shape ``(X, Y, Z)``, >= 0; air near 0, white matter near 0.9.
        label: tissues, 0 outside the brain, 1 cerebrospinal fluid, 2 gray matter, 3 white matter; same shape, uint8.
        affine: voxel to world millimetres, ``(4, 4)``.
    """

    image: Volume
    label: NDArray[np.uint8]
    affine: NDArray[np.float64]


class _Canvas:
    """Tissue fractions that later layers paint over earlier ones; every voxel sums to one."""

    def __init__(self, spacing_mm: float) -> None:
        axes = [np.arange(low, high + 1e-6, spacing_mm, dtype=np.float32) for low, high in FIELD_OF_VIEW_MM]
        self.x, self.y, self.z = np.meshgrid(*axes, indexing="ij", sparse=True)
        self.shape = tuple(len(axis) for axis in axes)
        self.affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
        self.affine[:3, 3] = [axis[0] for axis in axes]
        self.fractions = np.zeros((len(TISSUES), *self.shape), dtype=np.float32)
        self.fractions[0] = 1.0

    def ellipsoid(self, center: tuple[float, float, float], radii: tuple[float, float, float]) -> Volume:
        """Return the approximate signed distance (mm, negative inside) to an ellipsoid; a radius may be infinite."""
        terms = [((grid - c) / r) ** 2 for grid, c, r in zip((self.x, self.y, self.z), center, radii, strict=True)]
        scaled = np.sqrt(sum(terms))
        return ((scaled - 1.0) * min(radii)).astype(np.float32)

    def paint(self, distance: Volume, **tissues: float) -> None:
        """Paint a mixture of tissues where the signed distance (mm) is negative, with a soft edge."""
        cover = expit(-np.broadcast_to(distance, self.shape) / EDGE_MM)
        self.paint_fractions({name: cover * share for name, share in tissues.items()})

    def paint_fractions(self, fractions: dict[str, Volume]) -> None:
        """Paint given fractions of tissues over what is there."""
        self.fractions *= 1.0 - sum(fractions.values())
        for name, fraction in fractions.items():
            self.fractions[list(TISSUES).index(name)] += fraction


def _smooth_minimum(*distances: Volume, radius_mm: float = 10.0) -> Volume:
    """Union of shapes given by signed distances, with rounded seams."""
    return -radius_mm * np.logaddexp.reduce([-d / radius_mm for d in np.broadcast_arrays(*distances)], axis=0)


def _template(canvas: _Canvas) -> tuple[Volume, Volume, Volume]:
    """Return gray-matter, white-matter and brain fractions of the MNI152 template on the grid of the canvas."""
    from nilearn import datasets, image  # the import takes a second

    maps = []
    for load in (datasets.load_mni152_gm_template, datasets.load_mni152_wm_template, datasets.load_mni152_brain_mask):
        source = load(resolution=1)
        values = ndimage.gaussian_filter(source.get_fdata(dtype=np.float32), 0.2 * canvas.affine[0, 0])
        resampled = image.resample_img(
            image.new_img_like(source, values), canvas.affine, canvas.shape, force_resample=True, copy_header=True
        )
        maps.append(np.clip(resampled.get_fdata(dtype=np.float32), 0.0, 1.0))
    return maps[0], maps[1], maps[2]


def _paint_face_and_neck(canvas: _Canvas) -> None:
    """Paint what lies below and before the skull: a mixture that the random detail of a subject turns into texture."""
    for side in (-1, 1):
        canvas.paint(canvas.ellipsoid((side * 26, 56, -62), (13, 15, 17)), air=0.85, muscle=0.15)  # maxillary sinus
        canvas.paint(canvas.ellipsoid((side * 32, 60, -34), (19, 22, 17)), fat=0.8, muscle=0.2)  # orbit
        canvas.paint(canvas.ellipsoid((side * 32, 66, -34), (12.5, 12.5, 12.5)), csf=1.0)  # eye
    canvas.paint(canvas.ellipsoid((0, 55, -52), (12, 30, 20)), air=0.6, muscle=0.3, fat=0.1)  # nasal cavity
    canvas.paint(canvas.ellipsoid((0, 4, -82), (11, 7, 24)), air=0.65, muscle=0.35)  # pharynx
    canvas.paint(canvas.ellipsoid((0, 44, -98), (26, 36, 20)), muscle=0.85, fat=0.15)  # tongue
    canvas.paint(canvas.ellipsoid((0, -36, -110), (20, 26, 40)), marrow=0.7, bone=0.3)  # vertebrae
    canvas.paint(canvas.ellipsoid((0, -48, -100), (11, 10, 40)), csf=1.0)  # spinal canal
    canvas.paint(canvas.ellipsoid((0, -48, -100), (6, 5, 60)), white_matter=0.85, gray_matter=0.15)  # spinal cord


@lru_cache(maxsize=2)
def head_atlas(spacing_mm: float = 2.0) -> tuple[Volume, Volume, NDArray[np.float64]]:
    """Build the atlas of which each subject is a deformation.

    The brain is the template's own; the template holds no skull, so the layers around it follow the distance from
    the brain (fluid, bone, marrow, bone, fat, skin) and simple solids make face and neck.

    Args:
        spacing_mm: isotropic voxel size in mm.

    Returns:
        Tissue fractions ``(len(TISSUES), X, Y, Z)`` that sum to one, brain fraction ``(X, Y, Z)``, affine ``(4, 4)``.

    References:
        Fonov et al., Unbiased average age-appropriate atlases for pediatric studies, NeuroImage 54, 2011
        (doi:10.1016/j.neuroimage.2010.07.033), as shipped with nilearn.
    """
    canvas = _Canvas(spacing_mm)
    gray, white, brain = _template(canvas)
    from_brain = ndimage.distance_transform_edt(brain < 0.5, sampling=spacing_mm)
    from_brain -= ndimage.distance_transform_edt(brain >= 0.5, sampling=spacing_mm)
    from_brain = ndimage.gaussian_filter(from_brain, 1.5 / spacing_mm).astype(np.float32)
    face = canvas.ellipsoid((0, 24, -62), (66, 62, 78))
    nose = canvas.ellipsoid((0, 86, -54), (13, 17, 22))
    neck = canvas.ellipsoid((0, -28, -110), (60, 60, 90))
    skin = np.maximum(_smooth_minimum(from_brain - 16.0, face, neck), -60.0)
    skin = _smooth_minimum(skin, nose, radius_mm=4.0)

    canvas.paint(skin, muscle=0.8, fat=0.2)
    canvas.paint(skin + 2.0, fat=0.75, muscle=0.25)
    canvas.paint(skin + 6.0, muscle=0.5, fat=0.2, bone=0.15, marrow=0.15)
    _paint_face_and_neck(canvas)
    canvas.paint(from_brain - 9.0, bone=1.0)
    canvas.paint(from_brain - 7.0, marrow=0.8, bone=0.2)
    canvas.paint(from_brain - 3.5, bone=1.0)
    canvas.paint(from_brain - 1.2, csf=1.0)
    canvas.paint_fractions({"gray_matter": gray * brain, "white_matter": white * brain})
    canvas.fractions = np.clip(canvas.fractions, 0.0, 1.0)
    canvas.fractions /= canvas.fractions.sum(axis=0)
    return canvas.fractions, brain, canvas.affine


def _detail(generator: np.random.Generator, shape: tuple[int, ...], spacing_mm: float, sigma_mm: float) -> Volume:
    """Gaussian random field of unit variance, correlated over ``sigma_mm``."""
    noise = generator.standard_normal(shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(noise, sigma_mm / spacing_mm, truncate=3.0)
    return smooth / smooth.std()


def _deform(generator: np.random.Generator, volumes: Volume, spacing_mm: float) -> Volume:
    """Warp channels ``(C, X, Y, Z)`` by one random smooth invertible map: free-form deformation after an affine map.

    References:
        Rueckert et al., Diffeomorphic registration using B-splines, MICCAI 2006 (doi:10.1007/11866763_86): cubic
        B-splines do not fold while their coefficients stay below 0.4 of the distance of the control points.
    """
    shape = volumes.shape[1:]
    distance = CONTROL_DISTANCE_MM / spacing_mm
    bases = [_spline_basis(size, distance) for size in shape]
    coefficients = generator.normal(0.0, DISPLACEMENT_MM / spacing_mm, (3, *(basis.shape[1] for basis in bases)))
    limit = 0.4 * distance
    shift = np.einsum("cijk,xi,yj,zk->cxyz", coefficients.clip(-limit, limit), *bases, optimize=True)

    turn = Rotation.from_euler("xyz", generator.normal(0.0, (4.0, 1.5, 2.0)), degrees=True).as_matrix()
    matrix = turn * generator.normal(1.02, 0.03, 3)
    centered = np.stack(np.meshgrid(*(np.arange(size) - (size - 1) / 2 for size in shape), indexing="ij"))
    grid = np.tensordot(matrix, centered, axes=1) + shift + generator.normal(0.0, 2.0 / spacing_mm, (3, 1, 1, 1))
    resample = Resample(mode="bilinear", padding_mode="border")
    return resample(torch.from_numpy(volumes), torch.from_numpy(grid.astype(np.float32))).numpy()


def _spline_basis(size: int, distance: float) -> NDArray[np.float64]:
    """Cubic B-splines of control points ``distance`` voxels apart: ``(size, number of control points)``."""
    position = np.arange(size) / distance
    knots = np.arange(-3.0, np.floor(position[-1]) + 5.0)
    return BSpline.design_matrix(position, knots, 3).toarray()


def make_head(seed: int, age: float = 45.0, spacing_mm: float = 2.0) -> DemoHead:
    """Draw one head: smooth deformation, individual folds, contrast, age-dependent fluid, bias field and noise.

    Fractions become tissues through a softmax of their logarithms plus correlated random fields: where the average
    brain of the template is blurred, each subject gets own sharp folds. Age raises the logit of fluid, which widens
    ventricles and sulci.

    Args:
        seed: seed of everything random.
        age: age in years, which sets the amount of fluid.
        spacing_mm: isotropic voxel size in mm.

    Returns:
        The head; the image keeps partial volume, the labels are the most probable tissue inside the brain.
    """
    generator = np.random.default_rng(seed)
    fractions, brain, affine = head_atlas(spacing_mm)
    warped = _deform(generator, np.concatenate([fractions, brain[None]]), spacing_mm)
    fractions, brain = warped[:-1], warped[-1]

    names = list(TISSUES)
    # factor, amplitudes and lengths give slices the power spectrum of real 2 mm slices up to the finest detail
    logits = 4.0 * np.log(fractions + 2e-3)
    for index, name in enumerate(names[1:], start=1):
        length_mm = 2.0 if name in BRAIN_TISSUES else 3.5
        logits[index] += 2.0 * _detail(generator, brain.shape, spacing_mm, length_mm)
    logits[names.index("csf")] += 0.05 * (age - 45.0)
    tissues = softmax(logits, axis=0)

    signal = np.array([value * generator.normal(1.0, 0.04) for value in TISSUES.values()], dtype=np.float32)
    image = np.tensordot(signal, tissues, axes=1)
    image *= 1.0 + 0.045 * _detail(generator, image.shape, spacing_mm, 1.4)
    image = _acquire(image, int(generator.integers(2**31)))

    inside = brain > 0.5
    in_brain = [names.index(name) for name in BRAIN_TISSUES]
    label = np.where(inside, 1 + tissues[in_brain].argmax(axis=0), 0).astype(np.uint8)
    return DemoHead(image.astype(np.float32), label, affine)


def _acquire(image: Volume, seed: int) -> Volume:
    """Apply coil shading and Rician noise; subtract the noise floor, as scanners do, so that air is near zero."""
    shade = RandBiasField(degree=3, coeff_range=(-0.05, 0.05), prob=1.0)
    shade.set_random_state(seed=seed)
    noise = RandRicianNoise(std=0.014, sample_std=False, prob=1.0)
    noise.set_random_state(seed=seed + 1)
    noisy = noise(shade(torch.from_numpy(image)[None]))[0].numpy()
    return np.clip(noisy - 0.02, 0.0, None)


def region_labels(tissues: NDArray[np.uint8], spacing_mm: float) -> NDArray[np.uint8]:
    """Turn the tissues of a head into region labels, as real cohorts have them.

    Args:
        tissues: tissues ``(X, Y, Z)``, 0 outside the brain, 1 cerebrospinal fluid, 2 gray matter, 3 white matter; x
            points to the right.
        spacing_mm: voxel size.

    Returns:
        Labels of :data:`REGIONS`, 0 outside the brain, same shape. Ventricles are the fluid deep inside, with its gaps
        of a voxel closed.
    """
    inside = tissues > 0
    deep = ndimage.distance_transform_edt(inside, sampling=spacing_mm) > VENTRICLE_DEPTH_MM
    ventricle = ndimage.binary_closing((tissues == 1) & deep) & inside
    right = np.arange(tissues.shape[0])[:, None, None] > ndimage.center_of_mass(inside)[0]
    kinds = [ventricle, tissues == 1, tissues == 2, tissues == 3]
    labels = [np.where(right, *REGIONS[name]) for name in ("ventricle", "fluid", "gray", "white")]
    return np.select(kinds, labels, 0).astype(np.uint8)
