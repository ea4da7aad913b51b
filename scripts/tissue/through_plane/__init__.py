# SPDX-License-Identifier: Apache-2.0
"""Consistency of tissue masks from slice to slice: judgement and correction of whole volumes."""
