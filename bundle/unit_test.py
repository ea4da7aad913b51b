# SPDX-License-Identifier: Apache-2.0
"""Unit test of a bundle in the form of the MONAI model zoo, which calls it ``ci/unit_tests/test_<bundle>.py``.

``python bundle/publish.py`` puts a copy of it there for each bundle; the bundle is that of the file's name. It runs
from the root of the zoo, where ``models/<bundle>`` is, or anywhere with the folder of the bundles in ``MODELS``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.bundle import ConfigWorkflow
from parameterized import parameterized

BUNDLE = Path(os.environ.get("MODELS", "models")).resolve() / Path(__file__).stem.removeprefix("test_")
TRAIN = [["an_epoch", {"max_epochs": 1}]]
INFERENCE = [["all_volumes", {}]]
SHAPE = (44, 40, 40)
REGIONS = np.array([51, 100, 81, 81, 0])  # ventricle, grey matter, white matter, outside: what label sets call them


class TestBundle(unittest.TestCase):
    """Training and inference on noise, with all properties that MONAI defines."""

    def setUp(self) -> None:
        """Three heads of noise in a ball with their regions, described by a dataset.json."""
        sys.path = [str(BUNDLE), *(path for path in sys.path if path != str(BUNDLE))]
        self.dataset_dir = Path(tempfile.mkdtemp())
        rng = np.random.default_rng(0)
        distance = np.linalg.norm(np.indices(SHAPE).T - (np.array(SHAPE) - 1) / 2, axis=-1).T
        labels = REGIONS[np.minimum(distance // 5, 4).astype(int)].astype(np.uint8)
        cohort: dict[str, Any] = {"name": "noise", "plane": "sagittal", "seed": 0}
        for part in ("training", "validation", "test"):
            head = ((distance < 19) * rng.uniform(50, 200, SHAPE)).astype(np.float32)
            for folder, values in (("heads", head), ("labels", labels)):
                path = self.dataset_dir / folder / f"{part}.nii.gz"
                path.parent.mkdir(exist_ok=True)
                nib.save(nib.Nifti1Image(values, np.diag([2.0, 2.0, 2.0, 1.0])), path)
            files = {"image": f"heads/{part}.nii.gz", "label": f"labels/{part}.nii.gz"}
            cohort[part] = [{**files, "subject": part, "slices": [20, 21, 22]}]
        (self.dataset_dir / "dataset.json").write_text(json.dumps(cohort), encoding="utf-8")

    def tearDown(self) -> None:
        """Remove the heads and all results."""
        shutil.rmtree(self.dataset_dir)

    @parameterized.expand(TRAIN)
    def test_train_config(self, _name: str, override: dict[str, Any]) -> None:
        """An epoch of training ends with weights."""
        self.run_workflow("train", self.dataset_dir, override)
        self.assertTrue((self.dataset_dir / "out/model.pt").is_file())

    @parameterized.expand(INFERENCE)
    def test_infer_config(self, _name: str, override: dict[str, Any]) -> None:
        """Each volume has a result."""
        metadata = json.loads((BUNDLE / "configs/metadata.json").read_text(encoding="utf-8"))
        masks = metadata["network_data_format"]["inputs"]["image"]["format"] == "segmentation"
        self.run_workflow("infer", self.dataset_dir / ("labels" if masks else "heads"), override)
        results = {path.name.partition("_")[0] for path in (self.dataset_dir / "out").glob("*.nii.gz")}
        self.assertEqual(results, {"training", "validation", "test"})

    def run_workflow(self, kind: str, dataset_dir: Path, override: dict[str, Any]) -> None:
        """Run a workflow of the bundle, once it has all that MONAI asks for."""
        config = {"train": "train", "infer": "inference"}[kind]
        workflow = ConfigWorkflow(
            workflow_type=kind,
            config_file=str(BUNDLE / f"configs/{config}.json"),
            meta_file=str(BUNDLE / "configs/metadata.json"),
            logging_file=str(BUNDLE / "configs/logging.conf"),
            dataset_dir=str(dataset_dir),
            output_dir=str(self.dataset_dir / "out"),
            **override,
        )
        workflow.initialize()
        self.assertFalse(workflow.check_properties())
        workflow.run()
        workflow.finalize()


if __name__ == "__main__":
    unittest.main()
