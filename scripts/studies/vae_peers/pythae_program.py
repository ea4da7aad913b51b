# SPDX-License-Identifier: Apache-2.0
"""Train pythae's VAE or BetaVAE: a program of its own.

It runs in the Python that has pythae and imports nothing of this project. Its argument is the folder of a task:
``task.json`` (sizes and settings), ``start.pt`` (initial weights), ``training.npy`` and ``validation.npy``. It writes
``trained.pt``. Loss, sampling, data loading, optimisation and the choice of the best epoch are pythae's; the layers are
those of the project's network, written out in plain torch.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Layers", "main"]

PARTS = ("encoder", "mu", "logvar", "expand", "decoder")


class Layers(nn.Module):
    """Encoder and decoder of the project's ``VariationalAutoencoder`` with a sigmoid at its end.

    Args:
        shape: of an image, ``(C, H, W)``.
        latent_size: numbers in the code.
        channels: of the levels.
        strides: of the levels.
    """

    def __init__(self, shape: Sequence[int], latent_size: int, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        levels = list(zip([shape[0], *channels], channels, strides, strict=False))
        self.encoder = nn.Sequential()
        for before, after, stride in levels:
            self.encoder.extend([nn.Conv2d(before, after, 3, stride, 1), nn.BatchNorm2d(after), nn.PReLU()])
        self.encoder.append(nn.Flatten())
        coarse = [size // int(np.prod(strides)) for size in shape[1:]]
        features = channels[-1] * int(np.prod(coarse))
        self.mu, self.logvar = nn.Linear(features, latent_size), nn.Linear(features, latent_size)
        self.expand = nn.Sequential(
            nn.Linear(latent_size, features), nn.ReLU(), nn.Unflatten(1, (channels[-1], *coarse))
        )
        self.decoder = nn.Sequential()
        for after, before, stride in levels[::-1]:
            self.decoder.append(nn.ConvTranspose2d(before, after, 3, stride, 1, stride - 1))
            self.decoder.extend([nn.BatchNorm2d(after), nn.PReLU()])
        del self.decoder[-2:]  # the last level is the image

    def load(self, parts: dict[str, list[Tensor]]) -> None:
        """Take the weights of each of :data:`PARTS`, in the order of its state dictionary."""
        for name in PARTS:
            part = getattr(self, name)
            part.load_state_dict(dict(zip(part.state_dict(), parts[name], strict=True)))

    def save(self) -> dict[str, list[Tensor]]:
        """Give them."""
        return {name: [value.cpu() for value in getattr(self, name).state_dict().values()] for name in PARTS}


def _model(layers: Layers, task: dict[str, Any]) -> Any:
    """The model in pythae's words.

    Its likelihood is a normal distribution of variance 1, 0.5 ||x - f(z)||^2. Slices times s = sqrt(2 alpha) make that
    the project's alpha ||x - f(z)||^2.
    """
    from pythae.models import VAE, BetaVAE, BetaVAEConfig, VAEConfig  # type: ignore[import-not-found, unused-ignore]
    from pythae.models.base.base_utils import ModelOutput  # type: ignore[import-not-found, unused-ignore]
    from pythae.models.nn import BaseDecoder, BaseEncoder  # type: ignore[import-not-found, unused-ignore]

    scale = float(task["scale"])

    class Encoder(BaseEncoder):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.mu, self.logvar = layers.encoder, layers.mu, layers.logvar

        def forward(self, x: Tensor) -> Any:
            features = self.trunk(x / scale)
            return ModelOutput(embedding=self.mu(features), log_covariance=self.logvar(features))

    class Decoder(BaseDecoder):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.expand, self.image = layers.expand, layers.decoder

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=scale * torch.sigmoid(self.image(self.expand(z))))

    sizes = {"input_dim": tuple(task["shape"]), "latent_dim": task["latent_size"], "reconstruction_loss": "mse"}
    if task["beta"] == 1:
        return VAE(VAEConfig(**sizes), encoder=Encoder(), decoder=Decoder())
    return BetaVAE(BetaVAEConfig(**sizes, beta=task["beta"]), encoder=Encoder(), decoder=Decoder())


def main(folder: Path) -> None:
    """Do the task of a folder."""
    from pythae.data.datasets import BaseDataset  # type: ignore[import-not-found, unused-ignore]
    from pythae.trainers import BaseTrainer, BaseTrainerConfig  # type: ignore[import-not-found, unused-ignore]

    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    layers = Layers(task["shape"], task["latent_size"], task["channels"], task["strides"])
    layers.load(torch.load(folder / "start.pt", weights_only=True))
    model = _model(layers, task)
    data = {}
    for part in ("training", "validation"):
        slices = torch.from_numpy(np.load(folder / f"{part}.npy")) * task["scale"]
        data[part] = BaseDataset(slices, torch.ones(len(slices)))
    config = BaseTrainerConfig(
        output_dir=str(folder / "pythae"),
        num_epochs=task["max_epochs"],
        learning_rate=task["learning_rate"],
        per_device_train_batch_size=task["batch_size"],
        per_device_eval_batch_size=task["batch_size"],
        optimizer_cls=task["optimizer"],
        optimizer_params=task["optimizer_params"],
        seed=task["seed"],
        no_cuda=task["device"] == "cpu",
    )
    trainer = BaseTrainer(model, data["training"], data["validation"], config)
    trainer.save_model = lambda *_args, **_kwargs: None  # it pickles classes; the weights are saved below
    trainer.train()
    best = trainer._best_model
    for name, part in {
        "encoder": best.encoder.trunk, "mu": best.encoder.mu, "logvar": best.encoder.logvar,
        "expand": best.decoder.expand, "decoder": best.decoder.image,
    }.items():  # fmt: skip
        setattr(layers, name, part)
    torch.save(layers.save(), folder / "trained.partial")
    (folder / "trained.partial").replace(folder / "trained.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
