# SPDX-License-Identifier: Apache-2.0
"""Other people's implementations of the same models, for ``python -m scripts.studies.vae_peers``."""

from __future__ import annotations
