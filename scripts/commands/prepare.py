# SPDX-License-Identifier: Apache-2.0
"""``prepare IN DATA``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from .arguments import Count, Seed
from .front import say

__all__ = ["COMMAND", "prepare"]

PICTURE = "cohort.png"


def prepare(
    images: Annotated[str, "IN"],
    output_dir: Annotated[str, "DATA"],
    *,
    demographics: str | None = None,
    labels: str | None = None,
    masks: str | None = None,
    selection: Literal["brain", "nonzero_count", "nonzero_mean"] = "brain",
    fractions: Sequence[float] = (0.7, 0.15, 0.15),
    seed: Seed = 0,
    plane: Literal["sagittal", "coronal", "axial"] = "sagittal",
    name: str | None = None,
    subject_pattern: str | None = None,
    every_nth_slice: Count = 1,
    brain_mask: Literal["network", "threshold"] = "network",
) -> None:
    """Describe a folder of T1-weighted heads as a cohort that training and evaluation read.

    Finds the images, splits them by subject into training, validation and test, chooses the slices that show brain, and
    writes dataset.json, cohort.png (the split and the kept slices), report.json (what was left out or not used, and
    why) and, where they had to be made, brain masks. The images stay where they are. Other contrasts are left out,
    masks and labels that show no brain are not used, and doubts about who is who become warnings. A bad file is left
    out and named at the end; the exit status is then 1.

    Args:
        images: folder of the images, at any depth, of any format that restore reads but DICOM. Subjects, sessions
            and contrasts are told from the names of BIDS, IXI, BraTS, ADNI and OASIS, else from the names of files and
            folders. Label and brain mask files in it are recognised by folder (labels, masks, derivatives) or name
            (_seg, _dseg, _mask, ...).
        output_dir: folder of the results, created if it does not exist.
        demographics: .xls, .csv or .tsv table of age, sex, ethnicity and site. The participants.tsv of a BIDS tree is
            found automatically.
        labels: folder of region labels (MUSE, DLMUSE, FreeSurfer, FastSurfer, SynthSeg, or a plain brain mask), if they
            are not in the image folder.
        masks: folder of brain masks, if they are not in the image folder.
        selection: rule that chooses the slices: brain (area of the brain above 2636.7 mm2), nonzero_count or
            nonzero_mean (above the first quartile over all slices).
        fractions: shares of training, validation and test, summing to 1; 0,0,1 makes all of them test.
        seed: seed of the split, at least 0.
        plane: plane of the slices.
        name: name of the cohort; that of the image folder by default.
        subject_pattern: regular expression whose first group is the subject, searched for in the path of each image
            below the image folder. Needed only for unusual names, which warnings tell.
        every_nth_slice: number N of neighbouring slices, which look alike, of which one is kept: for a smaller cohort
            of as many subjects, where time is short.
        brain_mask: how the brain is found where no label or mask shows it: network (a trained one, for heads of any
            contrast, whole or skull-stripped) or threshold (the template fitted to the head, as in version 0.1.0).
    """
    options = {key: value for key, value in locals().items() if key != "brain_mask"}
    from ..data.prepare import prepare_cohort
    from ..files.errors import printable
    from ..pages.cohort_picture import save_cohort_picture

    if brain_mask == "network":
        from ..inference.brain_mask import BrainMasker

        options["find_brain"] = BrainMasker()
    prepared = prepare_cohort(**options)
    save_cohort_picture(prepared.cohort, prepared.folder / PICTURE)
    say(f"{prepared.summary()}\nwrote dataset.json, {PICTURE} and report.json into {output_dir}")
    if prepared.unusable:
        lines = "".join(f"\n  {printable(one['file'])}: {one['reason']}" for one in prepared.unusable)
        raise ValueError(f"{len(prepared.unusable)} of {prepared.images} images were left out:{lines}")


COMMAND = prepare
