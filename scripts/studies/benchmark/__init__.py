# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: many trainings under one protocol, and what their differences allow to conclude.

Read in this order: ``cells`` (what is run), ``running`` and ``record`` (how, and how it is resumed), ``values`` and
``comparisons`` (what it means), ``claims`` and ``verdicts`` (what is concluded).
"""
