#!/usr/bin/env bash
# itk 5.4.7: of NRRD files, those compressed by bzip2 are refused, and of the integer types the signed ones of 8 and 64 bits.
#
# Guess: ITK's NrrdIO reads all that the format has, of which bzip2 is one encoding, and where uint64 is read int64 is, too.
# Found: the wheels are built without bzip2 (the error says so at its end); in Python there are images of uint8, uint16,
# uint32, uint64, int16 and int32, but none of int8 and int64: imread raises TemplateTypeError, unless it is told another
# type of pixels, to which it converts.
# Ends with a status other than 0 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet install itk-io==5.4.7 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import bz2
import gzip
from pathlib import Path

import itk
import numpy as np

voxels = (np.arange(17 * 18 * 19) % 100).reshape(17, 18, 19)
print("itk", itk.Version.GetITKVersion())


def outcome(dtype, encoding, pack, **how):
    fields = [f"type: {dtype}", "dimension: 3", "sizes: 19 18 17", f"encoding: {encoding}", "endian: little"]
    header = "\n".join(["NRRD0004", *fields, "", ""]).encode()
    Path("a.nrrd").write_bytes(header + pack(voxels.astype(dtype).tobytes()))
    try:
        right = (itk.array_from_image(itk.imread("a.nrrd", **how)) == voxels).all()
        found = "right" if right else "wrong"
    except Exception as error:
        found = type(error).__name__
    print(f"{dtype:7} {encoding:6} {'as double' if how else '':10} {found}")
    return found


for dtype in ("uint8", "uint16", "uint32", "uint64", "int16", "int32"):
    assert outcome(dtype, "raw", bytes) == "right"
for dtype in ("int8", "int64"):
    assert outcome(dtype, "raw", bytes) == "TemplateTypeError"
    assert outcome(dtype, "raw", bytes, pixel_type=itk.D) == "right"
assert outcome("int16", "gzip", gzip.compress) == "right"
assert outcome("int16", "bzip2", bz2.compress) == "RuntimeError"
PYTHON
# Output seen:
# itk 5.4.7
# uint8   raw               right
# uint16  raw               right
# uint32  raw               right
# uint64  raw               right
# int16   raw               right
# int32   raw               right
# int8    raw               TemplateTypeError
# int8    raw    as double  right
# int64   raw               TemplateTypeError
# int64   raw    as double  right
# int16   gzip              right
# int16   bzip2             RuntimeError
