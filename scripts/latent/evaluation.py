# SPDX-License-Identifier: Apache-2.0
"""What the latent space of a trained recipe is worth, measured on held-out subjects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from . import tables
from .decoded import attribute_path, slice_row
from .figures import code_figure, conditional_figure
from .measures import spearman_matrix
from .report import LatentResults, page_sections
from .samples import conditional_table, draw_samples, sample_table
from .sampling import interpolation
from .space import LatentSpace, SliceSpace, TissueSpace
from .validity import Validity

__all__ = ["evaluate_space"]

SHOWN = 12
"""Samples in a row of the pictures."""
RECONSTRUCTIONS = 8
STEPS = 9
MIDDLE = 0.6
"""Level of the slices of traversals; it shows the ventricles."""


def evaluate_space(
    space: LatentSpace,
    folder: Path,
    dataset_dir: str = "",
    *,
    samples: int = 500,
    judged: int = 200,
    bank: int = 3000,
    seed: int = 0,
) -> LatentResults:
    """Measure everything, and write tables, pictures, summary.json and report.html.

    Args:
        space: trained recipe and cohort.
        folder: folder of the results, created if it is missing.
        dataset_dir: folder of the cohort's dataset.json.
        samples: number of samples of each kind.
        judged: number of masks of each kind whose plausibility is judged and corrected.
        bank: codes drawn from the Parzen window that join the training codes as places to correct masks towards.
        seed: seed of the samples.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    results = LatentResults(space, folder, seed)
    if isinstance(space, TissueSpace):
        _evaluate_masks(space, results, dataset_dir, samples, judged, bank, rng)
    else:
        _evaluate_slices(cast(SliceSpace, space), results, samples, rng)
    results.write()
    return results


def _evaluate_masks(
    space: TissueSpace,
    results: LatentResults,
    dataset_dir: str,
    samples: int,
    judged: int,
    bank: int,
    rng: np.random.Generator,
) -> None:
    steps: dict[str, Callable[[], pd.DataFrame]] = {
        "attributes": lambda: tables.attribute_table_of(space, rng),
        "measures": lambda: tables.measure_table(space),
        "dimensions": lambda: tables.dimension_table(space),
        "reconstruction": lambda: tables.dice_table(space),
        "intervals": lambda: tables.interval_table(space, np.random.default_rng(results.seed)),
    }
    if not (neuron := tables.neuron_table(space)).empty:
        results.add("neuron", neuron)
    if tables.ATTRIBUTE in space.names:
        steps["smallest_area"] = lambda: tables.smallest_area_table(space, dataset_dir)
    for name, step in tqdm(steps.items(), "evaluating", unit="table"):
        results.add(name, step())
    drawn, rejection = draw_samples(space, samples, rng)
    results.add("rejection", rejection)
    results.add("samples", sample_table(space, drawn))
    conditional, wanted, measured = conditional_table(space, rng)
    results.add("conditional", conditional)
    validity = Validity(space, bank, rng)
    validity.judge_held_out(judged, rng)
    validity.judge_drawn(drawn, judged)
    results.add("validity", validity.table())
    rank_correlations = spearman_matrix(space.codes[space.part], space.attributes(space.part))
    results.figures |= {
        "codes": code_figure(rank_correlations, space.names, results.tables["dimensions"].get("kl", ())),
        "traversals": _traversals(space, results.folder),
        "samples": space.picture([space.model.decode(codes[:SHOWN]) for codes in drawn.values()], list(drawn)),
        "conditional": conditional_figure(wanted, measured, space.names),
    }
    for name, stages in validity.shown.items():
        results.figures[f"corrected_{name.replace(' ', '_')}"] = space.picture(list(stages.values()), list(stages))
    results.sections = page_sections(results, "masks")


def _evaluate_slices(space: SliceSpace, results: LatentResults, samples: int, rng: np.random.Generator) -> None:
    steps = {"dimensions": tables.dimension_table, "reconstruction": tables.psnr_table}
    for name, make in tqdm(steps.items(), "evaluating", unit="table"):
        results.add(name, make(space))
    drawn, rejection = draw_samples(space, samples, rng)
    results.add("rejection", rejection)
    results.add("samples", sample_table(space, drawn))
    images, codes = space.images[space.part], space.codes[space.part]
    shown = np.linspace(0, len(images) - 1, RECONSTRUCTIONS).astype(int)
    real, decoded = images[shown].astype(np.float32), space.model.decode(codes[shown])
    first, last = slice_row(space, None, 0.5), slice_row(space, str(space.subject[space.part][-1]), 0.5)
    path = space.model.decode(interpolation(codes[first], codes[last], STEPS))
    results.figures |= {
        "reconstructions": space.picture([real, decoded, np.abs(real - decoded)], ["slice", "decoded", "difference"]),
        "interpolation": space.picture([path]),
        "samples": space.picture(
            [space.model.decode(codes[:RECONSTRUCTIONS]) for codes in drawn.values()], list(drawn)
        ),
    }
    results.sections = page_sections(results, "slices")


def _traversals(space: TissueSpace, folder: Path) -> Figure:
    """A row for each attribute, from the middle slice of the first test subject; each is written as a stack, too."""
    start = slice_row(space, None, MIDDLE)
    rows = []
    for name in space.dims:
        rows.append(space.model.decode(attribute_path(space, name, start, STEPS)))
        space.save(rows[-1], folder / f"traversal_{name}.nii.gz")
    return space.picture(rows, [name.replace("_", " ") for name in space.dims])
