# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib
import os
import resource
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from monai.transforms import Compose, Lambdad, LoadImaged, RandGaussianNoised, ScaleIntensityd
from torch import Tensor

from scripts.data.cohort import load_datalist
from scripts.data.prepared_slices import fingerprint, prepared_slices
from scripts.data.slices import SliceDataset
from scripts.transforms import ScaleIntensityByVolumePercentiled
from tests.helpers.tiny_cohort import write_tiny_cohort


def transform(upper: float = 99.5) -> Compose:
    load = LoadImaged(keys="image", ensure_channel_first=True)
    return Compose([Compose([load]), ScaleIntensityByVolumePercentiled(keys="image", upper=upper)])


def made(cohort: Path, cache_dir: Path | str = "", part: str = "training", **options: object) -> SliceDataset:
    options = {"transform": transform(), **options}
    return SliceDataset(load_datalist(cohort, part), progress=False, cache_dir=cache_dir, **options)


def kept(cache_dir: Path) -> list[Path]:
    return sorted(cache_dir.glob("slices-*.npy"))


@pytest.fixture
def nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def forbid() -> None:
        monkeypatch.setattr(SliceDataset, "_slices", lambda *_: pytest.fail("a volume was read"))

    return forbid


def test_same_batches_without_a_cache_and_with_a_cold_and_a_warm_one(tiny_cohort, tmp_path, nothing_is_read):
    rows = [7, 0, 4]
    batches = [made(tiny_cohort, cache_dir).__getitems__(rows) for cache_dir in ("", tmp_path)]
    nothing_is_read()
    batches.append(made(tiny_cohort, tmp_path).__getitems__(rows))
    for batch in batches[1:]:
        assert all(torch.equal(batch[name], batches[0][name]) for name in ("image", "subject", "slice"))
    assert batches[0]["image"].std() > 0.1
    assert {type(batch["image"]) for batch in batches} == {Tensor}  # a MetaTensor would slow every operation down


def test_a_transform_that_has_read_other_files_is_the_same(tiny_cohort, tmp_path, nothing_is_read):
    for _ in range(2):
        shared = transform()
        for part in ("training", "validation"):
            made(tiny_cohort, tmp_path, part, transform=shared)
        assert len(kept(tmp_path)) == 2
        nothing_is_read()


def test_sizes_that_differ_are_padded_alike_in_a_file_and_in_memory(tmp_path):
    volumes = [torch.rand(2, 1, 20, 11).half(), torch.rand(1, 1, 27, 8).half()]
    item = {"image": __file__}
    in_file, in_memory = (prepared_slices(lambda: iter(volumes), [item], dict, 8, place) for place in (tmp_path, ""))
    assert in_file.shape == (3, 1, 32, 16)
    assert torch.equal(in_file, in_memory)
    assert torch.equal(in_file[2, 0, 2:29, 4:12], volumes[1][0, 0])


def test_anything_else_that_the_slices_are_made_from_misses(tmp_path):
    cohort = write_tiny_cohort(tmp_path / "cohort")
    data = load_datalist(cohort, "training")
    names = [
        fingerprint(data, transform(), 8),
        fingerprint(data, transform(upper=99.0), 8),
        fingerprint(data, Compose([transform(), ScaleIntensityd(keys="image")]), 8),
        fingerprint(data, Compose([transform()], lazy=True), 8),
        fingerprint(data, transform(), 16),
        fingerprint(data[::-1], transform(), 8),
        fingerprint([data[0] | {"slices": [1, 2]}, *data[1:]], transform(), 8),
    ]
    file = Path(data[1]["image"])
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    names.append(fingerprint(data, transform(), 8))
    file.write_bytes(file.read_bytes() + b"x")
    names.append(fingerprint(data, transform(), 8))
    assert len(set(names)) == len(names)
    assert fingerprint(load_datalist(cohort, "training"), transform(), 8) == names[-1]


def test_a_transform_whose_code_was_changed_misses(tmp_path, monkeypatch):
    source = tmp_path / "own_transform.py"
    source.write_text("def double(item):\n    return item | {'image': item['image'] * 2}\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("own_transform")
    before = fingerprint([], Compose([module.double]), 8)
    source.write_text("def double(item):\n    return item | {'image': item['image'] * 2.1}\n")
    assert fingerprint([], Compose([module.double]), 8) != before
    del sys.modules["own_transform"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "zeros"])
def test_a_damaged_file_is_made_again_and_said(damage, tiny_cohort, tmp_path, capsys):
    expected = made(tiny_cohort, tmp_path).images.clone()
    (file,) = kept(tmp_path)
    content = bytearray(file.read_bytes())
    flipped = bytes(content[:200]) + bytes([content[200] ^ 1]) + bytes(content[201:])
    file.unlink()  # the mapping of the first keeps its pages
    file.write_bytes({"truncated": content[:-100], "flipped": flipped, "empty": b"", "zeros": bytes(4)}[damage])
    assert torch.equal(made(tiny_cohort, tmp_path).images, expected)
    assert capsys.readouterr().err == f"{file} is damaged: it is made again.\n"
    made(tiny_cohort, tmp_path)
    assert capsys.readouterr().err == ""


def test_a_folder_that_cannot_be_written_stops_no_training(tiny_cohort, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert len(made(tiny_cohort, tmp_path / "file")) == 9
    error = capsys.readouterr().err
    assert error.startswith("slices are held in memory, not kept for the next run: [Errno")
    assert error.count("\n") == 1


def test_a_full_disk_stops_no_training_and_leaves_nothing(tiny_cohort, tmp_path, capsys):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        images = made(tiny_cohort, tmp_path).images
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert torch.equal(images, made(tiny_cohort).images)
    assert "slices are held in memory, not kept for the next run: [Errno 27]" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")] == []


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (RandGaussianNoised(keys="image"), "RandGaussianNoised is random"),
        (Lambdad(keys="image", func=lambda image: image / 2), "pickle"),
    ],
)
def test_a_transform_without_a_fingerprint_is_applied_anew(step, reason, tiny_cohort, tmp_path, capsys):
    assert len(made(tiny_cohort, tmp_path, transform=Compose([transform(), step]))) == 9
    assert reason in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unreadable_volume_is_an_error_and_leaves_nothing(tmp_path):
    cohort = write_tiny_cohort(tmp_path / "cohort")
    (cohort / "b.nii.gz").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"b\.nii\.gz could not be read"):
        made(cohort, tmp_path / "cache")
    assert [p.name for p in (tmp_path / "cache").iterdir() if not p.name.endswith(".lock")] == []


def test_of_several_at_the_same_time_one_reads_and_the_others_wait(tmp_path):
    readings = []

    def volumes() -> Iterator[Tensor]:
        readings.append(1)
        time.sleep(0.3)
        yield torch.ones(2, 1, 8, 8).half()

    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(prepared_slices, volumes, [{}], dict, 8, tmp_path) for _ in range(3)]
    assert [float(images.result().sum()) for images in waiting] == [128.0] * 3
    assert len(readings) == 1


def test_memory_never_holds_the_cohort(tmp_path):
    alive, most = set(), 0

    def volumes() -> Iterator[Tensor]:
        nonlocal most
        for number in range(50):
            volume = torch.full((1, 1, 8, 8), number).half()
            alive.add(number)
            weakref.finalize(volume, alive.discard, number)
            most = max(most, len(alive))
            yield volume

    images = prepared_slices(volumes, [{}], dict, 8, tmp_path)
    assert images[:, 0, 0, 0].tolist() == list(range(50))
    assert most <= 2


def test_readers_are_only_a_few_volumes_ahead(monkeypatch):
    data = [{"image": torch.zeros(1, 8, 8, 1), "subject": "a", "slices": [0]}] * 50
    dataset = SliceDataset(data, dict, progress=False)
    read = []
    monkeypatch.setattr(dataset, "_slices", read.append)
    volumes = dataset._volumes(2)
    next(volumes)
    volumes.close()
    assert len(read) <= 5


def test_half_precision_is_lossless_for_the_metrics(real_data):
    """What rounding adds lies at 79 dB; a restoration at 40 dB is scored alike."""
    load = transform()
    for file in sorted((real_data / "ixi_hh_2mm" / "T1").glob("*.nii.gz"))[::60]:
        slices = load({"image": str(file)})["image"].as_tensor()[0].movedim(-1, 0)[15:75]  # (60, H, W)
        rounded = slices.half().float()
        restored = slices + 0.01 * torch.randn(slices.shape, generator=torch.Generator().manual_seed(0))
        assert psnr(slices, rounded).min() > 79
        assert (psnr(restored, slices) - psnr(restored, rounded)).mean().abs() < 0.001


def psnr(a: Tensor, b: Tensor) -> Tensor:
    return -10 * torch.log10((a.double() - b.double()).square().mean(dim=(-2, -1)))


@pytest.mark.gpu
@pytest.mark.parametrize("fits", [True, False])
def test_batches_on_the_device_are_the_same_and_wait_for_nothing(fits, tiny_cohort, tmp_path, monkeypatch):
    device = torch.device("cuda", 0)
    if not fits:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (0, 0))
    on_host = made(tiny_cohort, tmp_path)
    on_device = made(tiny_cohort, tmp_path, device=device)
    assert on_device.images.device.type == ("cuda" if fits else "cpu")
    rows = [7, 0, 4]
    on_device.__getitems__(rows)
    torch.cuda.set_sync_debug_mode("error")
    try:
        batch = on_device.__getitems__(rows)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    expected = on_host.__getitems__(rows)
    assert all(value.device == device for value in batch.values())
    assert all(torch.equal(batch[name].cpu(), expected[name]) for name in expected)
