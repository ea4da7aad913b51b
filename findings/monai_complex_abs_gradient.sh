#!/usr/bin/env bash
# MONAI 1.6.1: the magnitude of a complex image has no gradient where the image is 0, and one such voxel ends a training.
#
# Guess: complex_abs_t, and root_sum_of_squares_t on top of it, behave as torch.abs of a complex tensor, whose gradient
# at 0 is 0. MR images have exact zeros: skull-stripped heads, padding, scanners that mask the air.
# Found: they are roots of sums of squares, whose gradient at 0 is 0 / 0. Through a convolution, one black voxel among
# 64 makes every weight NaN in the first step; MONAI's own variational network ends in both functions.
# Ends with a status other than 0 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet install monai==1.6.1 torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import monai
import torch
from monai.apps.reconstruction.complex_utils import complex_abs_t
from monai.apps.reconstruction.mri_utils import root_sum_of_squares_t

print("MONAI", monai.__version__, "torch", torch.__version__)


def torch_abs(image):
    return torch.view_as_complex(image).abs()


def coils(image):
    return root_sum_of_squares_t(complex_abs_t(image), spatial_dim=1)


def nan_weights(magnitude):
    """Share of the weights that are NaN after one step on an image with one black voxel."""
    torch.manual_seed(0)
    network = torch.nn.Conv2d(2, 2, 1, bias=False)
    image = torch.rand(1, 2, 8, 8)
    image[..., 3, 4] = 0
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    magnitude(network(image).movedim(1, -1)[:, None].contiguous()).mean().backward()
    optimizer.step()
    return float(network.weight.isnan().float().mean())


found = {function.__name__: nan_weights(function) for function in (torch_abs, complex_abs_t, coils)}
print("share of NaN weights after a step:", found)
assert found == {"torch_abs": 0.0, "complex_abs_t": 1.0, "coils": 1.0}
PYTHON
# Output seen:
# MONAI 1.6.1 torch 2.13.0+cpu
# share of NaN weights after a step: {'torch_abs': 0.0, 'complex_abs_t': 1.0, 'coils': 1.0}
