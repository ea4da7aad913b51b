# SPDX-License-Identifier: Apache-2.0
"""Brain MRI autoencoders: networks, losses, corruptions, data and workflows of the MONAI bundle.

In a checkout and in a built bundle the package is called ``scripts`` (the name MONAI bundles use); in the wheel it is
``brain_mri_ae``.
"""

__version__ = "0.1.0"
