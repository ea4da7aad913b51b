# SPDX-License-Identifier: Apache-2.0
"""The commands, one file each: arguments, one call, what is printed."""
