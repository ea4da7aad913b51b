# SPDX-License-Identifier: Apache-2.0
"""Location of the head and the brain in an image, and registration of the brain template."""
