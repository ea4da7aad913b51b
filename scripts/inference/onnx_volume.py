# SPDX-License-Identifier: Apache-2.0
"""Restore one volume with an exported model, by the rules of the inference config, in NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from ..anatomy.background import zeros_between_tissue
from ..anatomy.domain import facts_of, notes
from ..anatomy.intensity_range import FINE, HUGE, IntensityRange, hide, intensity_range
from ..anatomy.planes import AUTO, plane_axcodes, plane_of, seen_voxels, voxel_sizes
from ..anatomy.sound_volume import check_volume, check_voxels, fits_float32, loses_nothing
from ..files.checked import MemoryCheck
from ..files.formats import format_of
from ..files.nifti import read_image
from ..files.nifti_header import (
    HEADER,
    INTER,
    SLOPE,
    STORED,
    UNIT_MM,
    header_bytes,
    orientation_doubts,
    scaled,
    unit_in_mm,
)
from .gate import OUTSIDE, Gate, Verdict
from .onnx_model import OnnxModel, deal_out, put_together

__all__ = ["RestoredVolume", "Shown", "load_volume", "restore_volume", "shown"]

Array = NDArray[Any]
LOST, LEAST_LOST = ("dropout", "holes"), 0.5
"""Damage that the network for slices learnt, while the one for volumes sees it only after repairs by formula, and the
level from which it is sure to be there."""
LEARNT, MOST_OTHER = (*LOST, "noise"), 0.7
"""Level of a kind that the network for slices has not learnt, from which the other one restores it all the same."""
UNREPAIRED = (
    "voxels were lost: the runtime onnx has no repairs by formula, and leaves them to a network. The runtime torch "
    "fills them better."
)
NOISY = "noise is left to a network: the air does not show how strong it is."
UNDONE = "uneven brightness"
UNEVEN = "uneven brightness is left to a network: it is divided out where a field is sure, in sagittal slices alone."
NOTHING, MOST = 0.03, 5.0
"""Smallest correction of a voxel that has exactly the intensity of nothing, and the largest that makes sense, as shares
of the intensity range: those of :class:`~scripts.transforms.RestoreOnInputGridd`."""
FEWEST = 49
"""Zeros between tissue, below which no voxels were lost."""
PERCENTILE, STRIDE = 0.995, 11
"""That becomes 1 for a verdict, and every how many voxels one counts for it."""


@dataclass
class Loaded:
    """A volume as its file has it, with its affine in mm and what its header says."""

    values: Array
    affine: NDArray[np.float64]
    meta: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


@dataclass
class Shown:
    """A volume as a network sees it, and the way back."""

    image: NDArray[np.float32]
    """In network space, ``(H, W, D)``."""
    spacing_mm: NDArray[np.float64]
    range: IntensityRange
    hidden: NDArray[np.bool_]
    turn: Array
    """Back to the axes of the file."""
    size: tuple[int, ...]
    """``(H, W, D)`` before coarse pixels were interpolated."""
    plane: str
    stripped: bool
    resampled: bool

    steps: tuple[float, float]
    """Rows and columns of the file that one of the network takes."""

    def back(self, difference: NDArray[np.float32]) -> Array:
        """A difference of network space on the grid and in the unit of the file."""
        for axis in (0, 1):
            if difference.shape[axis] != self.size[axis]:
                difference = _interpolated(difference, axis, np.arange(self.size[axis]) / self.steps[axis])
        unit = self.range.high - self.range.low
        back = difference * unit if FINE < unit < HUGE else difference.astype(np.float64) * unit
        back[self.hidden] = -0.0
        return np.ascontiguousarray(apply_orientation(back, self.turn))


@dataclass
class RestoredVolume:
    """A restored volume, and what was found out about it."""

    values: Array
    verdict: Verdict | None
    warnings: list[str]


def load_volume(path: Path, max_memory: float) -> Loaded:
    """Read a NIfTI or MGH file as :class:`~scripts.transforms.LoadVolumed` does.

    Args:
        path: the file.
        max_memory: gigabytes that restoring it may take.

    Raises:
        ValueError: the file is damaged, is of another format, or holds no volume that can be restored.
        OSError: it cannot be read.
    """
    kind = format_of(path.name)
    if kind is None or kind.reader != "nibabel":
        what = "DICOM" if kind is None else kind.name
        raise ValueError(f"{what} is not read by the runtime onnx: convert it to NIfTI, or use the runtime torch.")
    image = read_image(path, MemoryCheck(max_memory))
    unit, doubts, meta = 1.0, [], {}
    if isinstance(image, nib.Nifti1Pair):
        unit, doubt = unit_in_mm(image)
        doubts = [doubt] * bool(doubt) + orientation_doubts(image, unit)
        meta = {HEADER: header_bytes(image), UNIT_MM: unit}
    else:
        image = nib.Nifti1Image.from_image(image)
        meta = {name: int(image.header[name]) for name in ("sform_code", "qform_code")}
    check_voxels(image)
    stored = image.dataobj
    meta |= {
        STORED: image.get_data_dtype().newbyteorder("=").name,
        SLOPE: float(getattr(stored, "slope", 1.0)),
        INTER: float(getattr(stored, "inter", 0.0)),
    }
    values = np.asanyarray(stored)
    values = values.reshape(values.shape[: max(3, min(values.ndim, 4))])
    values = values[None] if values.ndim <= 3 else np.moveaxis(values, -1, 0)
    exact = not fits_float32(image)
    values = values.astype(np.float64 if exact else np.float32)
    if exact and loses_nothing(values[0]):
        values = values.astype(np.float32)
    affine = scaled(image.affine, unit)
    check_volume(values, affine)
    return Loaded(values[0], affine, meta, doubts)


def shown(volume: Loaded, model: OnnxModel, plane: str = AUTO, max_memory: float = 8.0) -> Shown:
    """Turn a volume to its plane and bring it to network space; what the training had not is added to its warnings.

    Args:
        volume: the volume.
        model: exported model.
        plane: see :func:`~scripts.anatomy.planes.plane_of`.
        max_memory: gigabytes that restoring it may take.

    Raises:
        ValueError: it takes more memory, or has nothing to scale.
    """
    target, coarsest = (float(model.manifest["image"][name]) for name in ("spacing_mm", "coarsest_mm"))
    plane = plane_of(volume.affine, plane, coarsest)
    own, wanted = io_orientation(volume.affine), axcodes2ornt(plane_axcodes(plane))
    turn = ornt_transform(own, wanted)
    values = apply_orientation(volume.values, turn)
    affine = volume.affine @ inv_ornt_aff(turn, volume.values.shape)
    spacing = voxel_sizes(affine)
    sizes = " x ".join(f"{size:.3g}" for size in spacing)
    what = f"a volume of {' x '.join(map(str, values.shape))} voxels of {sizes} mm"
    MemoryCheck(max_memory)(seen_voxels(values.shape, spacing.tolist(), target, coarsest), what)
    found = intensity_range(np.ascontiguousarray(values))
    image = ((values - found.low) / (found.high - found.low)).astype(np.float32)
    hidden = hide(image, found)
    facts = facts_of(image, affine, hidden, plane, coarsest)
    volume.warnings += notes(facts)
    size, steps, seen = image.shape, [1.0, 1.0], spacing.copy()
    for axis in (0, 1):
        if spacing[axis] > coarsest:
            steps[axis] = target / spacing[axis]
            count = int(np.round((size[axis] - 1) / steps[axis] + 1))
            image = _interpolated(image, axis, np.arange(count) * steps[axis])
            seen[axis] = target
    return Shown(
        image, seen, found, hidden, ornt_transform(wanted, own), size, plane, facts.stripped,
        steps != [1.0, 1.0], (steps[0], steps[1]),
    )  # fmt: skip


def restore_volume(volume: Loaded, seen: Shown, model: OnnxModel, gate: Gate | None) -> RestoredVolume:
    """Restore a volume.

    Args:
        volume: the volume.
        seen: what :func:`shown` gives for it.
        model: exported model.
        gate: what decides whether it is restored; ``None``: it always is.

    Returns:
        Values of the type of ``volume``, on its grid and in its unit.

    Raises:
        ValueError: a correction is not finite, or many times the intensity range.
    """
    target = float(model.manifest["image"]["spacing_mm"])
    factors = [max(1, round(target / size)) for size in seen.spacing_mm]
    if not model.has_verdict:
        factors[2] = 1
        pred = put_together([model.slices(part) for part in deal_out(seen.image, factors)], factors, seen.image.shape)
        return RestoredVolume(_corrected(volume.values, pred, seen), None, [])
    pred, done, odds = _repaired(seen, factors, model)
    verdict = None if gate is None else gate(odds[:-1].tolist(), float(odds[-1]), done)
    if verdict is not None and verdict.name == OUTSIDE:
        return RestoredVolume(volume.values, verdict, [])
    remarks: list[str] = []
    if verdict is None or verdict.restores:
        levels, least = model.named(odds), model.manifest["verdict"]["least"]
        lost = max(levels[kind] for kind in LOST) >= LEAST_LOST and zeros_between_tissue(seen.image) >= FEWEST
        by_slices = lost and max(level for kind, level in levels.items() if kind not in LEARNT) <= MOST_OTHER
        remarks += [UNREPAIRED] * lost
        remarks += [NOISY] * (levels["noise"] >= least and "noise" not in done)
        remarks += [UNEVEN] * (levels["bias"] >= least and UNDONE not in done)
        one, left = _bright_end(pred) if done else 1.0, odds[:-1].copy()
        if "noise" in done:  # the network must not remove it once more
            left[list(levels).index("noise")] = 0
        parts = deal_out(pred, factors)
        parts = [model.slices(part, one) if by_slices else model.volume(part, left, one) for part in parts]
        pred = put_together(parts, factors, seen.image.shape)
    return RestoredVolume(_corrected(volume.values, pred, seen), verdict, remarks)


def _repaired(
    seen: Shown, factors: Sequence[int], model: OnnxModel
) -> tuple[NDArray[np.float32], list[str], NDArray[np.float32]]:
    """The image without noise and without its bias field, where they are known, what was done, and the odds."""
    image, limits = seen.image, model.manifest["repairs"]
    done: list[str] = []
    odds = _odds(image, factors, model)
    levels, lost = model.named(odds), zeros_between_tissue(image) >= FEWEST
    if limits is None or (lost and max(levels[kind] for kind in LOST) >= LEAST_LOST):
        return image, done, odds  # the network for slices fills them, and removes the noise
    std = model.noise_std(image) if levels["noise"] > limits["noise"] else 0.0
    if std:
        image, done = model.without_noise(image, std), ["noise"]
        after, number = np.minimum(odds, _odds(image, factors, model)), list(levels).index("noise")
        after[[number, -1]] = odds[[number, -1]]  # the level that was there tells how uncertain the result is
        odds = after
    known = odds[-1] < limits["unknown"] and levels["noise"] < limits["most_noise"] and not done
    if seen.plane == "sagittal" and known:
        flat, strength = model.without_field(image)
        if strength > limits["field"]:
            image, done = flat, [UNDONE]
            odds = np.append(_odds(image, factors, model)[:-1], odds[-1])
    levels = {kind: level for kind, level in model.named(odds).items() if kind not in LOST}
    if not lost and max(levels.values()) < model.manifest["verdict"]["least"]:  # a false alarm
        odds[[number for number, kind in enumerate(model.manifest["verdict"]["kinds"]) if kind in LOST]] = 0
    return image, done, odds


def _corrected(values: Array, pred: NDArray[np.float32], seen: Shown) -> Array:
    """The volume with the network's correction; background and the intensity of nothing stay as they are."""
    difference = pred - seen.image
    largest = float(max(abs(difference.min()), abs(difference.max())))
    if not largest <= MOST:
        raise ValueError(
            f"the network's largest correction is {largest:.3g} times the intensity range, at most {MOST:g} makes "
            "sense: the model is that of another preprocessing, or the image is no head."
        )
    low, high, floor = seen.range.low, seen.range.high, seen.range.floor
    correction = seen.back(difference).astype(values.dtype, copy=False)
    darkest = np.minimum(values, values.dtype.type(floor))
    least = darkest + (values == values.dtype.type(low)) * values.dtype.type(NOTHING * (high - low))
    result = correction + values
    return np.where(result < least, darkest, result)


def _odds(image: NDArray[np.float32], factors: Sequence[int], model: OnnxModel) -> NDArray[np.float32]:
    """Levels and the probability of lying outside; interleaved parts are damaged alike, and one of them is enough."""
    return model.levels(deal_out(image, factors)[0], _bright_end(image))


def _bright_end(image: NDArray[np.float32]) -> float:
    some = np.ascontiguousarray(image).ravel()[::STRIDE]
    place = max(1, int(PERCENTILE * len(some))) - 1
    return max(1e-3, float(np.partition(some, place)[place]))


def _interpolated(image: NDArray[np.float32], axis: int, places: Array) -> NDArray[np.float32]:
    """Linear interpolation along an axis; beyond its ends the last values go on."""
    places = places.clip(0, image.shape[axis] - 1)
    before = np.minimum(places.astype(int), image.shape[axis] - 1)
    after = np.minimum(before + 1, image.shape[axis] - 1)
    share = (places - before).astype(np.float32).reshape([-1 if number == axis else 1 for number in range(3)])
    return image.take(before, axis) * (1 - share) + image.take(after, axis) * share
