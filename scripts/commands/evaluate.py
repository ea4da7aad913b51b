# SPDX-License-Identifier: Apache-2.0
"""``evaluate [DATA] [OUT]``."""

from __future__ import annotations

from typing import Annotated

from .front import say, usage_errors

__all__ = ["COMMAND", "evaluate"]


def evaluate(
    dataset_dir: str = "",
    output_dir: str = "",
    *,
    recipe: str = "residual_unet_mse",
    **keys: Annotated[str | None, "configs/evaluate.yaml"],
) -> None:
    """Evaluate a trained recipe on the test subjects of a cohort; the same as python -m monai.bundle run evaluating.

    Writes metrics.csv (a row for each subject, damage and region), summary.csv (mean, standard deviation and interval
    over the subjects) and report.html into OUT, beside the model.pt that train left there.

    Args:
        output_dir: folder of the training and of the results; eval/RECIPE by default.
        **keys: values for any recipe, which may have other defaults. Any other key of its config goes as well,
            such as those that train --help lists.
    """
    from ..recipes.recipe import find_recipe
    from ..recipes.workflow import recipe_workflow, typed_settings

    with usage_errors():
        chosen = find_recipe(recipe)
        settings = typed_settings(chosen, keys)
    workflow = recipe_workflow(chosen, "evaluating", settings, dataset_dir, output_dir)
    workflow.run()
    say(f"wrote metrics.csv, summary.csv and report.html into {workflow.parser.get_parsed_content('output_dir')}")


COMMAND = evaluate
