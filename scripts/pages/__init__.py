# SPDX-License-Identifier: Apache-2.0
"""Self-contained HTML pages, and pictures of heads and cohorts for them."""
