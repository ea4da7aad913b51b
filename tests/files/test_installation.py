# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from monai.bundle import ConfigParser
from monai.utils import OptionalImportError, optional_import

from scripts.files import installation
from scripts.files.errors import failure_reason, one_line
from scripts.files.installation import cache_folder, missing_package


def test_a_missing_package_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module("skimage")
    reason = "the package scikit-image is missing: pip install scikit-image, or 'brain-mri-autoencoders[train]'."
    assert missing_package(caught.value) == failure_reason(caught.value) == reason
    assert one_line(caught.value) == f"error: {reason}"


def test_so_is_one_that_monai_imports_when_it_is_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "itk", None)
    itk, _ = optional_import("itk")
    with pytest.raises(OptionalImportError) as caught:
        itk.imread("x")
    assert "'brain-mri-autoencoders[dicom]'" in missing_package(caught.value)


def test_a_config_whose_component_lacks_a_package_ends_with_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    panel = {"_target_": "scripts.handlers.ImagePanel", "log_dir": "x", "evaluator": None, "history": None}
    parser = ConfigParser({"handler": panel})
    with pytest.raises(Exception) as caught:  # noqa: PT011
        parser.get_parsed_content("handler")
    assert one_line(caught.value).startswith("error: the package tensorboard is missing: pip install tensorboard")


@pytest.mark.parametrize("error", [ModuleNotFoundError("x", name="scripts.nowhere"), ImportError("no"), ValueError()])
def test_other_errors_are_not_explained(error):
    assert missing_package(error) is None


def test_an_installed_package_keeps_what_it_made_in_the_users_cache(tmp_path, monkeypatch):
    assert cache_folder() == Path("eval")
    monkeypatch.setattr(installation, "__name__", "brain_mri_autoencoders.files.installation")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / ".cache/brain_mri_autoencoders"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    assert cache_folder() == tmp_path / "kept/brain_mri_autoencoders"
