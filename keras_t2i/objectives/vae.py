"""A picture goes through a distribution of codes and back: rate and distortion, in nats."""

import math

import keras
from keras import ops

from keras_t2i.training.objective import Objective
from keras_t2i.training.objective import freeze
from keras_t2i.utils.images import psnr
from keras_t2i.utils.images import to_float

ACTIVE = 0.01  # nats above which a latent number counts as active
TURNED = 4  # one picture in so many is turned by the equivariance regulariser


def gaussian_kl(mean, log_variance, other_mean=0.0, other_log_variance=0.0):
    """Divergence KL(N(mean, variance) || N(other)) of each number, in nats: by default from N(0, 1).

    Float tensors of shapes that go together, to their shape (Kingma and Welling 2014, arXiv 1312.6114,
    appendix B, for any second Gaussian).
    """
    log_ratio = log_variance - other_log_variance
    distance = ops.square(mean - other_mean) * ops.exp(ops.negative(other_log_variance))
    return 0.5 * (ops.exp(log_ratio) - log_ratio - 1.0 + distance)


def reparameterize(mean, log_variance, noise):
    """Standard normal noise as a draw from N(mean, variance); gradients reach both (ibid., section 2.4)."""
    return mean + ops.exp(0.5 * log_variance) * noise


def negative_log_likelihood(error, deviation=None, floor=1e-5):
    """Nats of a number by a Gaussian of one deviation for all, from mean square errors.

    Args:
        error: float `(n,)`, mean square error of each picture.
        deviation: float, the Gaussian's; `None`: the one under which the batch is likeliest, the root of its
            mean square error (sigma-VAE: Rybkin et al. 2021, arXiv 2006.13202).
        floor: float, smallest variance, so that no batch counts as infinitely likely.

    Returns:
        Float `(n,)`, nats per number.
    """
    # The likelihood is level at the fitted variance: no gradient is lost by stopping it there.
    fitted = ops.stop_gradient(ops.maximum(ops.mean(error), floor))
    variance = fitted if deviation is None else deviation**2
    return 0.5 * (ops.log(2.0 * math.pi * variance) + error / variance)


def box_downsample(grids, factor):
    """Means of blocks of `factor` by `factor` pixels, `(n, h, w, c)` to `(n, h / factor, w / factor, c)`."""
    return ops.average_pool(grids, factor, factor, data_format="channels_last")


def turn(grids):
    """A quarter turn, two and three, for one picture after the other: `(n, h, h, c)` to the same."""
    quarters = ops.reshape(ops.arange(ops.shape(grids)[0], dtype="int32") % 3, (-1, 1, 1, 1))
    once, twice, thrice = (ops.rot90(grids, k, axes=(1, 2)) for k in (1, 2, 3))
    return ops.where(quarters == 0, once, ops.where(quarters == 1, twice, thrice))


@keras.saving.register_keras_serializable(package="keras_t2i")
class Variational(Objective):
    """The evidence lower bound of a variational autoencoder (arXiv 1312.6114).

    The loss is the sum of rate and distortion, divided by the number of a picture's numbers. The rate is the
    divergence of posterior and prior: what the latents cost. The distortion is the negative logarithm of the
    picture's likelihood given the latents: what the decoder got wrong. Metrics are in nats per picture.

    In validation noise depends on the place in the batch alone, and beta is not warmed up.

    Args:
        network: `VAE`.
        dual_encoder: `DualEncoder` whose text tower makes the concepts of a conditional VAE; frozen here.
        beta: float, 0 or more, factor of the rate (beta-VAE, Higgins et al. 2017).
        warm_up: int, steps in which it rises from 0 to `beta`.
        free_bits: float, 0 or more: nats that each latent number may cost, on average over the batch, for
            nothing (Kingma et al. 2016, arXiv 1606.04934).
        pixel_deviation: float, standard deviation of a pixel about the decoder's output; `None`: fitted to
            each batch, see `negative_log_likelihood`.
        equivariance: float, 0 or more, weight of the distortion where latents are downsampled to a half
            and a quarter or turned, and what comes out should be the picture so changed. Smooth latents are
            easier for diffusion (EQ-VAE, arXiv 2502.09509; there the changed picture takes the place of the
            plain one at times, here it comes beside it).
        kwargs: `averages` and `seed` of `Objective`.

    Batches: `{"images": uint8 (n, s, s, 3)}`, of a conditional VAE also `"token_ids": int32 (n, l)`.

    Metrics: the loss; `reconstruction` and `kl`, distortion and rate in nats per picture; `active`, share of
    the latent numbers that cost more than 0.01 nats; `psnr` in dB of what is drawn from the latents; with
    `equivariance` that of what is drawn from the changed ones.

    Raises: ValueError for a number out of range, or a dual encoder missing, not needed or of another size.
    """

    needs_whole_batch = True  # the deviation is fitted to the batch

    def __init__(
        self,
        network,
        dual_encoder=None,
        beta=1.0,
        warm_up=0,
        free_bits=0.0,
        pixel_deviation=None,
        equivariance=0.0,
        **kwargs,
    ):
        super().__init__(network, **kwargs)
        numbers = {"beta": beta, "warm_up": warm_up, "free_bits": free_bits, "equivariance": equivariance}
        for name, value in numbers.items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be 0 or more, received {value}")
        if pixel_deviation is not None and not pixel_deviation > 0:
            raise ValueError(f"pixel_deviation must be above 0, received {pixel_deviation}")
        said = None if dual_encoder is None else dual_encoder.code_dim
        if said != network.concept_dim:
            raise ValueError(
                f"the VAE takes concepts of {network.concept_dim} numbers, the dual encoder makes {said}: "
                "give a conditional VAE (concept_dim) a dual encoder of its size, another none"
            )
        self.dual_encoder = None if dual_encoder is None else freeze(dual_encoder)
        self.beta, self.warm_up, self.free_bits = beta, warm_up, free_bits
        self.pixel_deviation, self.equivariance = pixel_deviation, equivariance
        names = ["reconstruction", "kl", "active", "psnr", *(["equivariance"] if equivariance else [])]
        self.watched = [keras.metrics.Mean(dtype="float32", name=name) for name in names]

    def call(self, x, training=False):
        """A dict: the posterior and the prior of each picture, latents drawn from the former, and a picture
        drawn from these."""
        network = self.chosen(training)
        posterior = network.posterior(to_float(x["images"]), training=training)
        mean, log_variance = posterior["mean"], posterior["log_variance"]
        seed = self.seed_generator if training else 0
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=seed)
        latents = network.grids(reparameterize(mean, log_variance, noise))
        drawn = network.drawers[network.latent_grid[0]](latents, training=training)
        prior = {"mean": ops.zeros_like(mean), "log_variance": ops.zeros_like(mean)}
        if self.dual_encoder is not None:
            concepts = ops.stop_gradient(self.dual_encoder.encode_text(x["token_ids"]))
            prior = network.prior(concepts, training=training)
        return {"posterior": posterior, "prior": prior, "latents": latents, "drawn": drawn}

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        true, drawn = to_float(x["images"]), y_pred["drawn"]
        numbers = math.prod(true.shape[1:])
        distortion = ops.mean(self.distortion(true, drawn))
        posterior, prior = y_pred["posterior"], y_pred["prior"]
        kl = gaussian_kl(posterior["mean"], posterior["log_variance"], prior["mean"], prior["log_variance"])
        kl = ops.mean(kl, axis=0)  # of each latent number
        rate = ops.sum(ops.maximum(kl, self.free_bits))
        loss = distortion + self.beta_now(training) * rate / numbers
        active = ops.mean(ops.cast(kl > ACTIVE, "float32"))
        values = [distortion * numbers, ops.sum(kl), active, ops.mean(psnr(true, drawn))]
        if self.equivariance:
            pairs = self.changed(true, y_pred["latents"], training)
            distortions = [ops.mean(self.distortion(*pair)) for pair in pairs]
            loss = loss + self.equivariance * sum(distortions) / len(pairs)
            values.append(sum(ops.mean(psnr(*pair)) for pair in pairs) / len(pairs))
        for metric, value in zip(self.watched, values, strict=True):
            metric.update_state(ops.stop_gradient(value))
        return loss

    def distortion(self, true, drawn):
        """Nats per number of each picture: float `(n, h, w, 3)` twice, to `(n,)`."""
        error = ops.mean(ops.square(true - drawn), axis=(1, 2, 3))
        return negative_log_likelihood(error, self.pixel_deviation)

    def beta_now(self, training):
        if not (training and self.warm_up):
            return self.beta
        return self.beta * ops.minimum(self.steps / self.warm_up, 1.0)

    def changed(self, true, latents, training):
        """Pairs of changed pictures, and what is drawn of latents changed alike.

        Small pictures are quickly drawn, so all are downsampled; of turned ones a part must do. Which
        change a picture meets depends on its place in the batch, and that is random enough.
        """
        network, side = self.chosen(training), latents.shape[1]
        pairs = []
        for smaller, drawer in network.drawers.items():
            if smaller < side:
                factor = side // smaller
                drawn = drawer(box_downsample(latents, factor), training=training)
                pairs.append((box_downsample(true, factor), drawn))
        few = (ops.shape(true)[0] + TURNED - 1) // TURNED
        drawn = network.drawers[side](turn(latents[:few]), training=training)
        return [*pairs, (turn(true[:few]), drawn)]
