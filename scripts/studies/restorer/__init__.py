# SPDX-License-Identifier: Apache-2.0
"""Training of the restorer on a CPU: one process damages heads, another learns from a pool of them."""
