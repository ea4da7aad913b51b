# SPDX-License-Identifier: Apache-2.0
"""Where is the head, the brain, the template."""
