# SPDX-License-Identifier: Apache-2.0
"""``anomaly IN OUT``."""

from __future__ import annotations

from typing import Annotated

from .arguments import UsageError
from .front import say, usage_errors

__all__ = ["COMMAND", "anomaly"]

CALIBRATION = "calibration.json"


def anomaly(
    dataset_dir: Annotated[str, "IN"] = "",
    output_dir: str = "eval/anomaly",
    *,
    detector: str = "anomaly_undoing",
    calibrate: str = "",
    evaluate: bool = False,
    lesions: str = "",
    **keys: Annotated[str | None, "configs/anomaly.yaml"],
) -> None:
    """Map what is anomalous in T1-weighted heads, whole or skull-stripped; research use, not for diagnosis.

    For each volume of IN, writes into OUT NAME_anomaly.nii.gz (minus log10 p: above 2 lies 1 % of a healthy brain),
    NAME_clusters.nii.gz and .csv (the clusters that are called, numbered, with place, size and p), and
    NAME_brain_mask.nii.gz, on the volume's own grid. A file that cannot be mapped is skipped and named; the exit status
    is then 1.

    Args:
        dataset_dir: folder of the volumes; with --evaluate, a cohort with dataset.json.
        detector: name of a file of configs/detector.
        calibrate: folder of healthy heads, 19 or more, of the scanner that the volumes come from: p-values of one
            scanner are false on another. Writes calibration.json into OUT, and uses it for IN, if that is given.
        evaluate: put synthetic lesions into the test heads of the cohort IN, and measure what is found.
        lesions: folder of masks of the lesions of the heads of IN, with the images' names: measure what is found.
    """
    from ..recipes.places import CONFIGS
    from ..recipes.recipe import Recipe
    from ..recipes.workflow import as_text, recipe_workflow, typed_settings

    known = sorted(path.stem for path in (CONFIGS / "detector").glob("*.yaml"))
    if detector not in known:
        raise UsageError(f"--detector must be one of {', '.join(known)}, got {detector!r}.")
    if not (dataset_dir or calibrate):
        raise UsageError("give the folder of the volumes, IN, or healthy heads to calibrate on, --calibrate CONTROLS.")
    recipe = Recipe("anomaly", ("configs/anomaly.yaml", f"configs/detector/{detector}.yaml"))
    with usage_errors():
        settings = typed_settings(recipe, keys)
    if calibrate:
        parser = recipe_workflow(recipe, "inference", {**settings, "read_calibration": None}, "", output_dir).parser
        folder = parser.get_parsed_content("folder")
        learned = folder.calibrate(calibrate, detector, parser.get_parsed_content("weights"))
        path = folder.output_dir / CALIBRATION
        learned.save(path)
        say(f"{learned.summary()}\nwrote {path}")
        settings["calibration"] = as_text(str(path))
    if not dataset_dir:
        return
    parser = recipe_workflow(recipe, "inference", settings, dataset_dir, output_dir).parser
    folder = parser.get_parsed_content("folder")
    if evaluate or lesions:
        from ..anomaly.evaluation import evaluate_cohort, evaluate_lesions

        measured = evaluate_lesions(folder, lesions) if lesions else evaluate_cohort(folder)
        say(f"{measured.summary()}\nwrote {', '.join(measured.save(folder.output_dir))} into {folder.output_dir}")
        return
    try:
        folder.run()
    finally:
        for volume in folder.mapped:
            say(str(folder.output_dir / volume["outputs"][0]))


COMMAND = anomaly
