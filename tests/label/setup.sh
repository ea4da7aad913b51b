#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A MONAI Label server in an environment of its own, once: it needs numpy 1.26 where this project needs numpy 2.
# About 4 GB and some minutes. usage: setup.sh FOLDER (default .venv-label); PYTHON chooses the interpreter.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-.venv-label}
[ -f "$venv/.installed" ] && exit 0
echo "Setting up $venv: MONAI Label 0.8.5 with MONAI 1.6.1 and PyTorch 2.13.0 (about 4 GB, once)."
"${PYTHON:-python3}" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check install --quiet "$@"; }
# setuptools, packaging, ninja: SAM 2, which MONAI Label requires, is built from source against this very torch.
pip torch==2.13.0 setuptools wheel packaging ninja
printf 'torch==2.13.0\ntorchvision==0.28.0\nmonai==1.6.1\n' > "$venv/constraints.txt"
# pydicom 3 removed a module that MONAI Label 0.8.5 imports.
SAM2_BUILD_CUDA=0 pip --no-build-isolation --constraint "$venv/constraints.txt" monailabel==0.8.5 "pydicom<3"
if ! "$venv/bin/python" -W ignore -c "import torchvision" 2> /dev/null; then
    # A torchvision built for CUDA cannot load its operators beside a CPU torch: declare the ones its import needs.
    site=$("$venv/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
    cp "$here/declare_torchvision_ops.py" "$site/"
    echo "import declare_torchvision_ops" > "$site/declare_torchvision_ops.pth"
fi
"$venv/bin/python" -W ignore -c "import monailabel.app"
touch "$venv/.installed"
