# SPDX-License-Identifier: Apache-2.0
"""Brain MRI autoencoders: networks, losses, corruptions, data and workflows of the MONAI bundle.

In a checkout and in a built bundle the package is called ``scripts`` (the name MONAI bundles use); in the wheel it is
``brain_mri_ae``.
"""

import sys
from importlib import import_module

__version__ = "0.1.0"

if sys.argv[:1] == ["-m"]:  # Python is looking for the module of ``python -m scripts.NAME``
    for _word in sys.orig_argv:
        if _word.startswith(f"{__name__}."):
            import_module(".commands.front", __name__).refuse_former(_word.partition(".")[2])
