# SPDX-License-Identifier: Apache-2.0
"""The thesis's conclusions, each as a set of comparisons that can fail. How they are judged: ``verdicts``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .cells import Factors
from .comparisons import Contrast, matched_contrast

__all__ = ["CLAIMS", "NETWORKS", "Claim", "Design"]

UNET = "ResidualUNet"
NETWORKS = {
    "ShallowResidualOriginal": "shallow residual, original",
    "ShallowResidualPreactivation": "shallow residual, pre-activation",
    "SkipCAE": "skip CAE",
    "MyronenkoCAE": "Myronenko CAE",
    UNET: "Residual U-Net",
}
"""The five networks of the thesis, class and name."""
INPAINTING = "biharmonic"


@dataclass(frozen=True)
class Design:
    """Models that differ in nothing but the factors, and the baselines beside them.

    Attributes:
        name: what the names of the models begin with.
        data: name of their kind of slices.
        models: name to factors.
        baselines: names of the methods without a training.
    """

    name: str
    data: str
    models: Mapping[str, Factors]
    baselines: tuple[str, ...]

    def contrasts(self) -> list[Contrast]:
        """The contrasts of all claims that have cells here, each once."""
        return list(dict.fromkeys(c for claim in CLAIMS for c in claim.contrasts(self) if c.pairs))


@dataclass(frozen=True)
class Claim:
    """One conclusion.

    Attributes:
        name: short, unique.
        statement: what is claimed.
        origin: what the thesis rests it on.
        damage: kind of damage under which it is judged.
        region: where it is judged.
        metrics: by what it is judged.
        contrasts: the sides that are compared in a design; a is claimed to be better than b.
    """

    name: str
    statement: str
    origin: str
    damage: str
    region: str
    metrics: tuple[str, ...]
    contrasts: Callable[[Design], list[Contrast]]


def _unet_against(*others: str) -> Callable[[Design], list[Contrast]]:
    """The Residual U-Net against other networks, matched in loss, L2 and damage."""

    def contrasts(design: Design) -> list[Contrast]:
        return [
            matched_contrast(
                NETWORKS[UNET], NETWORKS[other], design.models, ({"network": UNET}, {"network": other}), design.name
            )
            for other in others
        ]

    return contrasts


def _in_each_network(
    a: str, b: str, better: Mapping[str, Any], worse: Mapping[str, Any]
) -> Callable[[Design], list[Contrast]]:
    """Two values of a factor, network by network, matched in all other factors."""

    def contrasts(design: Design) -> list[Contrast]:
        return [
            matched_contrast(
                f"{name}: {a}", f"{name}: {b}", design.models,
                ({"network": network, **better}, {"network": network, **worse}), design.name,
            )
            for network, name in NETWORKS.items()
        ]  # fmt: skip

    return contrasts


def _damage_in_training(design: Design) -> list[Contrast]:
    """Trained on damaged and on clean slices, network by network."""
    damages = sorted({found.damage for found in design.models.values()} - {"none"})
    return [
        contrast
        for damage in damages
        for contrast in _in_each_network("damaged", "clean", {"damage": damage}, {"damage": "none"})(design)
    ]


def _networks_against_inpainting(design: Design) -> list[Contrast]:
    """All cells of each network against classical inpainting."""
    contrasts = []
    for baseline in (name for name in design.baselines if INPAINTING in name):
        for network, name in NETWORKS.items():
            trained = [m for m, found in design.models.items() if found.network == network and found.damage != "none"]
            contrasts.append(Contrast(name, baseline, tuple((m, baseline) for m in trained), design.name))
    return contrasts


BOTH = ("psnr", "dssim")
CLAIMS = (
    Claim(
        "best network",
        "The Residual U-Net is the best of the five networks.",
        "45.0 dB and a DSSIM of 0.0014, the best of the networks with augmentation; undamaged slices",
        "mixed", "head", BOTH, _unet_against(*(network for network in NETWORKS if network != UNET)),
    ),
    Claim(
        "skips and residual blocks",
        "Skips and residual blocks together are better than each alone.",
        "the Residual U-Net above the skip CAE and the shallow residual networks; undamaged slices",
        "mixed", "head", BOTH, _unet_against("SkipCAE", "ShallowResidualPreactivation", "ShallowResidualOriginal"),
    ),
    Claim(
        "DSSIM and structure",
        "Trained with DSSIM, a network keeps structure better than trained with MSE.",
        "a lower DSSIM in each network; undamaged slices, one training each",
        "mixed", "head", ("dssim",), _in_each_network("DSSIM", "MSE", {"loss": "DSSIM"}, {"loss": "MSE"}),
    ),
    Claim(
        "MSE and intensity",
        "Trained with MSE, a network keeps intensities better than trained with DSSIM.",
        "a higher PSNR in each network; undamaged slices, one training each",
        "mixed", "head", ("psnr",), _in_each_network("MSE", "DSSIM", {"loss": "MSE"}, {"loss": "DSSIM"}),
    ),
    Claim(
        "L2 with DSSIM",
        "L2 on the kernels helps a network that is trained with DSSIM.",
        "two networks; undamaged slices, one training each",
        "mixed", "head", BOTH,
        _in_each_network("DSSIM, L2", "DSSIM", {"loss": "DSSIM", "l2": True}, {"loss": "DSSIM", "l2": False}),
    ),
    Claim(
        "L2 with MSE",
        "L2 on the kernels harms a network that is trained with MSE.",
        "two networks, although the skip CAE's own figures say the opposite; undamaged slices, one training each",
        "mixed", "head", BOTH,
        _in_each_network("MSE", "MSE, L2", {"loss": "MSE", "l2": False}, {"loss": "MSE", "l2": True}),
    ),
    Claim(
        "DSSIM and holes",
        "Trained with DSSIM, a network fills holes better than trained with MSE.",
        "three pictures, no figures",
        "holes", "hole", BOTH, _in_each_network("DSSIM", "MSE", {"loss": "DSSIM"}, {"loss": "MSE"}),
    ),
    Claim(
        "networks and holes",
        "A network fills holes better than classical inpainting that is told where the hole is.",
        "pictures, without a classical method beside them",
        "holes", "hole", BOTH, _networks_against_inpainting,
    ),
    Claim(
        "augmentation",
        "Only a network that saw damage in training can restore.",
        "one word for the pictures of each network without augmentation",
        "mixed", "head", ("psnr",), _damage_in_training,
    ),
)  # fmt: skip
