# SPDX-License-Identifier: Apache-2.0
"""Rate and distortion: how many values and bits a code needs, and what is left of the image."""
