# SPDX-License-Identifier: Apache-2.0
"""Restoring in Python gives what the command writes."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow

from scripts.inference import restorer
from scripts.inference.restorer import Restorer, restore
from tests.helpers.volume_files import affine, head, write_itk, write_nifti, write_series

ON_CPU = {"device": "cpu", "amp": False}
BLUR = {"_target_": "torch.nn.AvgPool2d", "kernel_size": 3, "stride": 1, "padding": 1}


@pytest.fixture(scope="module")
def restored_by_command(tmp_path_factory: pytest.TempPathFactory, root: Path):
    """Restore the files of a folder as the command does; gives the images by name."""

    def run(folder: Path, **options: object) -> dict[str, nib.Nifti1Image]:
        output_dir = tmp_path_factory.mktemp("restored")
        given = {"bundle_root": str(root), "dataset_dir": str(folder), "output_dir": str(output_dir), **ON_CPU}
        workflow = ConfigWorkflow(
            str(root / "configs/inference.yaml"), workflow_type="infer", logging_file=False, **{**given, **options}
        )
        workflow.initialize()
        workflow.run()
        return {path.name.split("_restored")[0]: nib.load(path) for path in sorted(output_dir.glob("*.nii.gz"))}

    logging.disable(logging.WARNING)
    yield run
    logging.disable(logging.NOTSET)


def assert_same(image: nib.Nifti1Image, written: nib.Nifti1Image) -> None:
    """The same in every bit, but for the affine, which a file holds in float32."""
    assert image.get_data_dtype() == np.float32
    np.testing.assert_array_equal(np.asarray(image.dataobj), np.asarray(written.dataobj))
    np.testing.assert_allclose(image.affine, written.affine, atol=1e-5)
    assert [image.header[name] for name in ("sform_code", "qform_code")] == [
        written.header[name] for name in ("sform_code", "qform_code")
    ]


@pytest.mark.parametrize(
    "options",
    [{}, {"plane": "axial", "batch_size": 5}, {"amp": True}, {"network_def": BLUR, "spatial_dims": 2}],
    ids=lambda options: "-".join(options) or "defaults",
)
def test_the_voxels_are_those_that_the_command_writes(tmp_path, restored_by_command, options):
    options = {"gate": False, **options}
    if "network_def" in options:
        torch.save({}, tmp_path / "weights.pt")
        options = {**options, "weights": str(tmp_path / "weights.pt")}
    write_nifti(tmp_path / "in/a.nii.gz", head((33, 41, 24)), affine("PSR", tilt=0.1))
    write_nifti(tmp_path / "in/coarse.nii.gz", head(), affine("LAS", (5.0, 3.0, 1.0)))
    write_nifti(tmp_path / "in/fine.nii", head((40, 36, 20)).astype(np.int16), affine("RAS", (1.0, 0.9, 1.1)))
    written = restored_by_command(tmp_path / "in", **options)
    restored = Restorer(**{**ON_CPU, **options})
    assert sorted(written) == ["a", "coarse", "fine"]
    for name, image in written.items():
        (path,) = (tmp_path / "in").glob(f"{name}.*")
        assert_same(restored(path), image)
        original = np.asarray(nib.load(path).dataobj)
        assert np.abs(np.asarray(image.dataobj) - original).max() > 1  # it does something


@pytest.mark.gpu
def test_on_a_gpu_the_voxels_are_those_that_the_command_writes(tmp_path, restored_by_command):
    path = write_nifti(tmp_path / "in/a.nii.gz", head((33, 41, 24)))
    for options in ({"device": "cuda"}, {"device": "cuda", "amp": True}):
        (written,) = restored_by_command(tmp_path / "in", **options).values()
        values = np.asarray(written.dataobj)
        image = restore(path, **{**ON_CPU, **options})
        # an H200 chose other kernels in the other process: .4 % of the brightest voxel
        np.testing.assert_allclose(np.asarray(image.dataobj), values, atol=0.01 * np.abs(values).max())


def test_every_format_gives_the_voxels_of_the_command(tmp_path, restored_by_command):
    write_itk(tmp_path / "in/a.mha", head())
    write_itk(tmp_path / "in/b.nrrd", head())
    write_series(tmp_path / "in/scan", head())
    written = restored_by_command(tmp_path / "in")
    assert_same(restore(str(tmp_path / "in/a.mha"), **ON_CPU), written["a"])
    assert_same(restore(tmp_path / "in/b.nrrd", **ON_CPU), written["b"])
    assert_same(restore(tmp_path / "in/scan", **ON_CPU), written["scan"])


def test_file_image_and_array_are_one(tmp_path):
    volume, matrix = head(), affine("PSR", tilt=0.2)
    before = volume.copy()
    from_file = restore(write_nifti(tmp_path / "a.nii.gz", volume, matrix), **ON_CPU)
    given = {
        "image": restore(nib.load(tmp_path / "a.nii.gz"), **ON_CPU),
        "image in memory": restore(nib.Nifti1Image(volume, matrix), **ON_CPU),
        "array": restore(volume, matrix, **ON_CPU),
        "tensor": restore(torch.from_numpy(volume), matrix, **ON_CPU),
        "other format": restore(nib.MGHImage(volume, matrix.astype(np.float32)), **ON_CPU),
    }
    for name, restored in given.items():
        np.testing.assert_array_equal(restored.get_fdata(), from_file.get_fdata(), err_msg=name)
        np.testing.assert_allclose(restored.affine, matrix, atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(volume, before)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SLA"])
def test_the_grid_is_the_inputs_whatever_the_order_of_its_axes(codes):
    original = nib.Nifti1Image(head(), affine("PSR"))
    turned = original.as_reoriented(
        nib.orientations.ornt_transform(nib.io_orientation(original.affine), nib.orientations.axcodes2ornt(codes))
    )
    restored = restore(turned, **ON_CPU)
    assert (restored.shape, nib.aff2axcodes(restored.affine)) == (turned.shape, tuple(codes))
    np.testing.assert_array_equal(restored.affine, turned.affine)
    canonical, expected = (nib.as_closest_canonical(image) for image in (restored, restore(original, **ON_CPU)))
    np.testing.assert_allclose(canonical.get_fdata(), expected.get_fdata(), atol=1e-3)


def spoiled() -> np.ndarray:
    volume = head()
    volume[8, 10, 9] = np.nan
    return volume


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (np.stack([head()] * 2, axis=-1), "four-dimensional, 2 volumes or colours"),
        (head()[0], "has 2 axes"),
        (np.full((17, 18, 19), 3.0), "constant, every voxel is 3"),
        (spoiled(), "1 voxels inside the head are NaN or infinite"),
        (head()[:, :15], "at least 16 voxels along each axis"),
        (head().astype(complex), "type complex128: real numbers are needed"),
    ],
)
def test_what_cannot_be_restored_is_a_value_error(volume, message):
    with pytest.raises(ValueError, match=message):
        restore(volume, affine(), **ON_CPU)


def test_a_bad_file_is_named(tmp_path):
    (tmp_path / "a.nii").write_text("no image")
    with pytest.raises(ValueError, match=r"a\.nii: the file is not an image"):
        restore(tmp_path / "a.nii", **ON_CPU)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"plan": "axial"}, ValueError, "unknown key 'plan': did you mean plane?"),
        ({"plane": "sagital"}, ValueError, "plane 'sagital' is unknown: choose one of sagittal, coronal, axial"),
        ({"output_dir": "x"}, ValueError, "output_dir: of no use for a single image"),
        ({"num_workers": 2, "patterns": ("*.nii",)}, ValueError, "num_workers, patterns: of no use"),
        ({"weights": "absent.pt"}, FileNotFoundError, "there are no weights at absent.pt"),
        ({"network_def": {"_target_": "torch.nn.PReLU"}}, ValueError, "do not fit PReLU"),
        ({"spatial_dims": 4}, ValueError, "spatial_dims must be 3 (whole volumes) or 2 (slice by slice), got 4"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_option_is_refused(options, error, message):
    with pytest.raises(error) as raised:
        restore(head(), affine(), **{**ON_CPU, **options})
    assert message in str(raised.value)


def test_the_network_is_kept_until_its_weights_change(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(restorer, "Restorer", lambda **options: made.append(options) or Restorer(**options))
    weights = shutil.copy(restorer.ROOT / "bundle/brain_mri_restorer/model.pt", tmp_path)
    options = {"weights": weights, "gate": False, **ON_CPU}
    first = restore(head(), affine(), **options).get_fdata()
    assert np.array_equal(restore(head(), affine(), **options).get_fdata(), first)
    assert len(made) == 1
    changed = {name: values * 0 for name, values in torch.load(weights, weights_only=True).items()}
    torch.save(changed, weights)
    assert not np.array_equal(restore(head(), affine(), **options).get_fdata(), first)
    assert len(made) == 2
