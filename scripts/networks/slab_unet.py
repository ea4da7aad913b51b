# SPDX-License-Identifier: Apache-2.0
"""U-Net that restores whole volumes in slabs of neighbouring slices, each with the whole volume in view."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import check_input
from .verdict_net import VerdictNet

__all__ = ["SlabUNet", "markov_whitening"]

NEIGHBOURS, VARIANCE, SQUARED_MEAN, NOISE = 0.9, 0.06, 0.1, 0.02
"""Of a head: correlation of neighbouring pixels, variance, square of the mean, and noise added to them."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to the input; the second starts at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        _start_at_zero(self.conv2)

    def forward(self, x: Tensor) -> Tensor:
        """Shape of ``x``, ``(B, C, H, W)``."""
        return x + self.conv2(torch.relu(self.conv1(x)))


class ThroughSlabs(nn.Module):
    """Convolution across neighbouring slabs at each place of the plane, added to the input; it starts at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        self.conv2 = nn.Conv2d(channels, channels, 1)
        _start_at_zero(self.conv2)

    def forward(self, x: Tensor, volumes: int) -> Tensor:
        """Shape of ``x``, ``(B * slabs, C, H, W)``, of ``volumes`` B."""
        _, channels, height, width = x.shape
        # (B, C, slabs, H * W): a 2D convolution is the fast one on every device
        across = x.reshape(volumes, -1, channels, height * width).transpose(1, 2)
        across = self.conv2(torch.relu(self.conv1(across)))
        return x + across.transpose(1, 2).reshape(x.shape)


class SlabUNet(nn.Module):
    """U-Net for volumes: 2D convolutions on slabs of slices at half resolution, mixed through the whole volume.

    A volume is cut along its last axis into slabs of ``slab`` slices, which the network sees with ``margin`` slices
    more on either side. A slab's slices and the four pixels of each 2x2 square are the channels of one image of half
    the size, so that neighbours cost little, and all slices of a slab come out at once. At the lowest of the three
    resolutions, a quarter of that again, features pass from slab to slab, and the means of all features of the volume
    set a gain and an offset for each channel of the decoder: how noisy, how blurred and how uneven the volume is shows
    in all of it. With a verdict, its levels set them.

    The image is decorrelated first, see :func:`markov_whitening`.

    With a verdict, which tells how much of which damage a volume has, the last convolution is a sum of some: one for
    all volumes and one for each kind, weighted by its level. What one kind calls for, such as sharpening, is wrong for
    another, such as noise: with one convolution for all a network learns for a long time to leave everything as it is.

    The first output channel is the first input channel plus a correction, the second the logarithm of the standard
    deviation of the first one's error. The last convolution starts at zero, so that an untrained network returns its
    input.

    Args:
        in_channels: channels of the input. The first is the image; a second, such as a mask of voxels to be filled, may
            be left out of the input where it is zero.
        out_channels: channels of the output.
        channels: channels at the three resolutions.
        blocks: residual blocks at each of them, in the encoder and the decoder each.
        slab: slices that come out at once.
        margin: slices that are seen on either side of them.
        residual_output: whether the network predicts a correction of the first channel of its input.
        verdict: network that gives the log odds of levels, ``(B, kinds + 1)``, the last of which is left out; it is
            not trained along.

    Raises:
        ValueError: ``channels`` and ``blocks`` are not three numbers each, or a size is not positive.

    References:
        Shi et al., Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
        network, CVPR 2016 (pixels as channels). Perez et al., FiLM: visual reasoning with a general conditioning layer,
        AAAI 2018 (gains and offsets). Yang et al., CondConv: conditionally parameterized
        convolutions for efficient inference, NeurIPS 2019 (sums of convolutions).

    Example:
        >>> SlabUNet(channels=(8, 8, 8))(torch.rand(1, 1, 16, 24, 10)).shape
        torch.Size([1, 2, 16, 24, 10])
    """

    whitening: Tensor

    def __init__(
        self,
        in_channels: int = 2,
        out_channels: int = 2,
        channels: Sequence[int] = (64, 96, 112),
        blocks: Sequence[int] = (1, 1, 2),
        slab: int = 10,
        margin: int = 3,
        residual_output: bool = True,
        verdict: VerdictNet | None = None,
    ) -> None:
        super().__init__()
        if len(channels) != 3 or len(blocks) != 3 or min(*channels, *blocks, slab, margin + 1) < 1:
            raise ValueError(
                f"channels and blocks must be three positive numbers each, slab positive and margin not negative, got "
                f"{list(channels)}, {list(blocks)}, {slab} and {margin}."
            )
        self.slab, self.margin, self.residual_output = slab, margin, residual_output
        self.seen = 4 * (slab + 2 * margin)
        self.register_buffer("whitening", markov_whitening(slab + 2 * margin))
        self.stem = nn.Conv2d(in_channels * self.seen, channels[0], 3, padding=1)
        self.encoder = nn.ModuleList(_blocks(width, number) for width, number in zip(channels, blocks, strict=True))
        pairs = list(itertools.pairwise(channels))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.through = nn.ModuleList(ThroughSlabs(channels[2]) for _ in range(2))
        self.verdict = verdict
        kinds = 0 if verdict is None else verdict.kinds
        self.describe = nn.Sequential(
            nn.Linear(kinds or sum(channels), 128), nn.ReLU(), nn.Linear(128, 2 * sum(channels))
        )
        _start_at_zero(self.describe[2])
        self.widths = list(channels)
        self.bottleneck = _blocks(channels[2], blocks[2])
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in pairs)
        self.decoder = nn.ModuleList(
            _blocks(width, number) for width, number in zip(channels[:2], blocks, strict=False)
        )
        self.head = nn.Conv2d(channels[0], out_channels * 4 * slab, 3, padding=1)
        _start_at_zero(self.head)
        self.heads = nn.Parameter(torch.zeros(kinds * 4 * slab, channels[0], 3, 3)) if kinds else None
        if verdict is not None:
            verdict.requires_grad_(False)

    def train(self, mode: bool = True) -> SlabUNet:
        """Set the mode of all but the verdict, which stays as it is."""
        super().train(mode)
        if self.verdict is not None:
            self.verdict.eval()
        return self

    def forward(self, x: Tensor, levels: Tensor | None = None) -> Tensor:
        """Restore volumes.

        Args:
            x: shape ``(B, C, H, W, D)``, H and W multiples of 8; C is ``in_channels``, or 1.
            levels: how much of which damage the volumes have, ``(B, kinds)``; by default the verdict tells.

        Returns:
            Shape ``(B, out_channels, H, W, D)``.
        """
        if not torch.jit.is_scripting():
            check_input(x[..., 0])
        fine = self.encoder[0](self._stem(self._slabs(x)))
        middle = self.encoder[1](self.down[0](fine))
        coarse = self.encoder[2](self.down[1](middle))
        features = [fine, middle, coarse]
        if self.verdict is None:
            known = torch.cat([part.unflatten(0, (len(x), -1)).mean(dim=(1, 3, 4)) for part in features], dim=1)
        else:
            known = levels = torch.sigmoid(self.verdict(x[:, :1])[:, :-1]) if levels is None else levels
        gains, offsets = self.describe(known).chunk(2, dim=1)
        slabs = fine.shape[0] // x.shape[0]
        modulated = [
            part * (1 + _per_slab(gain, slabs)) + _per_slab(offset, slabs)
            for part, gain, offset in zip(
                features, gains.split(self.widths, dim=1), offsets.split(self.widths, dim=1), strict=True
            )
        ]
        y = self.through[0](modulated[2], len(x))
        y = self.through[1](self.bottleneck(y), len(x))
        y = self.decoder[1](self.up[1](y) + modulated[1])
        y = self.decoder[0](self.up[0](y) + modulated[0])
        y = self._volumes(self._corrections(y, levels), x)
        return torch.cat([x[:, :1] + y[:, :1], y[:, 1:]], dim=1) if self.residual_output else y

    def _slabs(self, x: Tensor) -> Tensor:
        """Slabs at half resolution, ``(B * slabs, C * 4 * (slab + 2 * margin), H / 2, W / 2)``."""
        depth = x.shape[-1]
        first = self.slab * torch.arange((depth + self.slab - 1) // self.slab, device=x.device) - self.margin
        places = first[:, None] + torch.arange(self.slab + 2 * self.margin, device=x.device)
        slabs = x[..., places.clamp(0, depth - 1)]  # (B, C, H, W, slabs, seen)
        slabs = slabs.permute(0, 4, 1, 5, 2, 3).flatten(0, 1).flatten(1, 2)
        return F.pixel_unshuffle(slabs, 2)

    def _stem(self, slabs: Tensor) -> Tensor:
        """First convolution; channels that are left out of the input are zero and cost nothing."""
        number = slabs.shape[1]
        with torch.autocast(slabs.device.type, enabled=False):  # small differences of large numbers
            white = F.conv2d(slabs[:, : self.seen].float(), self.whitening[:, :, None, None])
        known = torch.cat([white, slabs[:, self.seen :].float()], dim=1)
        return F.conv2d(known, self.stem.weight[:, :number], self.stem.bias, padding=1)

    def _corrections(self, slabs: Tensor, levels: Tensor | None) -> Tensor:
        """Last convolution, of each volume its own where there are levels."""
        if levels is None or self.heads is None:
            return self.head(slabs)
        own = torch.einsum("bk,koihw->boihw", levels, self.heads.unflatten(0, (levels.shape[1], -1)))
        own = F.pad(own, (0, 0, 0, 0, 0, 0, 0, len(self.head.weight) - own.shape[1])) + self.head.weight
        volumes = slabs.unflatten(0, (len(levels), -1))
        done = [
            F.conv2d(volumes[number], own[number].reshape(self.head.weight.shape), self.head.bias, padding=1)
            for number in range(len(levels))
        ]
        return torch.cat(done)

    def _volumes(self, slabs: Tensor, x: Tensor) -> Tensor:
        slices = F.pixel_shuffle(slabs, 2)  # (B * slabs, out * slab, H, W)
        slices = slices.unflatten(1, (-1, self.slab)).unflatten(0, (len(x), -1))  # (B, slabs, out, slab, H, W)
        return slices.permute(0, 2, 4, 5, 1, 3).flatten(4)[..., : x.shape[-1]]


def markov_whitening(slices: int) -> Tensor:
    """Matrix that decorrelates the pixels of a 2x2 square through some slices, were the head a Markov random field.

    Nearby pixels are almost alike: without this, all that a network sees at first is their mean, and it learns the rest
    a hundred times more slowly.

    Args:
        slices: number of slices.

    Returns:
        Inverse square root of the matrix of second moments, shape ``(4 * slices, 4 * slices)``.
    """
    place = torch.arange(max(slices, 2), dtype=torch.float64)
    correlation = NEIGHBOURS ** (place[:, None] - place).abs()
    square = torch.kron(correlation[:2, :2], correlation[:2, :2])
    moments = VARIANCE * torch.kron(correlation[:slices, :slices], square) + SQUARED_MEAN
    values, vectors = torch.linalg.eigh(moments + NOISE**2 * torch.eye(len(moments), dtype=torch.float64))
    return ((vectors / values.sqrt()) @ vectors.T).float()


def _blocks(channels: int, number: int) -> nn.Sequential:
    return nn.Sequential(*[ResidualBlock(channels) for _ in range(number)])


def _per_slab(values: Tensor, slabs: int) -> Tensor:
    """A number per volume and channel, ``(B, C)``, for each of its slabs, ``(B * slabs, C, 1, 1)``."""
    return values[:, None].expand(-1, slabs, -1).flatten(0, 1)[:, :, None, None]


def _start_at_zero(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
