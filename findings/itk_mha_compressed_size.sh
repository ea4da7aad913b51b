#!/usr/bin/env bash
# itk 5.4.7: of a compressed MHA file whose header does not give CompressedDataSize, most voxels are wrong.
#
# Guess: the data go on to the end of the file, as those of a compressed MHD file beside its ZRAW file do, where the
# field may be left out. Found: ITK takes the whole file, its header included, for the data, cannot decompress that, says
# "Uncompress failed" on standard error, and gives an image without an exception, whose voxels are 0 or whatever was in
# memory. With the field all is right.
# Ends with a status other than 0 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet install itk-io==5.4.7 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import zlib
from pathlib import Path

import itk
import numpy as np

voxels = (1 + np.arange(17 * 18 * 19) % 251).astype("<i2").reshape(17, 18, 19)
data = zlib.compress(voxels.tobytes())
print("itk", itk.Version.GetITKVersion())


def read(name, *fields, file="LOCAL"):
    lines = ["ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False"]
    lines += ["CompressedData = True", *fields, "DimSize = 19 18 17", "ElementType = MET_SHORT"]
    header = "\n".join([*lines, f"ElementDataFile = {file}", ""]).encode()
    Path(name).write_bytes(header + (data if file == "LOCAL" else b""))
    image = itk.array_from_image(itk.imread(name))
    wrong, zeros = int((image != voxels).sum()), int((image == 0).sum())
    print(f"{name:12} {' '.join(fields):26} {wrong} of {voxels.size} voxels wrong, {zeros} of them 0")
    return wrong


Path("beside.zraw").write_bytes(data)
assert read("with.mha", f"CompressedDataSize = {len(data)}") == 0
assert read("beside.mhd", file="beside.zraw") == 0
assert read("without.mha") > 0.5 * voxels.size
PYTHON
# Output seen:
# itk 5.4.7
# with.mha     CompressedDataSize = 452   0 of 5814 voxels wrong, 0 of them 0
# beside.mhd                              0 of 5814 voxels wrong, 0 of them 0
# Uncompress failed
# without.mha                             4892 of 5814 voxels wrong, 4706 of them 0
