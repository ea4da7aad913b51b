# SPDX-License-Identifier: Apache-2.0
"""MONAI's own way, as the bundles of its model zoo do it: the same slices, network, loss and metrics.

Cached samples are damaged one at a time by dictionary transforms and collated; trainer and evaluator have their
defaults; the network is the same class in float32 and in the plain memory layout. The damage has the kinds and the
strength of ``configs/train.yaml``, with other random numbers. The peer is given what makes it fast: volumes are read
once and cut into slices before ``CacheDataset``, and single pixels are dropped by one tensor operation, not by holes of
size 1.
"""

from __future__ import annotations

from pathlib import Path

import torch
from monai import transforms
from monai.data import CacheDataset, DataLoader, Dataset
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import IgniteMetricHandler, MeanSquaredError, PeakSignalToNoiseRatio, from_engine
from monai.inferers import SliceInferer
from monai.metrics import SSIMMetric
from monai.transforms import Compose, Transform
from monai.utils import set_determinism
from torch import Tensor, nn

from ...data.cohort import load_datalist
from ...networks.blocks import SIZE_MULTIPLE
from ...recipes.weights import load_weights
from ...transforms.plane import plane_axcodes
from .contenders import Contender, EngineContender, FolderContender, StepContender
from .ours import Task, inference_config, loading, train_config

__all__ = ["corruption", "data", "evaluation", "inference", "train_step"]


def train_step(task: Task, num_workers: int) -> Contender:
    """``SupervisedTrainer`` on a ``CacheDataset``."""
    config = train_config(task, initialize=False)
    network = config.get_parsed_content("network_def").to(task.device)
    trainer = SupervisedTrainer(
        device=torch.device(task.device),
        max_epochs=config.get_parsed_content("max_epochs"),
        train_data_loader=_loader(task, "training", _damage(), num_workers),
        network=network,
        optimizer=torch.optim.AdamW(network.parameters(), config.get_parsed_content("learning_rate")),
        loss_function=nn.MSELoss(),
    )
    return EngineContender(trainer)


def evaluation(task: Task, num_workers: int) -> Contender:
    """``SupervisedEvaluator`` with the metrics of ``configs/train.yaml``."""
    pair = from_engine(["pred", "label"])
    evaluator = SupervisedEvaluator(
        device=torch.device(task.device),
        val_data_loader=_loader(task, "validation", _damage(), num_workers),
        network=train_config(task, initialize=False).get_parsed_content("network_def").to(task.device),
        key_val_metric={"val_mse": MeanSquaredError(output_transform=pair)},
        additional_metrics={
            "val_psnr": PeakSignalToNoiseRatio(max_val=1.0, output_transform=pair),
            "val_ssim": IgniteMetricHandler(metric_fn=SSIMMetric(spatial_dims=2), output_transform=pair),
        },
    )
    return EngineContender(evaluator)


def data(task: Task, num_workers: int) -> Contender:
    """Batches of clean slices from ``CacheDataset`` and ``DataLoader``."""
    return loading(_loader(task, "training", [], num_workers), task.device)


def corruption(task: Task) -> Contender:
    """The random transforms on the cached samples of a batch, one after the other."""
    set_determinism(task.seed)
    samples = [{"image": image} for image in _slices(task, "training")[: _batch_size(task)]]
    damage = Compose(_damage())

    def step() -> int:
        return len([damage(sample) for sample in samples])

    return StepContender(step, task.device)


def inference(task: Task, num_workers: int) -> Contender:
    """``SliceInferer`` on whole volumes, inverted transforms, ``SaveImaged``."""
    config = inference_config(task, initialize=False)
    network = load_weights(config.get_parsed_content("network_def"), config.get_parsed_content("weights"))
    network.to(task.device)
    preprocessing = Compose([*_reading(task), transforms.DivisiblePadd("image", (SIZE_MULTIPLE, SIZE_MULTIPLE, 1))])
    output = Path(task.work_dir) / "monai"
    invert = transforms.Invertd("pred", preprocessing, orig_keys="image", nearest_interp=False)
    save = transforms.SaveImaged("pred", output_dir=output, output_postfix="restored", print_log=False)
    batch_size = config.get_parsed_content("batch_size")
    inferer = SliceInferer(roi_size=(-1, -1), sw_batch_size=batch_size, spatial_dim=2)
    volumes = [{"image": str(path)} for path in sorted(Path(task.sample.volumes_dir).iterdir())]
    loader = DataLoader(Dataset(volumes, preprocessing), batch_size=1, num_workers=num_workers)

    evaluator = SupervisedEvaluator(
        device=torch.device(task.device),
        val_data_loader=loader,
        network=network,
        inferer=inferer,
        postprocessing=Compose([invert, save]),
    )
    return FolderContender(lambda: (network, evaluator.run), task.sample.volume_slices, task.device)


def _loader(task: Task, part: str, damage: list[Transform], num_workers: int) -> DataLoader:
    """Batches of pairs: the image is damaged, the label is clean."""
    set_determinism(task.seed)
    samples = [{"image": image} for image in _slices(task, part)]
    dataset = CacheDataset(samples, Compose([transforms.CopyItemsd("image", names="label"), *damage]), progress=False)
    return DataLoader(dataset, batch_size=_batch_size(task), shuffle=part == "training", num_workers=num_workers)


def _batch_size(task: Task) -> int:
    return train_config(task, initialize=False).get_parsed_content("batch_size")


def _slices(task: Task, part: str) -> list[Tensor]:
    """The relevant slices of all subjects of a part, each ``(1, H, W)``."""
    read = Compose([*_reading(task), transforms.SpatialPadd("image", (*task.sample.slice_shape, -1))])
    items = load_datalist(task.sample.dataset_dir, part)
    volumes = ((read({"image": item["image"]})["image"], item["slices"]) for item in items)
    return [volume[..., index].clone() for volume, slices in volumes for index in slices]


def _reading(task: Task) -> list[Transform]:
    return [
        transforms.LoadImaged("image"),
        transforms.EnsureChannelFirstd("image"),
        transforms.Orientationd("image", axcodes=plane_axcodes(task.sample.plane), labels=None),
        transforms.ScaleIntensityRangePercentilesd("image", lower=0, upper=99.5, b_min=0, b_max=1),
    ]


def _damage() -> list[Transform]:
    """As in ``configs/train.yaml``."""
    return [
        transforms.RandLambdad("image", _drop_pixels),
        transforms.RandGaussianNoised("image", prob=1.0, std=0.04),
        transforms.RandCoarseDropoutd("image", holes=1, spatial_size=10, max_spatial_size=38, fill_value=0, prob=0.2),
        transforms.RandGaussianSmoothd("image", sigma_x=(0.6, 0.6), sigma_y=(0.6, 0.6), prob=0.1),
    ]


def _drop_pixels(image: Tensor) -> Tensor:
    return image * (torch.rand(image.shape) >= 0.04 * torch.rand(()))
