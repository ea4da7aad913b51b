# SPDX-License-Identifier: Apache-2.0
"""Classical tools on the heads of ``measure``: ``python -m scripts.studies.restorer.peers DATA``.

Needs dipy, antspyx and bm4d, best in an environment of their own: bm4d may not be used commercially.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...evaluation.statistics import bootstrap_interval
from ...repairs import noise_std, remove_blur, remove_noise, repair
from ...repairs.smooth_fill import fill_smoothly
from ..command_line import run_command, say
from .measure import Case, cases, damages, psnr

__all__ = ["compare"]

AIR = 1.177
"""Median of Rayleigh's distribution, in standard deviations of the noise."""
FEW = 5
"""Heads for what takes a minute each."""

Volume = NDArray[np.floating]
Method = Callable[[Case], Volume]


def compare(dataset_dir: str, part: str = "test", heads: int = 12, seed: int = 7, only: Sequence[str] = ()) -> None:
    """Print a table: PSNR in dB, as in ``measure`` and of the same damaged heads, and seconds.

    Args:
        dataset_dir: folder of the prepared cohort.
        part: of the cohort.
        heads: number of heads; five of them for BM4D.
        seed: of the damage.
        only: damage of the table; by default all.
    """
    say("| damage | method | heads | PSNR | seconds a head |")
    say("|---|---|---|---|---|")
    for damage, steps in damages().items():
        if only and damage not in only:
            continue
        methods: dict[str, Method] = {"as it came": _volume, "formulas of the restorer alone": _formulas}
        methods |= {name: method for name, method in METHODS.items() if damage in SUITED[name]}
        for name, method in methods.items():
            number = FEW if name.startswith("BM4D") else heads
            values, seconds = [], []
            for case in cases(dataset_dir, part, steps, number, seed):
                begin = time.perf_counter()
                result = torch.from_numpy(np.ascontiguousarray(method(case), dtype=np.float32))
                seconds.append(time.perf_counter() - begin)
                values.append(psnr(result, case.clean, case.inside))
            low, high = bootstrap_interval(values)
            text = f"{np.mean(values):.1f} [{low:.1f}, {high:.1f}]"
            say(f"| {damage} | {name} | {len(values)} | {text} | {np.mean(seconds):.1f} |")


def _volume(case: Case) -> Volume:
    return case.damaged[0, 0].numpy()


def _sigma(volume: Volume) -> float:
    """Standard deviation of Rician noise, from the corners, which are air."""
    size = min(volume.shape) // 10
    ends = [slice(0, size), slice(-size, None)]
    corners = [volume[i, j, k] for i in ends for j in ends for k in ends]
    return float(np.median(corners)) / AIR


def _formulas(case: Case) -> Volume:
    high = float(np.percentile(case.damaged.numpy(), 99.5))
    found = remove_blur(repair(case.damaged / high).volumes[0, 0])[0]
    std = noise_std(found)
    return ((remove_noise(found, std) if std else found) * high).numpy()


def _nlmeans(case: Case) -> Volume:
    from dipy.denoise.nlmeans import nlmeans

    volume = _volume(case)  # the default, blockwise since 1.12, lands below its input
    return nlmeans(volume, sigma=_sigma(volume), patch_radius=1, block_radius=2, rician=True, method="classic")


def _bm4d(case: Case) -> Volume:
    import bm4d

    volume = _volume(case).astype(np.float64)
    sigma = _sigma(volume)
    mean = bm4d.bm4d(volume, sigma)
    return np.sqrt(np.maximum(mean**2 - sigma**2, 0))  # of Rician noise, to first order


def _n4(case: Case) -> Volume:
    import ants

    image = ants.from_numpy(_volume(case), spacing=(2.0, 2.0, 2.0))
    flat = ants.n4_bias_field_correction(image, mask=ants.get_mask(image)).numpy()
    inside = case.inside.numpy()
    return flat * np.median(_volume(case)[inside]) / np.median(flat[inside])


def _gibbs(case: Case) -> Volume:
    from dipy.denoise.gibbs import gibbs_removal

    return gibbs_removal(_volume(case).astype(np.float64), slice_axis=2, inplace=False, num_processes=1)


def _smooth(case: Case) -> Volume:
    """Told where."""
    return fill_smoothly(case.damaged[0, 0], _lost(case)).numpy()


def _laplace(case: Case) -> Volume:
    """Told where: each voxel the mean of its neighbours."""
    from scipy.sparse import coo_array, diags_array
    from scipy.sparse.linalg import spsolve

    volume, lost = _volume(case).astype(np.float64), _lost(case).numpy()
    number = np.full(volume.shape, -1)
    number[lost] = np.arange(lost.sum())
    count, right, rows, columns = np.zeros(lost.sum()), np.zeros(lost.sum()), [], []
    for axis in range(3):
        for step in (-1, 1):
            index = np.argwhere(lost)
            index[:, axis] = np.clip(index[:, axis] + step, 0, volume.shape[axis] - 1)
            near, here = number[tuple(index.T)], np.arange(lost.sum())
            known = near < 0
            right[known] += volume[tuple(index[known].T)]
            count += 1
            rows.append(here[~known])
            columns.append(near[~known])
    ones = np.ones(sum(map(len, rows)))
    links = coo_array((ones, (np.concatenate(rows), np.concatenate(columns))), shape=(lost.sum(), lost.sum()))
    volume[lost] = spsolve((diags_array(count) - links).tocsr(), right)
    return volume


def _lost(case: Case) -> Tensor:
    return (case.damaged[0, 0] == 0) & (case.clean != 0)


METHODS: dict[str, Method] = {
    "DIPY nlmeans, classic, sigma from the air": _nlmeans,
    "BM4D, sigma from the air": _bm4d,
    "ANTs N4": _n4,
    "DIPY gibbs_removal": _gibbs,
    "biharmonic in 3-D, told where": _smooth,
    "Laplace in 3-D, told where": _laplace,
}
NOISY = {"Rician noise 1.5 %", "Rician noise 4 %", "Rician noise 8 %", "noise 4 % and bias"}
LOST = {"4 % dropout", "holes in 30 % of the slices"}
SUITED: dict[str, set[str]] = dict(
    zip(
        METHODS,
        (NOISY, NOISY - {"noise 4 % and bias"}, {"bias field +-30 %"}, {"Gibbs ringing, 40 % cut"}, LOST, LOST),
        strict=True,
    )
)
"""Damage that a method is for."""


if __name__ == "__main__":
    run_command(compare, "python -m scripts.studies.restorer.peers")
