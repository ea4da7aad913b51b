# SPDX-License-Identifier: Apache-2.0
"""Contrasts of MR images, and what else a file may be, by the words in its name."""

from __future__ import annotations

import re

__all__ = [
    "GENERIC",
    "LABEL_NAME",
    "LESION",
    "MASK_NAME",
    "T1",
    "other_contrast",
    "without_generic_end",
    "without_words",
]


def _words(pattern: str) -> re.Pattern[str]:
    """Whole words, between anything but letters and digits."""
    return re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", re.IGNORECASE)


T1 = _words(
    r"(?:3d[-_]?)?t1(?:w|n|wi)?(?:[-_](?:3d|se|tfe|ffe|vibe))?(?:[-_]?(?:mp2?[-_]?rage|mpr)\d*)?"
    r"|mp2?[-_]?rage\d*|mpr(?:[-_]?\d+|[-_]r)?|(?:ir[-_])?f?spgr|mt1|bravo"
)
"""Words for T1-weighted images without a contrast agent."""

_OTHER = {
    "T1-weighted with a contrast agent": _words(
        r"t1(?:w|wi)?[-_+]?(?:ce|gd|gad|post|km)w?|t1(?:c|\+c)|(?:ce|gd)[-_]?t1w?",
    ),
    "a quantitative map": _words(r"(?:t1|t2|pd)[-_]?map|t1rho|mtsat"),
    "an image with holes": _words(r"voided"),
    "FLAIR": _words(r"(?:t2[-_]?)?flair\d*|t2f|tirm|dark[-_]?fluid"),
    "T2*-weighted": _words(r"t2[-_]?(?:star|s)w?|swi|swan|qsm"),
    "T2-weighted": _words(r"(?:3d[-_]?)?t2(?:w|wi|tse)?"),
    "proton density": _words(r"pdw|pdt2|proton[-_]?density"),
}
_OTHER_WITHOUT_T1 = {
    "diffusion": _words(r"dwi|dti|adc"),
    "functional": _words(r"bold|func|(?:rs)?fmri"),
    "a field map": _words(r"fmap|field[-_]?map"),
    "perfusion": _words(r"p?c?asl|cbf|cbv|dsc|dce|pwi"),
    "angiography": _words(r"mra|tof|angio"),
    "CT": _words(r"ct"),
    "PET": _words(r"pet|fdg|av45|pib"),
    "a scout": _words(r"localizers?|scout|survey"),
}
"""Words that say nothing beside T1, when they may name a study or a group."""

LABEL_NAME = re.compile(
    r"(?:^|[-_.])(?:labels?|seg|segm|segmentation|dseg|fseg|pveseg|synthseg|DLMUSE"
    r"|parc|ribbon|wmparc|(?:aparc[\w.]*\+)?aseg[\w.]*?)$",
    re.IGNORECASE,
)
MASK_NAME = re.compile(r"mask$|(?:^|[-_.])msk$", re.IGNORECASE)
LESION = _words(r"\w*?lesions?(?:masks?)?|tumou?rs?|gtv|wmh|infarcts?|rois?")
"""Words for what is marked in a diseased brain: in the name of a mask or a segmentation, or at the end of a name."""

_GENERIC = (
    r"(?:brain|head|img|images?|scans?|anat|anatomical|structural|mri?|orig|raw|nu|norm(?:alized)?|n3|n4|n4itk|bet|ss"
    r"|(?:skull[-_]?)?stripped|defaced?|anon|masked|pre?proc(?:essed)?|reg(?:istered)?|cropped|resampled|iso|final"
    r"|denoised|(?:bias[-_]?)?corr(?:ected)?|restored?|acpc|dc|mni|\d*\.?\d+mm)"
)
GENERIC = _words(_GENERIC)
"""Words for what was done to an image, or that any image is called."""
_GENERIC_END = re.compile(rf"(?:[-_. ]+{_GENERIC})+$", re.IGNORECASE)


def other_contrast(name: str) -> str | None:
    """What kind of image a name says, if that is another than a T1-weighted one without a contrast agent.

    Example:
        >>> other_contrast("p1_T2w"), other_contrast("p1_t1ce"), other_contrast("p1_T1"), other_contrast("T2D1")
        ('T2-weighted', 'T1-weighted with a contrast agent', None, None)
    """
    kinds = _OTHER if T1.search(name) else _OTHER | _OTHER_WITHOUT_T1
    return next((contrast for contrast, words in kinds.items() if words.search(name)), None)


def without_words(name: str, words: re.Pattern[str]) -> str:
    """A name without some words, and without the signs that they leave at its ends or twice in it.

    Example:
        >>> without_words("T1_anna_brain", GENERIC), without_words("p1-T1w", T1), without_words("t1", T1)
        ('T1_anna', 'p1', '')
    """
    return re.sub(r"([-_.])[-_.]+", r"\1", words.sub("", name)).strip("-_. ")


def without_generic_end(name: str) -> str:
    """A name without the words at its end that say what was done to the image.

    Example:
        >>> without_generic_end("anna_N4_brain"), without_generic_end("head_01")
        ('anna', 'head_01')
    """
    return _GENERIC_END.sub("", name)
