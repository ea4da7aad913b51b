# SPDX-License-Identifier: Apache-2.0
"""What is chosen for a latent space is chosen on the part of the cohort that is meant for it."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import KernelDensity

from scripts.latent.sampling import BANDWIDTHS
from tests.helpers.known_space import KnownSpace


def test_the_bandwidth_is_the_most_likely_of_the_validation_subjects():
    rng = np.random.default_rng(0)
    codes = {part: rng.standard_normal((40, 2)) for part in ("training", "validation", "test")}
    codes["test"] *= 5
    scores = [KernelDensity(bandwidth=width).fit(codes["training"]).score(codes["validation"]) for width in BANDWIDTHS]
    window = KnownSpace(codes).window
    assert window.bandwidth == BANDWIDTHS[int(np.argmax(scores))]
    np.testing.assert_array_equal(window.codes, codes["training"])


def test_the_dimension_of_an_attribute_is_chosen_on_the_training_subjects():
    rng = np.random.default_rng(1)
    codes = {part: rng.standard_normal((30, 3)) for part in ("training", "test")}
    attributes = {"training": np.exp(-codes["training"][:, [2, 0]]), "test": codes["test"][:, [1, 2]]}
    assert KnownSpace(codes, attributes, regularised=False).dims == {"a": 2, "b": 0}
    assert KnownSpace(codes, attributes, regularised=True).dims == {"a": 0, "b": 1}
