# SPDX-License-Identifier: Apache-2.0
"""The frame of the HTML pages, and views of heads."""
