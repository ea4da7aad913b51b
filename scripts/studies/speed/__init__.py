# SPDX-License-Identifier: Apache-2.0
"""Measurement of speed, for ``python -m scripts.studies.speed``.

Read ``matches.py`` for what is measured, ``ours.py`` and ``monai_way.py`` for how each side does it, ``match.py`` for
how they take turns and ``counter.py`` with ``machine.py`` for the limits.
"""
