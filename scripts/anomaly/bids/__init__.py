# SPDX-License-Identifier: Apache-2.0
"""The T1-weighted heads of a BIDS dataset: restored and mapped subject by subject, a page for each and one for all."""
