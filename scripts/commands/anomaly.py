# SPDX-License-Identifier: Apache-2.0
"""``anomaly IN OUT``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from .arguments import UsageError
from .front import say, say_written, usage_errors

if TYPE_CHECKING:
    from ..anomaly.folder import FolderMapper
    from ..anomaly.mapper import AnomalyMapper

__all__ = ["COMMAND", "DETECTOR", "anomaly", "folder_mapper"]

DETECTOR = "undoing_and_template"
BASELINES = ("equalised_intensity", "difference_of_gaussians", "template_deviation")

ALIKE = ["device", "level"]
"""Keys that baselines have in common with the detector."""


def anomaly(
    dataset_dir: Annotated[str, "IN"] = "",
    output_dir: str = "eval/anomaly",
    *,
    detector: str = DETECTOR,
    calibrate: str = "",
    evaluate: bool = False,
    lesions: str = "",
    baselines: Sequence[str] = BASELINES,
    report: bool = False,
    **keys: Annotated[str | None, "configs/anomaly.yaml"],
) -> None:
    """Map what is anomalous in T1-weighted heads, whole or skull-stripped; research use, not for diagnosis.

    For each volume of IN, writes into OUT NAME_anomaly.nii.gz (minus log10 p: above 2 lies 1 % of a healthy brain;
    where clusters are called, they alone),
    NAME_clusters.nii.gz and .csv (the clusters that are called, numbered, with place, size and p), and
    NAME_brain_mask.nii.gz, on the volume's own grid. A file that cannot be mapped is skipped and named; the exit status
    is then 1.

    Args:
        dataset_dir: folder of the volumes; with --evaluate, a cohort with dataset.json.
        detector: name of a file of configs/detector.
        calibrate: folder of healthy heads, 19 or more, of the scanner that the volumes come from: p-values of one
            scanner are false on another. Writes calibration_DETECTOR.json into OUT, and uses it for IN, if given.
        evaluate: put synthetic lesions into the test heads of the cohort IN, and measure what is found.
        lesions: folder of masks of the lesions of the heads of IN, with the images' names: measure what is found.
        baselines: detectors that are measured beside it.
        report: write a page for each head, NAME_anomaly.html, and one that lists them, anomaly_report.html: pictures,
            findings, how far the numbers can be trusted, and how many of 69 synthetic lesions are found in this very
            head. It takes a minute a head. With --evaluate, one page of the figures and the lesions that are missed.
        **keys: any other key of the file goes as well.
    """
    from ..files.errors import suggestion
    from ..recipes.places import CONFIGS

    known = sorted(path.stem for path in (CONFIGS / "detector").glob("*.yaml"))
    for name in (detector, *(baselines if evaluate or lesions else ())):
        if name not in known:
            raise UsageError(f"there is no detector {name!r}: {suggestion(name, known)}")
    if not (dataset_dir or calibrate):
        raise UsageError("give the folder of the volumes, IN, or healthy heads to calibrate on, --calibrate CONTROLS.")
    folder = folder_mapper(detector, dataset_dir, output_dir, calibrate, keys)
    if evaluate or lesions:
        alike = {name: keys[name] for name in ALIKE if name in keys}
        others = {name: folder_mapper(name, dataset_dir, output_dir, calibrate, alike).mapper for name in baselines}
        _evaluate({detector: folder.mapper, **others}, folder, dataset_dir, lesions, report)
    elif dataset_dir:
        if report:
            from ..anomaly.page import write_head_page, write_index

            folder.write_page = write_head_page
        try:
            folder.run()
        finally:
            for volume in folder.mapped:
                say(str(folder.output_dir / volume["outputs"][0]))
            if report and folder.mapped:
                say(str(write_index(folder.output_dir, folder.mapped, folder.skipped)))


def folder_mapper(
    detector: str, dataset_dir: str, output_dir: str, calibrate: str, keys: Mapping[str, str | None]
) -> FolderMapper:
    """The mapper of a folder by a detector, calibrated first on healthy heads where there are some.

    Args:
        detector: name of a file of ``configs/detector``.
        dataset_dir: folder of the volumes.
        output_dir: folder of the results.
        calibrate: folder of healthy heads; "" for the calibration that comes with the detector.
        keys: other keys of the config as they were typed.
    """
    from ..recipes.recipe import Recipe
    from ..recipes.workflow import as_text, recipe_workflow, typed_settings

    recipe = Recipe("anomaly", ("configs/anomaly.yaml", f"configs/detector/{detector}.yaml"))
    with usage_errors():
        settings = typed_settings(recipe, keys)
    if calibrate:
        parser = recipe_workflow(recipe, "inference", {**settings, "read_calibration": None}, "", output_dir).parser
        folder = parser.get_parsed_content("folder")
        learned = folder.calibrate(calibrate, detector, parser.get_parsed_content("weights"))
        path = folder.output_dir / f"calibration_{detector}.json"
        learned.save(path)
        say(f"{learned.summary()}\nwrote {path}")
        if not dataset_dir:
            return folder
        settings["calibration"] = as_text(str(path))
    return recipe_workflow(recipe, "inference", settings, dataset_dir, output_dir).parser.get_parsed_content("folder")


def _evaluate(
    mappers: Mapping[str, AnomalyMapper], folder: FolderMapper, dataset_dir: str, lesions: str, report: bool
) -> None:
    from ..anomaly.evaluation import LesionTests
    from ..anomaly.tables import in_words, save_tables, summary_table

    tests = LesionTests(mappers)
    if lesions:
        for name, given, mask in folder.lesion_cases(lesions):
            tests.add_given(given, mask, {"subject": name})
    else:
        tests.test_cohort(dataset_dir)
    summary = summary_table(tests)
    say(in_words(summary))
    written = save_tables(tests, folder.output_dir)
    if report:
        from ..anomaly.page import write_evaluation_page

        written.append(folder.output_dir / "anomaly_evaluation.html")
        write_evaluation_page(written[-1], tests, summary)
    say_written(written)


COMMAND = anomaly
