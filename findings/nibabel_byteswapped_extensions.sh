#!/usr/bin/env bash
# nibabel 5.4.2: header.as_byteswapped() of a NIfTI header drops the header extensions.
#
# Guess: a header in the other byte order says the same, with the extensions that header.copy() keeps. Found: where the
# order does change, the list of extensions is empty, without a word; where it is the same already, they are kept.
# So code that brings headers to little-endian loses the extensions of big-endian files alone.
# Ends with a status other than 0 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet install nibabel==5.4.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Extension

print("nibabel", nib.__version__)
kept = {}
for order in "<>":
    image = nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.eye(4), nib.Nifti1Header(endianness=order))
    image.header.extensions.append(Nifti1Extension("comment", b"a word"))
    nib.save(image, "a.nii")
    header = nib.load("a.nii").header
    kept[order] = [len(one.extensions) for one in (header, header.copy(), header.as_byteswapped("<"))]
    print(f"file in order {order}: {kept[order]} extensions as read, copied, in little-endian order")
assert kept == {"<": [1, 1, 1], ">": [1, 1, 0]}
PYTHON
# Output seen:
# nibabel 5.4.2
# file in order <: [1, 1, 1] extensions as read, copied, in little-endian order
# file in order >: [1, 1, 0] extensions as read, copied, in little-endian order
