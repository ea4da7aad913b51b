# SPDX-License-Identifier: Apache-2.0
"""ITK as a second reader of DICOM, in a process of its own.

A damaged file can make ITK ask for all the memory, hang or crash, and reading sets the locale of the whole process.
Here that concerns the child, which is started on the first question and again after it has died.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from threading import Lock, Timer
from typing import Any

from .child import limit_memory

__all__ = ["itk_answer", "serve"]

SECONDS = 120.0
MEMORY = 6 * 2**30
"""Of address space: ITK and its libraries take 2 GiB before they read anything."""

_lock = Lock()
_child: list[subprocess.Popen[str]] = []


def itk_answer(question: str, *arguments: Any, seconds: float = SECONDS) -> Any:
    """Ask the child.

    Args:
        question: "headers" (files, keys) or "convert" (folder with one series, NIfTI file to write).
        *arguments: of the question; they are sent as JSON.
        seconds: time after which the child is ended.

    Returns:
        "headers": a dictionary for each file, of key to value, empty where ITK cannot read it; "convert": nothing.

    Raises:
        ModuleNotFoundError: the package itk is missing.
        ValueError: ITK cannot answer; one line.
    """
    if not find_spec("itk"):
        raise ModuleNotFoundError("No module named 'itk'", name="itk")
    with _lock:
        child = _started()
        watch = Timer(seconds, child.kill)
        watch.start()
        try:
            answer = _exchange(child, json.dumps([question, *arguments]))
        except OSError:
            answer = ""
        finally:
            watch.cancel()
        if not answer:
            child.kill()
            child.wait()
            raise ValueError("ITK cannot read it: it crashes, takes too long or needs too much memory.")
    content = json.loads(answer)
    if "error" in content:
        raise ValueError(content["error"])
    return content["answer"]


def _exchange(child: subprocess.Popen[str], line: str) -> str:
    """Send a line, receive one; "" where the child has ended."""
    if child.stdin is None or child.stdout is None:
        return ""
    child.stdin.write(line + "\n")
    child.stdin.flush()
    return child.stdout.readline()


def _started() -> subprocess.Popen[str]:
    if not _child or _child[0].poll() is not None:
        package_folder = Path(__file__).parents[__name__.count(".")]
        _child[:] = [
            subprocess.Popen(
                [sys.executable, "-c", f"from {__name__} import serve; serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(package_folder), *sys.path])},
            )
        ]
        limit_memory(_child[0].pid, MEMORY)
    return _child[0]


def serve() -> None:
    """Answer the questions on standard input, a line each, until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        question, *arguments = json.loads(line)
        answer: Any = _headers if question == "headers" else _convert
        try:
            content = {"answer": answer(*arguments)}
        except Exception as error:  # whatever ITK makes of a damaged file
            content = {"error": f"ITK cannot read it ({type(error).__name__})."}
        answers.write(json.dumps(content) + "\n")
        answers.flush()


def _headers(files: list[str], keys: list[str]) -> list[dict[str, str]]:
    import itk

    itk.ProcessObject.SetGlobalWarningDisplay(False)
    found: list[dict[str, str]] = []
    for file in files:
        reader = itk.GDCMImageIO.New(FileName=file)
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            found.append({})
            continue
        dictionary = reader.GetMetaDataDictionary()
        found.append({key: str(dictionary[key]) for key in keys if dictionary.HasKey(key)})
    return found


def _convert(folder: str, target: str) -> None:
    import itk
    import nibabel as nib
    import numpy as np

    names = itk.GDCMSeriesFileNames.New(UseSeriesDetails=False, Directory=folder)
    image = itk.imread(names.GetFileNames(names.GetSeriesUIDs()[0]), imageio=itk.GDCMImageIO.New())
    affine = np.eye(4)
    affine[:3, :3] = itk.array_from_matrix(image.GetDirection()) @ np.diag(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    voxels = np.transpose(itk.array_view_from_image(image))
    nib.save(nib.Nifti1Image(voxels, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine), target)
