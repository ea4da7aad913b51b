# SPDX-License-Identifier: Apache-2.0
"""The built bundle passes the zoo's checks, needs nothing of the repository, and restores as the checkout does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from monai.bundle import ConfigParser, onnx_export

from bundle import build as builder
from bundle import verify as verifier
from scripts.recipes.weights import load_weights

NAME = "brain_mri_autoencoder"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (folder,) = builder.build(NAME, output_dir=str(tmp_path_factory.mktemp("dist")))
    return Path(folder)


@pytest.fixture
def checkout(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what the builder reads, to be broken."""
    copy = tmp_path / "checkout"
    for folder in ("bundle", "configs", "docs"):
        shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(root / "LICENSE", copy / "LICENSE")
    monkeypatch.setattr(builder, "ROOT", copy)
    return copy


def python(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python where neither the repository nor its tests are on the path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def verified(bundle: str | Path, root: Path, cwd: Path) -> None:
    before = contents(Path(bundle))
    done = python(root / "bundle/verify.py", bundle, cwd=cwd)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"{Path(bundle).name}: files, metadata" in done.stdout
    assert contents(Path(bundle)) == before  # verified on a copy


def test_copied_folder_passes_the_checks_of_the_model_zoo(checkout: Path, root: Path, tmp_path: Path) -> None:
    """Another name and other weights make a bundle of one's own."""
    own = Path(shutil.copytree(checkout / "bundle" / NAME, checkout / "bundle/my_model"))
    weights = torch.load(own / "model.pt", weights_only=True)
    weights |= {key: 0.5 * value for key, value in weights.items() if key.endswith(("kernel", "weight"))}
    torch.save(weights, own / "model.pt")
    (folder,) = builder.build("my_model", output_dir=str(tmp_path / "dist"))
    assert json.loads((Path(folder) / "configs/train.json").read_text())["recipe"] == "my_model"
    assert (Path(folder) / "models/model.pt").read_bytes() == (own / "model.pt").read_bytes()
    verified(folder, root, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ar_vae", "brain_mri_anomalies", "brain_mri_restorer", "vae", NAME])
def test_published_bundles_pass_the_checks_of_the_model_zoo(root: Path, tmp_path: Path, name: str) -> None:
    (folder,) = builder.build(name, output_dir=str(tmp_path / "dist"))
    verified(folder, root, tmp_path)


def test_built_bundle_restores_as_the_checkout_does(root: Path, tmp_path: Path) -> None:
    (built,) = builder.build("brain_mri_restorer", output_dir=str(tmp_path / "dist"))
    rng = np.random.default_rng(0)
    ball = np.linalg.norm(np.indices((21, 38, 43)).T - np.array([10, 18, 21]), axis=-1).T < 17
    image = (ball * rng.uniform(100.0, 900.0, ball.shape)).astype(np.float32)
    affine = np.array([[-2.0, 0, 0, 20], [0, 2.0, 0, -30], [0, 0, 2.0, -40], [0, 0, 0, 1]])  # stored right to left
    (tmp_path / "in").mkdir()
    nib.save(nib.Nifti1Image(image, affine), tmp_path / "in/head.nii.gz")

    restored = {}
    for name, cwd, config in (("checkout", root, "inference.yaml"), ("bundle", Path(built), "inference.json")):
        places = [
            "--dataset_dir",
            tmp_path / "in",
            "--output_dir",
            tmp_path / name,
            "--device",
            "cpu",
            "--gate",
            "false",
        ]
        done = python("-m", "monai.bundle", "run", "inference", "--config_file", f"configs/{config}", *places, cwd=cwd)
        assert done.returncode == 0, done.stderr[-3000:]
        restored[name] = nib.load(tmp_path / name / "head_restored.nii.gz")
    np.testing.assert_array_equal(restored["bundle"].dataobj, restored["checkout"].dataobj)
    np.testing.assert_allclose(restored["bundle"].affine, affine)
    assert np.abs(restored["bundle"].get_fdata() - image).max() > 1.0  # a network has run


def test_preprocessing_takes_the_items_of_monai_label(built: Path, tmp_path: Path) -> None:
    """The server adds ``image_path``, which MONAI's ``Spacingd`` would take for metadata of ``image``."""
    path = str(tmp_path / "head.nii.gz")
    image = np.random.default_rng(0).uniform(1.0, 100.0, (20, 18, 17)).astype(np.float32)
    nib.save(nib.Nifti1Image(image, np.diag([2.0, 2.0, 2.0, 1.0])), path)
    config = ConfigParser(ConfigParser.load_config_file(built / "configs/inference.json"))
    item = config.get_parsed_content("preprocessing")({"image": path, "image_path": path, "device": "cpu"})
    assert item["image"].shape == (1, 24, 24, 20)  # padded to multiples of 8, but for the slices
    assert item["image_path"] == path


def test_building_twice_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    first = contents(built)
    (second,) = builder.build(NAME, output_dir=str(tmp_path))
    assert contents(Path(second)) == first
    assert not [name for name in first if "__pycache__" in name]
    (third,) = builder.build(NAME, output_dir=str(tmp_path))  # over the former one
    assert contents(Path(third)) == first
    assert [path.name for path in tmp_path.iterdir()] == [NAME]  # no temporary folder is left


def test_metadata_describe_this_model(built: Path) -> None:
    metadata = json.loads((built / "configs/metadata.json").read_text())
    changelog = (builder.ROOT / "CHANGELOG.md").read_text()
    assert metadata["version"] in metadata["changelog"]
    assert metadata["version"] in changelog
    for tensor in (
        metadata["network_data_format"][kind][key] for kind, key in (("inputs", "image"), ("outputs", "pred"))
    ):
        assert (tensor["format"], tensor["modality"], tensor["num_channels"]) == ("magnitude", "MR", 1)
        assert tensor["spatial_shape"] == ["8*n", "8*n"]
    card = (built / "docs/README.md").read_text()
    assert "T1" in metadata["description"]
    assert "IXI" in metadata["data_source"]
    assert "CC BY-SA 3.0" in card
    assert "detection" not in built.name
    assert "classification" not in built.name


def test_flat_config_has_the_network_of_the_recipe(built: Path, root: Path) -> None:
    train = json.loads((built / "configs/train.json").read_text())
    inference = json.loads((built / "configs/inference.json").read_text())
    assert inference["network_def"] == train["network_def"]
    assert set(yaml.safe_load((root / "configs/inference.yaml").read_text())) <= set(inference)
    text = json.dumps([train, inference])
    assert "models/model.pt" in text
    assert not re.search(r'"[+%]|bundle/|"[a-z_]+#', text)  # nothing left to merge, no path into the repository


def test_bundle_has_the_code_that_its_configs_reach_and_no_more(built: Path) -> None:
    code = {path.relative_to(built / "scripts").as_posix() for path in (built / "scripts").rglob("*.*")}
    assert {"networks/residual_unet.py", "networks/blocks.py", "transforms/load_volume.py"} <= code
    assert {
        "handlers/checkpoints.py",
        "data/demo/head.py",
        "evaluation/report.html.jinja",
    } <= code  # training needs them
    rooms = {name.partition("/")[0] for name in code}
    assert not rooms & {"commands", "demo", "latent", "normative", "studies", "tissue", "__main__.py"}
    assert not {"networks/latent/joint_autoencoder.py", "transforms/thesis_slices.py", "losses/info_nce.py"} & code
    program = (
        "import importlib, pathlib; [importlib.import_module('.'.join(p.with_suffix('').parts)) for p in "
        "sorted(pathlib.Path('scripts').rglob('*.py'))]; import scripts; print(scripts.__version__)"
    )
    done = python("-W", "ignore", "-c", program, cwd=built)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-1] == json.loads((built / "configs/metadata.json").read_text())["version"]


def test_packages_that_inference_needs_are_kept_apart(built: Path) -> None:
    metadata = json.loads((built / "configs/metadata.json").read_text())
    assert set(metadata["required_packages_version"]) == {"fire", "nibabel", "pytorch-ignite", "pyyaml"}
    assert {"isal", "itk", "scipy", "tensorboard"} <= set(metadata["optional_packages"])
    assert "h5py" not in metadata["optional_packages"]  # the code of this bundle does not import it


def test_unknown_bundle_is_an_error_that_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError,
        match=f"no bundle is called 'gan'; bundle/ has: ar_vae, brain_mri_anomalies, {NAME}, brain_mri_restorer, vae",
    ):
        builder.build("gan", output_dir=str(tmp_path))


def test_name_that_monai_label_misreads_is_refused(checkout: Path, tmp_path: Path) -> None:
    (checkout / f"bundle/{NAME}").rename(checkout / "bundle/anomaly_detection")
    with pytest.raises(ValueError, match=r"'anomaly_detection' contains one of .* rename it"):
        builder.build("anomaly_detection", output_dir=str(tmp_path / "dist"))


def test_missing_weights_are_an_error_and_leave_the_former_bundle(checkout: Path, tmp_path: Path) -> None:
    former = tmp_path / "dist" / NAME
    former.mkdir(parents=True)
    (checkout / f"bundle/{NAME}/model.pt").unlink()
    with pytest.raises(FileNotFoundError, match=f"bundle/{NAME}/model.pt is missing"):
        builder.build(NAME, output_dir=str(tmp_path / "dist"))
    assert [path.name for path in (tmp_path / "dist").iterdir()] == [NAME]
    assert former.is_dir()


@pytest.mark.parametrize("value", ["%configs/net/other.yaml::network_def", "$@bundle_root + '/configs/net/x.yaml'"])
def test_config_that_needs_another_file_of_the_repository_is_refused(
    checkout: Path, tmp_path: Path, value: str
) -> None:
    recipe = checkout / f"bundle/{NAME}/recipe.yaml"
    recipe.write_text(yaml.safe_dump({**yaml.safe_load(recipe.read_text()), "cache_dir": value}))
    with pytest.raises(ValueError, match=re.escape(f"'{value}' names a file that is not in the bundle")):
        builder.build(NAME, output_dir=str(tmp_path / "dist"))


def _edit(bundle: Path, **changes: object) -> None:
    path = bundle / "configs/metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("check", "damage", "message"),
    [
        (verifier.check_files, lambda bundle: (bundle / "LICENSE").unlink(), "necessary file LICENSE is missing"),
        (
            verifier.check_metadata,
            lambda bundle: _edit(bundle, version="9.9.9"),
            "version 9.9.9 is not in the changelog",
        ),
        (verifier.check_metadata, lambda bundle: _edit(bundle, authors=3), "Failed validating"),
        (
            verifier.check_requirements,
            lambda bundle: (bundle / "scripts/x.py").write_text("import flask"),
            "scripts import flask; add its package to required_packages_version",
        ),
    ],
    ids=["file", "version", "schema", "requirement"],
)
def test_verification_names_what_is_wrong(
    built: Path, tmp_path: Path, check: Callable[[Path], None], damage: Callable[[Path], object], message: str
) -> None:
    copy = Path(shutil.copytree(built, tmp_path / NAME))
    damage(copy)
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        check(copy)


@pytest.mark.slow  # ten seconds of torch.export
def test_onnx_export_keeps_the_sizes_free_that_may_vary(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built)
    onnx_export(args_file="configs/onnx_export.json", filepath=str(tmp_path / "model.onnx"))
    config = ConfigParser(ConfigParser.load_config_file("configs/inference.json"))
    network = load_weights(config.get_parsed_content("network_def"), "models/model.pt").eval()
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for shape in ((1, 1, 24, 40), (3, 1, 96, 16)):
        image = torch.rand(shape)
        restored = session.run(["pred"], {"image": image.numpy()})[0]
        np.testing.assert_allclose(restored, network(image).detach(), atol=1e-4)
