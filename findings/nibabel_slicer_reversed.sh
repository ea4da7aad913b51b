#!/usr/bin/env bash
# nibabel 5.4.2: image.slicer[:, ::-1] flips the voxels and leaves the flipped image in another place.
#
# Guess: each voxel keeps its position in space, as the slicer promises ("adjusts the intercept to account for any
# cropping"). Found: the origin stays that of the first voxel, so that the flipped axis is shifted by its whole length.
# With an explicit start, slicer[:, 2::-1], the affine is right. image.as_reoriented does what is meant.
# Ends with a status other than 0 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet install nibabel==5.4.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import nibabel as nib
import numpy as np

image = nib.Nifti1Image(np.arange(24.0).reshape(2, 3, 4), np.diag([2.0, 3.0, 4.0, 1.0]))


def place_of_5(flipped):
    """Where the voxel of the value 5 lies in space."""
    (voxel,) = np.argwhere(np.asarray(flipped.dataobj) == 5)
    return nib.affines.apply_affine(flipped.affine, voxel).tolist()


places = {
    "as it was": place_of_5(image),
    "slicer[:, ::-1]": place_of_5(image.slicer[:, ::-1]),
    "slicer[:, 2::-1]": place_of_5(image.slicer[:, 2::-1]),
    "as_reoriented": place_of_5(image.as_reoriented(np.array([[0, 1], [1, -1], [2, 1]]))),
}
print("nibabel", nib.__version__)
for name, place in places.items():
    print(f"{name:18}", place)
assert places["as it was"] == places["slicer[:, 2::-1]"] == places["as_reoriented"] == [0, 3, 4]
assert places["slicer[:, ::-1]"] == [0, -3, 4]
PYTHON
# Output seen:
# nibabel 5.4.2
# as it was          [0.0, 3.0, 4.0]
# slicer[:, ::-1]    [0.0, -3.0, 4.0]
# slicer[:, 2::-1]   [0.0, 3.0, 4.0]
# as_reoriented      [0.0, 3.0, 4.0]
