# SPDX-License-Identifier: Apache-2.0
"""Pages about restored volumes: what changed, and how the restorer does on this very head."""
