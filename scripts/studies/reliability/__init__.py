# SPDX-License-Identifier: Apache-2.0
"""How reliable restoring, training and preparing are: damaged files, killed processes, many volumes."""
