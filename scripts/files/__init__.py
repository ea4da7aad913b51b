# SPDX-License-Identifier: Apache-2.0
"""Files in and out: atomic writing, errors and their one-line form, BIDS names, DICOM, Keras files."""
