# SPDX-License-Identifier: Apache-2.0
"""The terms on the latent, and the reconstruction terms, against independent references and their limits."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

from scripts.losses import (
    AttributeExchange,
    AttributeRegularisation,
    AutoencoderLoss,
    ClassOverlap,
    InfoNCE,
    KLDivergence,
    LinearConstraint,
    SquaredError,
    attribute_loss,
)
from scripts.networks.latent import DenseAutoencoder, JointAutoencoder, JointLatents, Latents, VariationalAutoencoder

IMAGE = torch.zeros(2, 1, 4, 4)


class Leaves(torch.nn.Module):
    """A network that has left these latents."""

    def __init__(self, latents: Latents, passes: int = 0) -> None:
        super().__init__()
        self.latents = latents
        self.training_passes = torch.tensor(passes)


def posterior(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(7, 3, generator=generator), torch.randn(7, 3, generator=generator)


def test_kl_is_that_of_torch():
    mu, logvar = posterior()
    expected = kl_divergence(Normal(mu, torch.exp(0.5 * logvar)), Normal(0, 1)).sum(1).mean()
    torch.testing.assert_close(KLDivergence()(IMAGE, IMAGE, Leaves(Latents(mu, mu, logvar))), expected)


def test_kl_of_the_prior_is_zero():
    zeros = torch.zeros(4, 2)
    assert KLDivergence()(IMAGE, IMAGE, Leaves(Latents(zeros, zeros, zeros))) == 0


def test_capacity_rises_linearly_and_stays():
    term = KLDivergence(capacity=10.0, capacity_steps=4)
    assert [term.capacity_at(step) for step in (0, 1, 2, 4, 9)] == [0.0, 2.5, 5.0, 10.0, 10.0]
    mu, logvar = posterior()
    kl = float(KLDivergence()(IMAGE, IMAGE, Leaves(Latents(mu, mu, logvar))))
    for passes, capacity in [(0, 0.0), (2, 5.0), (50, 10.0)]:
        value = term(IMAGE, IMAGE, Leaves(Latents(mu, mu, logvar), passes))
        assert float(value) == pytest.approx(abs(kl - capacity), rel=1e-5)


def test_the_schedule_follows_the_network_through_a_resumed_training():
    torch.manual_seed(0)
    settings = {"spatial_shape": (8, 8), "channels": (2, 2, 2), "latent_size": 2}
    network = VariationalAutoencoder(**settings)
    term = KLDivergence(capacity=1000.0, capacity_steps=10)
    loss = AutoencoderLoss(SquaredError(), [term], network)
    x = torch.rand(4, 1, 8, 8)
    for _ in range(5):
        network(x)
    assert loss(network.eval()(x), x) > 0
    resumed = VariationalAutoencoder(**settings)
    resumed.load_state_dict(network.state_dict())
    with torch.no_grad():
        resumed.eval()(x)
    assert float(term(x, x, resumed)) == pytest.approx(500, abs=20)  # 5 of 10 batches, minus a small divergence


def double_loop(z: list[float], a: list[float], delta: float) -> float:
    """The attribute loss as it is written in the paper."""
    total, pairs = 0.0, 0
    for zi, ai in zip(z, a, strict=True):
        for zj, aj in zip(z, a, strict=True):
            if math.isnan(ai) or math.isnan(aj):
                continue
            sign = (ai > aj) - (ai < aj)
            total += abs(math.tanh(delta * (zi - zj)) - sign)
            pairs += 1
    return total / pairs


@pytest.mark.parametrize("delta", [0.5, 16.0])
def test_attribute_loss_is_the_double_loop(delta):
    z = [0.3, -0.1, 0.25, 0.9, 0.0]
    a = [5.0, 5.0, -2.0, math.nan, 7.5]
    value = attribute_loss(torch.tensor(z), torch.tensor(a), delta)
    assert float(value) == pytest.approx(double_loop(z, a, delta), rel=1e-5)


def test_attribute_loss_is_small_only_in_the_right_order():
    a = torch.tensor([1.0, 2.0, 3.0])
    assert attribute_loss(a * 10, a, 16.0) < 1e-6
    assert attribute_loss(-a * 10, a, 16.0) == pytest.approx(2 * 6 / 9)  # six of nine pairs are unequal
    assert attribute_loss(a, torch.full((3,), math.nan), 16.0) == 0


def test_attribute_regularisation_sums_over_the_sampled_dimensions():
    z = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    attributes = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    value = AttributeRegularisation(delta=3.0)(IMAGE, IMAGE, Leaves(Latents(z * 0, z, None, None, attributes)))
    expected = sum(double_loop(z[:, i].tolist(), attributes[:, i].tolist(), 3.0) for i in range(3))
    assert float(value) == pytest.approx(expected, rel=1e-5)


def test_linear_constraint_is_the_squared_error_of_the_known():
    neuron = torch.tensor([[0.5], [1.0], [3.0]])
    attributes = torch.tensor([[0.0, 60.0], [0.0, 50.0], [0.0, math.nan]])
    latents = Latents(neuron, neuron, None, neuron, attributes)
    value = LinearConstraint(attribute=1, shift=40.0, scale=20.0)(IMAGE, IMAGE, Leaves(latents))
    assert float(value) == pytest.approx(((0.5 - 1.0) ** 2 + (1.0 - 0.5) ** 2) / 2)


def test_elbo_is_minus_the_log_likelihood_plus_kl():
    torch.manual_seed(0)
    network = VariationalAutoencoder(spatial_shape=(8, 8), channels=(2, 2, 2), latent_size=2)
    x = torch.rand(4, 1, 8, 8)
    prediction = network(x)
    loss = AutoencoderLoss(SquaredError(alpha=1 / (2 * 0.04)), [KLDivergence(1.5)], network)(prediction, x)
    likelihood = Normal(prediction, 0.2).log_prob(x).sum((1, 2, 3)).mean()
    constant = 64 * (0.5 * math.log(2 * math.pi) + math.log(0.2))
    mu, _, logvar, *_ = network.latents
    kl = kl_divergence(Normal(mu, torch.exp(0.5 * logvar)), Normal(0, 1)).sum(1).mean()
    torch.testing.assert_close(loss, -likelihood - constant + 1.5 * kl, rtol=1e-4, atol=1e-4)


def test_class_overlap_of_probabilities():
    target = torch.nn.functional.one_hot(torch.tensor([[[0, 1], [1, 1]]]), 2).movedim(-1, 1).float()
    assert ClassOverlap()(target, target) < 1e-3
    half = torch.full_like(target, 0.5)
    dice = 2 * 1.5 / (2.0 + 3.0)  # of class 1: three pixels of four, half of each
    assert float(ClassOverlap(lambda_ce=0.1)(half, target)) == pytest.approx(1 - dice + 0.1 * math.log(2), abs=1e-4)


def test_errors_say_what_is_missing():
    code = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="KLDivergence reads the latents of the last batch, but Linear left none"):
        KLDivergence()(IMAGE, IMAGE, torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="KLDivergence needs a posterior, which Leaves does not have"):
        KLDivergence()(IMAGE, IMAGE, Leaves(Latents(code, code)))
    with pytest.raises(ValueError, match="needs the attributes of each image, the batch has none"):
        AttributeRegularisation()(IMAGE, IMAGE, Leaves(Latents(code, code)))
    with pytest.raises(ValueError, match="4 attributes need as many latent dimensions, the network has 3"):
        AttributeRegularisation()(IMAGE, IMAGE, Leaves(Latents(code, code, attributes=torch.zeros(2, 4))))
    with pytest.raises(ValueError, match="LinearConstraint needs a neuron, which Leaves does not have"):
        LinearConstraint(0)(IMAGE, IMAGE, Leaves(Latents(code, code)))
    with pytest.raises(ValueError, match="attribute 1 does not exist: the batch has 1"):
        LinearConstraint(1)(IMAGE, IMAGE, Leaves(Latents(code, code, None, code, code[:, :1])))
    with pytest.raises(ValueError, match="left none"):
        KLDivergence()(IMAGE, IMAGE, DenseAutoencoder(spatial_shape=(8, 8)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KLDivergence(capacity=-1), "capacity must be 0 nats or more, got -1"),
        (lambda: KLDivergence(capacity_steps=0), "capacity_steps must be at least 1, got 0"),
        (lambda: AttributeRegularisation(delta=0), "delta must be positive, got 0"),
        (lambda: LinearConstraint(-1), "attribute must be an index, 0 or more, got -1"),
        (lambda: LinearConstraint(0, scale=0), "scale must be positive, got 0"),
        (lambda: SquaredError(0), "alpha must be positive, got 0"),
    ],
)
def test_wrong_numbers_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


IMAGE = torch.zeros(2, 1, 4, 4)


class LeavesDirections(torch.nn.Module):
    """A network that has left these directions."""

    def __init__(self, image: torch.Tensor, mask: torch.Tensor, scale: float) -> None:
        super().__init__()
        self.latents = Latents(image, image, joint=JointLatents(image, mask, torch.tensor(scale)))


def directions(seed: int, count: int = 5) -> torch.Tensor:
    return F.normalize(torch.randn(count, 3, generator=torch.Generator().manual_seed(seed)), dim=1)


def value(image: torch.Tensor, mask: torch.Tensor, scale: float) -> float:
    return float(InfoNCE()(IMAGE, IMAGE, LeavesDirections(image, mask, scale)))


def test_it_is_the_mean_of_the_cross_entropies_both_ways():
    image, mask = directions(0), directions(1)
    rows = [F.cross_entropy(3.0 * mask @ image[i], torch.tensor(i)) for i in range(5)]
    columns = [F.cross_entropy(3.0 * image @ mask[i], torch.tensor(i)) for i in range(5)]
    assert value(image, mask, 3.0) == pytest.approx(float(sum(rows + columns)) / 10, rel=1e-5)


def test_two_pairs_by_hand():
    image = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    mask = torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    s, log_sum = 2.0, lambda *x: math.log(sum(math.exp(v) for v in x))
    images = (log_sum(0.6 * s, 0.0) - 0.6 * s) + (log_sum(0.8 * s, s) - s)
    masks = (log_sum(0.6 * s, 0.8 * s) - 0.6 * s) + (log_sum(0.0, s) - s)
    assert value(image, mask, s) == pytest.approx((images + masks) / 4, rel=1e-5)


def test_equal_directions_are_chance_and_right_ones_nothing():
    assert value(directions(0)[:1].repeat(7, 1), directions(1)[:1].repeat(7, 1), 9.0) == pytest.approx(math.log(7))
    assert value(torch.eye(4), torch.eye(4), 100.0) < 1e-6


def test_the_gradient_turns_pairs_towards_each_other():
    image, mask = directions(0), directions(1).requires_grad_()
    before = value(image, mask.detach(), 3.0)
    InfoNCE()(IMAGE, IMAGE, LeavesDirections(image, mask, 3.0)).backward()
    after = value(image, F.normalize(mask.detach() - 0.1 * mask.grad, dim=1), 3.0)
    assert after < before


def test_a_network_without_directions_is_refused():
    network = torch.nn.Linear(1, 1)
    network.latents = Latents(IMAGE, IMAGE)
    with pytest.raises(ValueError, match="needs directions of images and masks, which Linear does not have"):
        InfoNCE()(IMAGE, IMAGE, network)
    with pytest.raises(ValueError, match="reads the latents of the last batch, but JointAutoencoder left none"):
        InfoNCE()(IMAGE, IMAGE, JointAutoencoder(spatial_shape=(16, 16), image_features=(2,)))


class Linear(torch.nn.Module):
    """Codes of two numbers are images of two pixels; the decoder obeys the first number by a share."""

    def __init__(self, share: float, attributes: torch.Tensor, codes: torch.Tensor) -> None:
        super().__init__()
        self.encoder, self.mu = torch.nn.Flatten(), torch.nn.Linear(2, 2, bias=False)
        torch.nn.init.eye_(self.mu.weight)
        self.share = torch.nn.Parameter(torch.tensor([share, 1.0]))
        self.latents = Latents(codes, codes, attributes=attributes)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        assert not self.training  # as in evaluation
        return (z * self.share)[:, None]


@pytest.mark.parametrize(("share", "expected"), [(1.0, 0.0), (0.5, 0.25), (0.0, 1.0)])
def test_exchange_is_the_squared_distance_from_what_was_asked_in_units_of_the_spread(share: float, expected: float):
    codes = torch.tensor([[-3.0, 7.0], [1.0, 0.0], [3.0, 9.0], [-1.0, 4.0]])
    network = Linear(share, torch.tensor([[1.0]]).repeat(4, 1), codes)
    # each image is asked for the value of the one two places away; the mean square of all four is the variance
    assert float(AttributeExchange()(IMAGE, IMAGE, network).detach()) == pytest.approx(expected)
    assert network.training


def test_exchange_teaches_the_decoder_alone_and_leaves_out_what_is_undefined():
    codes = torch.tensor([[-3.0, 7.0], [1.0, 0.0], [3.0, 9.0], [-1.0, 4.0]], requires_grad=True)
    network = Linear(0.5, torch.tensor([[1.0], [float("nan")], [2.0], [3.0]]), codes)
    value = AttributeExchange()(IMAGE, IMAGE, network)
    assert float(value.detach()) == pytest.approx(0.25 * 9 / 5)  # 0 and 2 ask each other for 3 and -3; variance 5
    value.backward()
    assert network.share.grad is not None
    assert codes.grad is None
    assert network.mu.weight.grad is None
    nobody = Linear(0.5, torch.full((4, 1), torch.nan), codes)
    assert float(AttributeExchange()(IMAGE, IMAGE, nobody)) == 0


def test_exchange_lowers_the_error_of_a_real_network_and_keeps_its_statistics():
    torch.manual_seed(0)
    network = VariationalAutoencoder(spatial_shape=(8, 8), in_channels=2, latent_size=3, channels=(4,), strides=(2,))
    images, attributes = torch.rand(6, 2, 8, 8), torch.rand(6, 2)
    optimiser, values = torch.optim.SGD(network.parameters(), 0.1), []
    network(images, attributes=attributes)
    before = {name: value.clone() for name, value in network.named_buffers()}
    for _ in range(20):
        optimiser.zero_grad()
        values.append(AttributeExchange()(images, images, network))
        values[-1].backward()
        optimiser.step()
    assert values[-1] < 0.8 * values[0]
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())


def test_exchange_needs_as_many_dimensions_as_attributes():
    with pytest.raises(ValueError, match="3 attributes need as many latent dimensions, the network has 2"):
        AttributeExchange()(IMAGE, IMAGE, Linear(1.0, torch.rand(4, 3), torch.rand(4, 2)))
