# SPDX-License-Identifier: Apache-2.0
"""Terms on the latent: divergence from the prior, attributes tied to dimensions, agreement of images and masks.

:class:`KLDivergence` makes an autoencoder variational, :class:`AttributeRegularisation` assigns a dimension to each
attribute (AR-VAE), which the decoder obeys with :class:`AttributeExchange`, :class:`LinearConstraint` makes an
attribute a linear function of the code (constrained VAE), and :class:`InfoNCE` matches images with their masks (CLIP,
CRISP).
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from .regulariser import LatentTerm

__all__ = [
    "AttributeExchange", "AttributeRegularisation", "InfoNCE", "KLDivergence", "LinearConstraint", "attribute_loss",
    "kl_per_dimension",
]  # fmt: skip


def kl_per_dimension(mu: Tensor, logvar: Tensor) -> Tensor:
    r"""Divergence of each latent dimension's posterior from the standard normal distribution.

    .. math:: \mathrm{KL}(N(\mu, \sigma^2) \| N(0, 1)) = -\tfrac12 (1 + \log \sigma^2 - \mu^2 - \sigma^2)

    Args:
        mu: means, ``(B, K)``.
        logvar: logarithms of the variances, ``(B, K)``.

    Returns:
        ``(B, K)``, in nats, >= 0.
    """
    return -0.5 * (1 + logvar - mu.square() - logvar.exp())


class KLDivergence(LatentTerm):
    r"""Kullback-Leibler divergence of the posterior from N(0, I): summed over dimensions, averaged over the batch.

    .. math:: R = \mathrm{KL}(q(z|x) \| N(0, I)) \qquad\text{or, with a capacity,}\qquad R = |\mathrm{KL} - C(t)|

    ``weight`` is beta. The ELBO, :math:`\alpha \lVert x - \hat x \rVert^2 + \beta\, \mathrm{KL}`, is this term with
    :class:`~scripts.losses.SquaredError`; with a mean over n pixels instead of a sum, the same optimum is at
    ``weight`` = :math:`\beta / (\alpha n)`.

    The capacity rises linearly from 0 to ``capacity`` nats over the first ``capacity_steps`` batches of the training,
    which the network counts, and stays there, so that the dimensions come into use one after another.

    Args:
        weight: beta, >= 0.
        capacity: final capacity C in nats; 0 for the plain divergence.
        capacity_steps: number of batches until C is reached.

    Raises:
        ValueError: a parameter is out of range.

    References:
        Higgins et al., beta-VAE, ICLR 2017. Burgess et al., Understanding disentangling in beta-VAE, 2018
        (arXiv:1804.03599), for the capacity.
    """

    def __init__(self, weight: float = 1.0, capacity: float = 0.0, capacity_steps: int = 1) -> None:
        super().__init__(weight)
        if not capacity >= 0:
            raise ValueError(f"capacity must be 0 nats or more, got {capacity}.")
        if not capacity_steps >= 1:
            raise ValueError(f"capacity_steps must be at least 1, got {capacity_steps}.")
        self.capacity = capacity
        self.capacity_steps = capacity_steps

    def capacity_at(self, step: int) -> float:
        """C after ``step`` batches, in nats."""
        return self.capacity * min(1.0, step / self.capacity_steps)

    def forward(self, prediction: Tensor, target: Tensor, network: nn.Module | None) -> Tensor:
        """Return the divergence of the network's last batch, a scalar in nats.

        Raises:
            ValueError: there is no network, or it has no posterior.
        """
        latents = self.latents(network)
        if latents.logvar is None:
            raise ValueError(
                f"KLDivergence needs a posterior, which {type(network).__name__} does not have. "
                "Use scripts.networks.latent.VariationalAutoencoder, or leave the term out."
            )
        kl = kl_per_dimension(latents.mu.float(), latents.logvar.float()).sum(1).mean()
        if self.capacity == 0:
            return kl
        steps = int(cast(Any, getattr(network, "module", network)).training_passes)
        return (kl - self.capacity_at(steps)).abs()


def attribute_loss(z: Tensor, attribute: Tensor, delta: float) -> Tensor:
    r"""Disagreement of a latent dimension with an attribute about the order of the images of a batch.

    .. math:: L = \operatorname{mean}_{i,j} \left| \tanh(\delta (z_i - z_j)) - \operatorname{sign}(a_i - a_j) \right|

    The mean is over the pairs of images that both have the attribute.

    Args:
        z: values of the latent dimension, ``(B,)``.
        attribute: values of the attribute in any unit (only their order counts), ``(B,)``, NaN where undefined.
        delta: steepness of the hyperbolic tangent, > 0.

    Returns:
        Scalar in [0, 2]; 0 where no image has the attribute.
    """
    known = attribute.isfinite()
    z, attribute = z[known], attribute[known]
    if len(z) == 0:
        return z.sum()
    ordered = torch.tanh(delta * (z[:, None] - z[None, :]))
    return (ordered - torch.sign(attribute[:, None] - attribute[None, :])).abs().mean()


class AttributeRegularisation(LatentTerm):
    r"""Make latent dimension l increase with attribute l, for each attribute of the batch.

    .. math:: R = \sum_l \operatorname{mean}_{i,j}
        \left| \tanh(\delta (z_{il} - z_{jl})) - \operatorname{sign}(a_{il} - a_{jl}) \right|

    z is the sampled code. ``weight`` is gamma. Ties (two images without ventricles) pull their codes together.

    Args:
        weight: gamma, >= 0.
        delta: steepness, > 0. The second reference uses gamma 0.1 and delta 16 for cardiac masks.

    Raises:
        ValueError: a parameter is out of range.

    References:
        Pati and Lerch, Attribute-based regularization of latent spaces for variational auto-encoders, Neural Computing
        and Applications 33, 2021 (doi:10.1007/s00521-020-05270-2). Painchaud et al., Echocardiography segmentation
        with enforced temporal consistency, IEEE Transactions on Medical Imaging 41(10), 2022
        (doi:10.1109/TMI.2022.3173669).
    """

    def __init__(self, weight: float = 0.1, delta: float = 16.0) -> None:
        super().__init__(weight)
        if not delta > 0:
            raise ValueError(f"delta must be positive, got {delta}.")
        self.delta = delta

    def forward(self, prediction: Tensor, target: Tensor, network: nn.Module | None) -> Tensor:
        """Return the sum over the attributes, a scalar.

        Raises:
            ValueError: the batch has no attributes, or the network too few dimensions.
        """
        z = self.latents(network).z.float()
        attributes = self.attributes(network)
        _check_dimensions(z, attributes)
        pairs = zip(z.T, attributes.T, strict=False)  # the dimensions beyond the attributes are free
        return torch.stack([attribute_loss(values, attribute, self.delta) for values, attribute in pairs]).sum()


class AttributeExchange(LatentTerm):
    r"""Make the decoder obey the attributes' dimensions: what it decodes is encoded to the value that was asked for.

    .. math:: R = \operatorname{mean}_i \left( \frac{\mu_l(f(z'_i)) - \mu_l(x_j)}{s_l} \right)^2

    Code :math:`z'_i` is the mean of image i with the value of image j in dimension l, one of the attributes'; f decodes
    it as in evaluation, the encoder encodes it; s is the dimension's standard deviation. Only the decoder learns:
    with the encoder it could agree on marks that no attribute has. Pairs without the attribute do not count.

    Reconstruction alone asks for combinations that the data have, in which other dimensions tell most of the slice
    level, too, and the decoder looks at those. :class:`AttributeRegularisation` says which dimension is whose.

    Args:
        weight: factor of the term, >= 0.
    """

    def __init__(self, weight: float = 0.1) -> None:
        super().__init__(weight)

    def forward(self, prediction: Tensor, target: Tensor, network: nn.Module | None) -> Tensor:
        """Return the mean squared error, a scalar; 0 where no pair has the attribute.

        Image i takes the value of the image half a batch away, in dimension i modulo the number of attributes.

        Raises:
            ValueError: the batch has no attributes, or the network too few dimensions.
        """
        mu, known = self.latents(network).mu.detach().float(), self.attributes(network).isfinite()
        _check_dimensions(mu, known)
        model: Any = getattr(network, "module", network)
        rows = torch.arange(len(mu), device=mu.device)
        partner, own = rows.roll(len(mu) // 2), rows % known.shape[1]
        asked, spread, training = mu[partner, own], mu.std(0, correction=0).clamp(min=1e-6)[own], model.training
        model.eval()
        encoder = nn.Sequential(model.encoder, model.mu)
        weights = {name: weight.detach() for name, weight in encoder.state_dict(keep_vars=True).items()}
        found = functional_call(encoder, weights, (model.decode(mu.index_put((rows, own), asked)),))[rows, own].float()
        model.train(training)
        error = ((found - asked) / spread)[known[rows, own] & known[partner, own]]
        return error.square().sum() / max(len(error), 1)


def _check_dimensions(z: Tensor, attributes: Tensor) -> None:
    if z.shape[1] < attributes.shape[1]:
        raise ValueError(
            f"{attributes.shape[1]} attributes need as many latent dimensions, the network has {z.shape[1]}. "
            "Raise its latent_size."
        )


class LinearConstraint(LatentTerm):
    r"""Squared error of an attribute as the network's first linear neuron predicts it from the code.

    .. math:: R = \operatorname{mean}_i \left( w^\top z_i + b - \frac{a_i - m}{s} \right)^2

    Images without the attribute are left out.

    Args:
        attribute: index of the attribute among those of the batch.
        weight: lambda, >= 0.
        shift: offset m, in the unit of the attribute.
        scale: scale s, in the unit of the attribute, > 0; 1 for the slice level, which is in [0, 1].

    Raises:
        ValueError: a parameter is out of range.

    References:
        Painchaud et al., Cardiac segmentation with strong anatomical guarantees, IEEE Transactions on Medical Imaging
        39(11), 2020 (doi:10.1109/TMI.2020.3003240).
    """

    def __init__(self, attribute: int, weight: float = 1.0, shift: float = 0.0, scale: float = 1.0) -> None:
        super().__init__(weight)
        if not attribute >= 0:
            raise ValueError(f"attribute must be an index, 0 or more, got {attribute}.")
        if not scale > 0:
            raise ValueError(f"scale must be positive, got {scale}.")
        self.attribute = attribute
        self.shift = shift
        self.scale = scale

    def forward(self, prediction: Tensor, target: Tensor, network: nn.Module | None) -> Tensor:
        """Return the mean squared error, a scalar; 0 where no image has the attribute.

        Raises:
            ValueError: the network has no neuron, or the batch too few attributes.
        """
        neuron = self.latents(network).neuron
        if neuron is None:
            raise ValueError(
                f"LinearConstraint needs a neuron, which {type(network).__name__} does not have. Set num_neurons: 1 in "
                "network_def."
            )
        attributes = self.attributes(network)
        if self.attribute >= attributes.shape[1]:
            raise ValueError(f"attribute {self.attribute} does not exist: the batch has {attributes.shape[1]}.")
        attribute = (attributes[:, self.attribute] - self.shift) / self.scale
        error = (neuron[:, 0].float() - attribute)[attribute.isfinite()]
        return error.square().sum() / max(len(error), 1)


class InfoNCE(LatentTerm):
    r"""Symmetric cross-entropy of finding the mask of each image, and the image of each mask, in the batch.

    .. math:: R = -\tfrac{1}{2B} \sum_i \left(
        \log \frac{e^{s \langle u_i, v_i \rangle}}{\sum_j e^{s \langle u_i, v_j \rangle}} +
        \log \frac{e^{s \langle u_i, v_i \rangle}}{\sum_j e^{s \langle u_j, v_i \rangle}} \right)

    with the directions u of the images and v of the masks and the learned scale s. In nats; log B at chance level.
    MONAI's ``ContrastiveLoss`` differs: it takes two views of the same kind, and each of its sums includes the
    negatives of both.

    Args:
        weight: factor of the term, >= 0.

    References:
        Radford et al., Learning transferable visual models from natural language supervision, ICML 2021
        (arXiv:2103.00020), figure 3. Judge et al., MICCAI 2022 (arXiv:2206.07664).
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight)

    def forward(self, prediction: Tensor, target: Tensor, network: nn.Module | None) -> Tensor:
        """Return the mean over the batch, a scalar.

        Raises:
            ValueError: the network has no joint space.
        """
        joint = self.latents(network).joint
        if joint is None:
            raise ValueError(
                f"InfoNCE needs directions of images and masks, which {type(network).__name__} does not have. Use "
                "configs/net/joint_autoencoder.yaml with configs/data/image_mask_pairs.yaml."
            )
        logits = joint.scale.float() * joint.image.float() @ joint.mask.float().T  # (B, B), rows: images
        pairs = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2
