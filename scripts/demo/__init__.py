# SPDX-License-Identifier: Apache-2.0
"""One head damaged and restored, and its page."""
