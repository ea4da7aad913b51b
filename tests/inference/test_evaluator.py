# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import json
import logging
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from monai.transforms import SaveImaged

from scripts.files.errors import one_line
from scripts.inference.report import SkippedVolumesError
from tests.helpers.dicom_files import PATIENT, stored
from tests.helpers.dicom_kinds import OBLIQUE, frames, mixed, one, with_report
from tests.helpers.user_errors import user_error
from tests.helpers.volume_files import affine, head, write_itk, write_nifti, write_series

KEEP = {"_target_": "torch.nn.Identity"}  # a network that finds nothing to restore
BLUR = {"_target_": "torch.nn.AvgPool2d", "kernel_size": 3, "stride": 1, "padding": 1}

SHAPES = [(17, 22, 19), (16, 16, 33), (41, 18, 16)]
ORIENTATIONS = ["RAS", "LPS", "PSR", "IPR", "SLA", "ARI"]


@pytest.fixture
def workflow(root, tmp_path, monkeypatch):
    """Make the inference workflow for the volumes in ``tmp_path / "in"``."""
    monkeypatch.chdir(root)
    torch.save({}, tmp_path / "weights.pt")

    def make(network=None, **options) -> ConfigWorkflow:
        made = ConfigWorkflow(
            "configs/inference.yaml",
            workflow_type="infer",
            logging_file=False,
            **{
                "dataset_dir": str(tmp_path / "in"),
                "output_dir": str(tmp_path / "out"),
                "weights": str(tmp_path / "weights.pt"),
                "device": "cpu",
                "spatial_dims": 2,
                "network_def": KEEP if network is None else network,
                **options,
            },
        )
        made.initialize()
        return made

    logging.disable(logging.WARNING)
    yield make
    logging.disable(logging.NOTSET)


def status(made: ConfigWorkflow):
    """Run, and give the line the command would end with; None where it succeeds."""
    try:
        made.run()
    except RuntimeError as error:
        return one_line(error)
    return None


def report(tmp_path) -> dict:
    return json.loads((tmp_path / "out/report.json").read_text())


def restored(tmp_path, name="a_restored.nii.gz") -> nib.Nifti1Image:
    return nib.load(tmp_path / "out" / name)


def assert_same(image: nib.Nifti1Image, volume: np.ndarray, matrix: np.ndarray | None = None) -> None:
    """Equal to 1e-6 of the largest intensity: float32 rounding."""
    assert image.get_data_dtype() == np.float32
    assert image.shape == volume.shape
    np.testing.assert_allclose(image.get_fdata(), volume, rtol=0, atol=1e-6 * np.abs(volume).max())
    if matrix is not None:
        np.testing.assert_allclose(image.affine, matrix, atol=1e-5)


def test_the_config_has_what_monai_asks_of_an_inference_bundle(workflow, tmp_path):
    write_nifti(tmp_path / "in/a.nii.gz")
    assert workflow().check_properties() == []


def test_an_undamaged_head_comes_back_as_it_was(workflow, tmp_path):
    cases = {}
    for index, codes in enumerate(ORIENTATIONS):
        for spacing in [(2.0, 2.0, 2.0), (0.7, 1.0, 1.3), (1.0, 5.0, 0.9)]:
            name = f"{codes}_{spacing[1]}"
            case = head(SHAPES[index % 3], seed=index), affine(codes, spacing, tilt=0.1 * index)
            cases[name] = case
            write_nifti(tmp_path / f"in/{name}.nii.gz", *case)
    assert status(workflow()) is None
    for name, (volume, matrix) in cases.items():
        assert_same(restored(tmp_path, f"{name}_restored.nii.gz"), volume, matrix)


@pytest.mark.parametrize("offset", [-1000.0, 0.0, 30000.0])
def test_the_intensity_scale_is_the_inputs(workflow, tmp_path, offset):
    volume = head() + np.float32(offset)
    write_nifti(tmp_path / "in/a.nii.gz", volume)
    assert status(workflow()) is None
    assert_same(restored(tmp_path), volume)


def test_the_correction_is_that_of_the_networks_slices(workflow, tmp_path):
    volume = head()
    write_nifti(tmp_path / "in/a.nii.gz", volume, affine("PSR"))
    assert status(workflow(BLUR)) is None
    upper = np.percentile(volume, 99.5)
    slices = torch.as_tensor(np.stack([np.rot90(volume[:, :, k]) for k in range(19)]) / upper)[:, None]
    padded = torch.nn.functional.pad(slices, (3, 4, 1, 1))  # 22 x 17 to 24 x 24: the network sees multiples of 8
    seen = torch.nn.functional.avg_pool2d(padded, 3, 1, 1)[:, 0, 1:-1, 3:-4].numpy() * upper
    expected = np.stack([np.rot90(seen[k], -1) for k in range(19)], axis=2)
    head_voxels = volume > 0  # the air stays
    np.testing.assert_allclose(restored(tmp_path).get_fdata()[head_voxels], expected[head_voxels], atol=1e-3)


def test_orientation_of_the_file_does_not_matter(workflow, tmp_path):
    original = nib.Nifti1Image(head(), affine("PSR"))
    for codes in ORIENTATIONS:
        turn = nib.orientations.ornt_transform(
            nib.io_orientation(original.affine), nib.orientations.axcodes2ornt(codes)
        )
        turned = original.as_reoriented(turn)
        write_nifti(tmp_path / f"in/{codes}.nii.gz", np.asarray(turned.dataobj), turned.affine)
    assert status(workflow(BLUR)) is None
    results = [nib.as_closest_canonical(restored(tmp_path, f"{codes}_restored.nii.gz")) for codes in ORIENTATIONS]
    for result in results[1:]:
        np.testing.assert_allclose(result.get_fdata(), results[0].get_fdata(), atol=1e-3)


@pytest.mark.parametrize("plane", ["coronal", "axial"])
def test_other_planes_come_back_too(workflow, tmp_path, plane):
    write_nifti(tmp_path / "in/a.nii.gz")
    assert status(workflow(plane=plane)) is None
    assert_same(restored(tmp_path), head(), affine())


def test_batch_size_and_workers_change_nothing(workflow, tmp_path):
    write_nifti(tmp_path / "in/a.nii.gz")
    write_nifti(tmp_path / "in/b.nii.gz", head((20, 17, 18), seed=1))
    (tmp_path / "in/c.nii.gz").write_bytes(b"no image")
    results = []
    for options in (
        {"batch_size": 1, "num_workers": 0},
        {"batch_size": 7, "num_workers": 3},
        {"batch_size": 64, "overlap_voxels": 1},
    ):
        assert status(workflow(BLUR, **options)).startswith("error: 1 of 3 volumes were skipped")
        results.append([restored(tmp_path, f"{name}_restored.nii.gz").get_fdata() for name in "ab"])
    for result in results[1:]:
        for left, right in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(left, right)


def test_coarse_pixels_are_resampled_and_reported(workflow, tmp_path):
    write_nifti(tmp_path / "in/coarse.nii.gz", head(), affine("PSR", (5.0, 2.0, 2.0)))
    write_nifti(tmp_path / "in/fine.nii.gz", head(), affine("PSR", (1.0, 1.0, 2.0)))
    assert status(workflow(BLUR, plane="sagittal")) is None
    coarse, fine = report(tmp_path)["restored"]
    assert (coarse["name"], coarse["shape"], coarse["spacing_mm"]) == ("coarse.nii.gz", [17, 22, 19], [5.0, 2.0, 2.0])
    assert coarse["resampled"] is True
    assert fine["resampled"] is False
    assert coarse["seconds"] >= 0


def test_every_format_is_restored(workflow, tmp_path):
    write_nifti(tmp_path / "in/a.nii")
    write_itk(tmp_path / "in/b.mha", head())
    write_itk(tmp_path / "in/x/c.nrrd", head())
    write_series(tmp_path / "in/x/scan", head())
    write_nifti(tmp_path / "in/e.nii.gz", head()[..., None])
    assert status(workflow()) is None
    for name in ("a_restored", "b_restored", "x/c_restored", "e_restored"):
        assert_same(restored(tmp_path, f"{name}.nii.gz"), head())
    assert_same(restored(tmp_path, "x/scan_restored.nii.gz"), head().astype(np.int16).astype(np.float32))


def test_a_bids_tree_becomes_a_derivative(workflow, tmp_path):
    write_nifti(tmp_path / "in/sub-01/anat/sub-01_T1w.nii.gz")
    (tmp_path / "in/dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    assert status(workflow()) is None
    assert_same(restored(tmp_path, "sub-01/anat/sub-01_desc-restored_T1w.nii.gz"), head())
    assert json.loads((tmp_path / "out/dataset_description.json").read_text())["DatasetType"] == "derivative"


def spoiled(value: float) -> np.ndarray:
    volume = head()
    volume[8, 10, 9] = value
    return volume


def write_bad_files(folder) -> dict[str, str]:
    """One file of each kind that must be refused, with a part of the reason."""
    write_nifti(folder / "4d.nii.gz", np.stack([head(), head()], axis=-1))
    write_nifti(folder / "constant.nii.gz", np.full((17, 18, 19), 3, dtype=np.int16))
    (folder / "empty.nii.gz").touch()
    write_nifti(folder / "flat.nii.gz", head()[:, :15])
    write_nifti(folder / "infinite.nii.gz", spoiled(np.inf))
    write_nifti(folder / "nan.nii.gz", spoiled(np.nan))
    write_nifti(folder / "rgb.nii.gz", np.zeros((17, 18, 19), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]))
    write_itk(
        folder / "rgb-itk.mha", np.random.default_rng(0).random((17, 18, 19, 3), dtype=np.float32), components=True
    )
    singular = write_nifti(folder / "singular.nii", head())
    content = bytearray(singular.read_bytes())
    content[280:328] = bytes(48)  # the three rows of the sform
    content[252:254] = bytes(2)  # and no qform
    singular.write_bytes(content)
    for name in ("cut.nii", "cut-gz.nii.gz", "cut-itk.mha"):
        path = folder / name
        write_itk(path, head()) if name.endswith("mha") else write_nifti(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for name in ("text-gz.nii.gz", "text.nii", "text-itk.mha", "text-n.nrrd", "text.dcm"):
        (folder / name).write_text("this is no image")
    write_series(folder / "gap", head(), skip=(7,))
    write_series(folder / "series", head(), series=2)
    cut = folder / "series/009.dcm"
    cut.write_bytes(cut.read_bytes()[:-300])
    return {
        "4d.nii.gz": "four-dimensional, 2 volumes",
        "constant.nii.gz": "constant, every voxel is 3",
        "empty.nii.gz": "empty",
        "flat.nii.gz": "at least 16 voxels",
        "infinite.nii.gz": "NaN or infinite",
        "nan.nii.gz": "NaN or infinite",
        "rgb.nii.gz": "colours (R, G, B)",
        "rgb-itk.mha": "the image has 4 axes",
        "singular.nii": "singular",
        "cut.nii": "truncated",
        "cut-gz.nii.gz": "truncated",
        "cut-itk.mha": "truncated",
        "text-gz.nii.gz": "not compressed as its name says",
        "text.nii": "not an image",
        "text-itk.mha": "not an image",
        "text-n.nrrd": "not an image",
        "gap": "not evenly spaced",
        "series": "009.dcm is truncated",
        "text.dcm": "not readable as DICOM",
    }


def test_bad_files_are_named_and_the_good_one_is_restored(workflow, tmp_path, capsys):
    write_nifti(tmp_path / "in/good.nii.gz")
    expected = write_bad_files(tmp_path / "in")
    message = status(workflow())
    assert (
        message == f"error: {len(expected)} of {len(expected) + 1} volumes were skipped, see {tmp_path}/out/report.json"
    )
    assert_same(restored(tmp_path, "good_restored.nii.gz"), head())
    reasons = {entry["name"]: entry["reason"] for entry in report(tmp_path)["skipped"]}
    assert set(reasons) == set(expected)
    lines = capsys.readouterr().err.splitlines()
    for name, part in expected.items():
        assert part in reasons[name]
        assert 0 < len(reasons[name]) < 250
        assert any(line.endswith(f"skipped {name}: {reasons[name]}") for line in lines)
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["good_restored.json", "good_restored.nii.gz", "report.json"]


def test_series_of_an_examination_are_restored_and_nothing_tells_whose_it_is(workflow, tmp_path, capfd, caplog):
    one(tmp_path / "in/exam/scan")
    frames(tmp_path / "in/exam/scan", 2, mixed(2), SeriesInstanceUID="1.2.3", SeriesNumber="2")
    with_report(tmp_path / "in/exam/t1")
    one(tmp_path / "in/gap", skip=[8])
    logging.disable(logging.NOTSET)
    assert status(workflow()) == f"error: 1 of 5 volumes were skipped, see {tmp_path}/out/report.json"
    results = {"scan_series-1": (0, OBLIQUE), "scan_series-2_e1": (0, OBLIQUE), "scan_series-2_e2": (1, OBLIQUE)}
    for name, (seed, matrix) in {**results, "t1": (0, OBLIQUE)}.items():
        image = restored(tmp_path, f"exam/{name}_restored.nii.gz")
        assert_same(image, stored(seed=seed), matrix)
    assert report(tmp_path)["dicom_without_images"] == 1
    told = capfd.readouterr()
    written = [gzip.decompress(path.read_bytes()) for path in (tmp_path / "out").rglob("*.nii.gz")]
    written += [(tmp_path / "out/report.json").read_bytes(), f"{told.out}{told.err}{caplog.text}".encode()]
    for value in (*PATIENT.values(), "1.2.826.0"):  # identifiers of a series may hold a date
        assert not any(value.encode() in content for content in written), value


def test_a_failure_in_computing_or_writing_concerns_one_volume(workflow, tmp_path):
    write_nifti(tmp_path / "in/a.nii.gz")
    write_nifti(tmp_path / "in/b.nii.gz", head((40, 17, 18)))
    (tmp_path / "out/a_restored.nii.gz").mkdir(parents=True)  # stands in the way of the result
    assert status(workflow()).startswith("error: 1 of 2")
    (skipped,) = report(tmp_path)["skipped"]
    assert skipped == {"name": "a.nii.gz", "reason": "Is a directory."}
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == []
    assert_same(restored(tmp_path, "b_restored.nii.gz"), head((40, 17, 18)))


def test_two_inputs_of_one_result_do_not_overwrite_each_other(workflow, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/A.mha").write_text("no image: does not take the name")
    write_nifti(tmp_path / "in/a.nii")
    write_nifti(tmp_path / "in/a.nii.gz", head(seed=1))
    assert status(workflow()).startswith("error: 2 of 3")
    reasons = {entry["name"]: entry["reason"] for entry in report(tmp_path)["skipped"]}
    assert reasons["a.nii.gz"] == "its result a_restored.nii.gz is that of a.nii already: rename one of the two."
    assert_same(restored(tmp_path), head())


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"dataset_dir": ""}, ValueError, "dataset_dir is not set"),
        ({"dataset_dir": "absent"}, FileNotFoundError, "dataset_dir 'absent' does not exist"),
        ({"patterns": ["*.hdr"]}, FileNotFoundError, r"dataset_dir .* has no volume: no file called \*\.hdr ends in"),
        ({"weights": "absent.pt"}, FileNotFoundError, r"no weights at absent.pt: train first, .* or .* --weights FILE"),
        ({"plane": "sagital"}, ValueError, "plane 'sagital' is unknown: choose one of sagittal, coronal, axial"),
        ({"plan": "axial"}, ValueError, r"unknown key 'plan': did you mean plane\?"),
        ({"anomaly": True}, ValueError, "anomaly maps are made by configs/anomaly.yaml"),
        ({"uncertainty": True}, ValueError, "uncertainty is told by the restorer of whole volumes alone"),
        ({"spatial_dims": 4}, ValueError, r"spatial_dims must be 3 \(whole volumes\) or 2 \(slice by slice\), got 4"),
        ({"output_dir": "LICENSE"}, NotADirectoryError, "output_dir 'LICENSE' is a file: give a folder"),
        ({"output_dir": "LICENSE/out"}, NotADirectoryError, "Not a directory: 'LICENSE/out"),
        ({"network_def": {"_target_": "torch.nn.PReLU"}}, ValueError, 'weights .* do not fit PReLU: .* "weight"'),
        ({"network_def": {"_target_": "torch.nn.PReLU", "widht": 3}}, ValueError, "unknown key 'network_def#widht'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_mistakes_are_one_clear_line(workflow, tmp_path, options, kind, message):
    write_nifti(tmp_path / "in/a.nii.gz")
    with user_error(kind, message):
        workflow(**options).run()


def test_weights_that_are_no_weights_are_refused(workflow, tmp_path):
    write_nifti(tmp_path / "in/a.nii.gz")
    (tmp_path / "weights.pt").write_text("text")
    with user_error(ValueError, r"weights\.pt is damaged"):
        workflow().run()


def test_skipped_volumes_are_an_exception_of_their_own(workflow, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.nii").write_text("no image")
    with user_error(SkippedVolumesError, "1 of 1 volumes were skipped"):
        workflow().run()


def test_what_monai_label_does_gives_the_same_voxels(workflow, tmp_path):
    write_nifti(tmp_path / "in/a.nii.gz", head(), affine("LAS", (1.0, 2.0, 5.0)))
    made = workflow(BLUR)
    assert status(made) is None
    data = {"image": str(tmp_path / "in/a.nii.gz")}  # no other key, and SaveImaged left out
    for transform in made.preprocessing.transforms:
        data = transform(data)
    with torch.no_grad():
        data["pred"] = made.inferer(data["image"][None], made.network_def)[0]
    for transform in made.postprocessing.transforms:
        if not isinstance(transform, SaveImaged):
            data = transform(data)
    np.testing.assert_array_equal(data["pred"][0].numpy(), restored(tmp_path).get_fdata().astype(np.float32))
    np.testing.assert_allclose(data["pred"].affine, affine("LAS", (1.0, 2.0, 5.0)))


def test_the_command_ends_with_a_status_and_no_traceback(root, tmp_path):
    write_nifti(tmp_path / "in/good.nii.gz")
    (tmp_path / "in/bad.nii.gz").write_text("no image")
    torch.save({}, tmp_path / "weights.pt")
    command = [sys.executable, "-m", "monai.bundle", "run", "inference", "--config_file", "configs/inference.yaml"]
    options = {"dataset_dir": tmp_path / "in", "output_dir": tmp_path / "out", "weights": tmp_path / "weights.pt"}
    options["network_def"] = json.dumps(KEEP)
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    ended = subprocess.run([*command, *arguments], cwd=root, capture_output=True, encoding="utf-8", check=False)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "skipped bad.nii.gz: " in ended.stderr
    assert ended.stderr.rstrip().endswith(f"error: 1 of 2 volumes were skipped, see {tmp_path}/out/report.json")
    assert_same(restored(tmp_path, "good_restored.nii.gz"), head())


MEASURE = """
import json, resource, sys
from monai.bundle import ConfigWorkflow
options = json.loads(sys.argv[1])
workflow = ConfigWorkflow("configs/inference.yaml", workflow_type="infer", logging_file=False, **options)
workflow.initialize()
workflow.run()
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.mark.slow
def test_large_volumes_need_less_than_one_gigabyte(root, tmp_path):
    from scripts.networks import ResidualUNet

    volume = head((256, 256, 256))
    for name in "ab":
        write_nifti(tmp_path / f"in/{name}.nii", volume, affine("PSR", (1.0, 1.0, 1.0)))
    torch.save(ResidualUNet(residual_output=True).state_dict(), tmp_path / "weights.pt")  # untrained: the identity
    options = {"dataset_dir": tmp_path / "in", "output_dir": tmp_path / "out", "weights": tmp_path / "weights.pt"}
    arguments = json.dumps({name: str(value) for name, value in options.items()} | {"device": "cpu"})
    command = [sys.executable, "-c", MEASURE, arguments]
    ended = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", check=True)
    peak_gb = float(ended.stdout.split("peak")[-1])
    assert peak_gb < 1.0  # GiB, libraries included; measured 0.90
    assert_same(restored(tmp_path), volume)
