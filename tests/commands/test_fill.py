# SPDX-License-Identifier: Apache-2.0
"""``fill`` of small volumes: what changes, what does not, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scripts.__main__ import main
from tests.helpers.dicom_kinds import one as write_one_series
from tests.helpers.volume_files import affine, head, write_itk, write_nifti

SHAPE = (24, 22, 20)
TYPES = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lesion(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Three parts, one at a face of the volume."""
    mask = np.zeros(shape, dtype=np.uint8)
    mask[8:13, 9:12, 8:12] = mask[17:19, 12, 10] = 1
    mask[0:2, 5:7, 5:7] = 3
    return mask


def fill(*options: str) -> int:
    return main(["fill", "in", "out", "--mask", "masks", "--device", "cpu", *options])


def stored(path: str | Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj.get_unscaled())


@pytest.mark.parametrize("dtype", TYPES)
def test_all_other_stored_values_stay_bit_for_bit(place: Path, dtype: str) -> None:
    top = 200 if np.dtype(dtype).itemsize > 1 or dtype == "u1" else 100
    values = (head(SHAPE) / 900 * top + (0.37 if dtype[0] == "f" else 0)).astype(dtype)
    if dtype in ("i8", "u8", "i4", "f8"):
        values[3, 3, 3] = 2**31 - 3 if dtype != "f8" else 1 / 3  # float32 would round it
        values[8:13, 9:12, 8:12] = 0
    image = nib.Nifti1Image(values, affine("LAS", (1.0, 0.9, 3.0), tilt=0.2), dtype=values.dtype)
    image.header.set_slope_inter(0.013, -7.5)
    image.header["descrip"] = b"scanner 3"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kept"))
    image.set_qform(affine("LAS", (1.0, 0.9, 3.0), tilt=0.2), code=1)
    for name, content in (("in/a.nii.gz", image), ("masks/a.nii.gz", nib.Nifti1Image(lesion(), image.affine))):
        (place / name).parent.mkdir()
        nib.save(content, place / name)
    raw = stored("in/a.nii.gz")
    assert fill() == 0
    before, after = nib.load("in/a.nii.gz"), nib.load("out/a_filled.nii.gz")
    assert after.get_data_dtype() == before.get_data_dtype() == np.dtype(dtype)
    assert (after.dataobj.slope, after.dataobj.inter) == (before.dataobj.slope, before.dataobj.inter)
    unmasked = lesion() == 0
    assert stored("out/a_filled.nii.gz")[unmasked].tobytes() == raw[unmasked].tobytes()
    assert np.any(stored("out/a_filled.nii.gz")[8:13, 9:12, 8:12] != raw[8:13, 9:12, 8:12])
    for name in ("sform_code", "qform_code", "descrip", "xyzt_units", "pixdim"):
        np.testing.assert_array_equal(after.header[name], before.header[name])
    np.testing.assert_array_equal(after.affine, before.affine)
    np.testing.assert_array_equal(after.get_qform(), before.get_qform())
    assert [one.get_content() for one in after.header.extensions] == [b"kept"]
    filled = nib.load("out/a_filled_mask.nii.gz")
    assert filled.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(filled.dataobj), lesion() != 0)
    np.testing.assert_array_equal(filled.affine, before.affine)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (1.0, 1.0, 1.0), (1.0, 1.0, 5.0), (3.0, 0.8, 1.2)])
@pytest.mark.parametrize("codes", ["RAS", "PIL"])
def test_holes_of_a_smooth_head_are_closed_whatever_the_grid(place: Path, spacing, codes: str) -> None:
    shape = (40, 44, 36)
    axes = np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij")
    clean = (1000 * np.exp(-2 * sum(axis**2 for axis in axes))).astype(np.float32)
    mask = np.zeros(shape, dtype=np.uint8)
    mask[15:22, 18:23, 14:20] = 1
    write_nifti(place / "in/a.nii.gz", np.where(mask, np.nan, clean), affine(codes, spacing))
    write_nifti(place / "masks/a.nii.gz", mask, affine(codes, spacing))
    assert fill("--filling#inferer#refinement", "null") == 0
    result = nib.load("out/a_filled.nii.gz").get_fdata()
    assert np.isfinite(result).all()
    error = np.abs(result - clean)[mask > 0]
    assert error.mean() < 20  # of about 950
    assert error.max() < 60


def test_every_format_keeps_its_type(place: Path) -> None:
    volume = (head(SHAPE) * 3).astype(np.int16)
    write_itk(place / "in/a.mha", volume)
    write_itk(place / "in/b.nrrd", volume.astype(np.uint8))
    nib.save(nib.MGHImage(volume, affine().astype(np.float32)), place / "in/c.mgz")
    write_itk(place / "masks/a.nii.gz", lesion())
    write_itk(place / "masks/b.nii.gz", lesion())
    write_nifti(place / "masks/c.nii.gz", lesion())
    write_one_series(place / "in/scan")
    assert fill() == 1  # the series has no mask
    for name, expected in (("a", volume), ("b", volume.astype(np.uint8)), ("c", volume)):
        result = stored(f"out/{name}_filled.nii.gz")
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result[lesion() == 0], expected[lesion() == 0])


def test_filled_values_are_cut_off_at_the_limits_of_the_type_and_counted(place: Path, caplog) -> None:
    ramp = np.clip(np.arange(-20.0, 300, 8), 0, 255)[:, None, None] * np.ones((1, 24, 24))
    mask = np.zeros(ramp.shape, dtype=np.uint8)
    mask[30:40, 8:16, 8:16] = 1
    write_nifti(place / "in/a.nii", ramp.astype(np.uint8))
    write_nifti(place / "masks/a.nii", mask)
    assert fill("--filling#inferer#refinement", "null") == 0
    (entry,) = json.loads(Path("out/report.json").read_text())["filled"]
    count = int(entry["warnings"][0].split()[0])
    assert 0 < count < mask.sum()
    assert "voxels were cut off at the limits of uint8, 0 and 255" in entry["warnings"][0]
    assert (stored("out/a_filled.nii.gz")[mask > 0] == 255).sum() >= count
    assert "warning: a.nii: " + entry["warnings"][0] in caplog.text


def test_an_empty_mask_copies_the_image_and_says_so(place: Path) -> None:
    write_nifti(place / "in/a.nii")
    write_nifti(place / "masks/a.nii", np.zeros((17, 22, 19), dtype=np.uint8))
    assert fill() == 0
    (entry,) = json.loads(Path("out/report.json").read_text())["filled"]
    assert entry["warnings"] == ["its mask is empty: nothing was filled."]
    assert stored("out/a_filled.nii.gz").tobytes() == stored("in/a.nii").tobytes()


def test_a_mask_on_another_grid_is_placed_by_its_affine(place: Path) -> None:
    fine = np.repeat(np.repeat(np.repeat(lesion() != 0, 2, 0), 2, 1), 2, 2).astype(np.uint8)
    matrix = affine("RAS")
    half = matrix @ np.diag([0.5, 0.5, 0.5, 1])
    half[:3, 3] -= 0.25 * matrix[:3, :3].sum(axis=1)  # the centres of the first voxel's eight parts
    write_nifti(place / "in/a.nii", head(SHAPE), matrix)
    write_nifti(
        place / "masks/a.nii", np.flip(fine, 0), half @ nib.affines.from_matvec(np.diag([-1, 1, 1]), [47, 0, 0])
    )
    assert fill() == 0
    np.testing.assert_array_equal(np.asarray(nib.load("out/a_filled_mask.nii.gz").dataobj), lesion() != 0)
    (entry,) = json.loads(Path("out/report.json").read_text())["filled"]
    assert "its mask is on another grid" in entry["warnings"][0]


def test_masks_that_cannot_be_used_are_named_and_the_others_done(place: Path, capsys) -> None:
    masks = {
        "apart": (lesion(), affine() + np.array([[0, 0, 0, 500.0]] + 3 * [[0, 0, 0, 0]])),
        "brain": (np.ones(SHAPE, dtype=np.uint8), None),
        "head": ((head(SHAPE) > 0).astype(np.uint8), None),
        "nan": (np.where(lesion(), np.nan, 0).astype(np.float32), None),
        "series": (np.stack([lesion()] * 2, axis=-1), None),
        "good": (lesion(), None),
    }
    for name, (mask, matrix) in masks.items():
        write_nifti(place / f"in/{name}.nii", head(SHAPE))
        write_nifti(place / f"masks/{name}.nii", mask, matrix)
    (place / "masks/text.nii").write_text("no mask")
    unplaced = nib.Nifti1Image(lesion()[:-2], None)
    nib.save(unplaced, place / "masks/unplaced.nii")
    for name in ("text", "unplaced", "missing"):
        write_nifti(place / f"in/{name}.nii", head(SHAPE))
    assert fill() == 1
    content = json.loads(Path("out/report.json").read_text())
    assert [entry["name"] for entry in content["filled"]] == ["good.nii"]
    reasons = {entry["name"].removesuffix(".nii"): entry["reason"] for entry in content["skipped"]}
    expected = {
        "apart": "its mask apart.nii: none of its",
        "brain": "its mask covers 100 % of the image",
        "head": "of the head: at most 50 % can be filled",
        "missing": "it has no mask in masks",
        "nan": "its mask nan.nii: it has NaN or infinite voxels",
        "series": "its mask series.nii: it is of shape",
        "text": "its mask text.nii: the file is not an image",
        "unplaced": "header does not say where its voxels lie",
    }
    assert reasons.keys() == expected.keys()
    for name, part in expected.items():
        assert part in reasons[name], reasons[name]
        assert "\n" not in reasons[name]
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "good_filled.json", "good_filled.nii.gz", "good_filled_mask.json", "good_filled_mask.nii.gz", "report.json",
    ]  # fmt: skip
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_results_are_kept_until_image_or_mask_change(place: Path, capsys) -> None:
    write_nifti(place / "in/sub-1_T1w.nii")
    write_nifti(place / "masks/sub-1_label-lesion_mask.nii", lesion((17, 22, 19)))
    assert fill("--dry_run") == 0
    assert "would fill sub-1_T1w.nii as sub-1_desc-filled_T1w.nii.gz" in capsys.readouterr().err
    assert not Path("out").exists()
    assert fill() == 0
    result, mask = Path("out/sub-1_desc-filled_T1w.nii.gz"), Path("out/sub-1_desc-filled_mask.nii.gz")
    sidecar = json.loads(Path("out/sub-1_desc-filled_T1w.json").read_text())
    assert "filled" in sidecar["Description"]
    assert sidecar["Restoration"]["filled_voxels"] == np.count_nonzero(lesion((17, 22, 19)))
    first = result.stat().st_mtime_ns
    assert fill("--skip_existing") == 0
    assert "filled 1 volumes (1 of them before)" in capsys.readouterr().err
    assert result.stat().st_mtime_ns == first
    mask.unlink()
    assert fill("--skip_existing") == 0
    assert mask.exists()
    second = result.stat().st_mtime_ns
    write_nifti(place / "masks/sub-1_label-lesion_mask.nii", np.flip(lesion((17, 22, 19)), 1))
    assert fill("--skip_existing") == 0
    assert result.stat().st_mtime_ns > second


@pytest.mark.parametrize(
    ("typed", "status", "message"),
    [
        ("fill in out", 2, "--mask"),
        ("fill in out --mask absent", 1, "mask 'absent' does not exist"),
        ("restore in out --mode fill", 1, "mask is not set"),
        ("restore in out --mask in", 1, "add --mode fill"),
        ("restore in out --mode fil", 1, "mode 'fil' is unknown: choose restore or fill"),
    ],
)
def test_wrong_options_end_with_one_line(place: Path, capsys, typed: str, status: int, message: str) -> None:
    write_nifti(place / "in/a.nii")
    assert main([*typed.split(), "--device", "cpu"] if status == 1 else typed.split()) == status
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last


def test_restore_with_the_mode_does_the_same(place: Path) -> None:
    write_nifti(place / "in/a.nii")
    write_nifti(place / "mask.nii", lesion((17, 22, 19)))
    assert main(["restore", "in", "a", "--mode", "fill", "--mask", "mask.nii", "--device", "cpu"]) == 0
    assert main(["fill", "in", "b", "--mask", "mask.nii", "--device", "cpu"]) == 0
    assert Path("a/a_filled.nii.gz").read_bytes() == Path("b/a_filled.nii.gz").read_bytes()
