# SPDX-License-Identifier: Apache-2.0
"""How well lesion-shaped holes are filled, by what; and the training of the network that ``fill`` ships."""
