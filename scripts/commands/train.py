# SPDX-License-Identifier: Apache-2.0
"""``train [DATA] [OUT]``."""

from __future__ import annotations

from typing import Annotated

from .front import say, usage_errors

__all__ = ["COMMAND", "train"]


def train(
    dataset_dir: str = "",
    output_dir: str = "",
    *,
    recipe: str = "residual_unet_mse",
    **keys: Annotated[str | None, "configs/train.yaml"],
) -> None:
    """Train a recipe on a cohort; the same as python -m monai.bundle run training.

    Writes model.pt (the best weights), checkpoint.pt (from which --resume goes on), config.yaml, history.csv and
    TensorBoard events into OUT.

    Args:
        output_dir: folder of the results; eval/RECIPE by default.
        **keys: values for any recipe, which may have other defaults. Any other key of its config goes as well, such as
            --train#trainer#max_epochs 3.
    """
    from ..recipes.recipe import find_recipe
    from ..recipes.workflow import recipe_workflow, typed_settings

    with usage_errors():
        chosen = find_recipe(recipe)
        settings = typed_settings(chosen, keys)
    workflow = recipe_workflow(chosen, "training", settings, dataset_dir, output_dir)
    workflow.run()
    say(f"wrote model.pt, history.csv and config.yaml into {workflow.parser.get_parsed_content('output_dir')}")


COMMAND = train
