"""What a discriminator and a generator want of each other, as plain functions of the first one's scores.

A discriminator gives each picture a score, high for real: `real`, of true pictures, and `fake`, of drawn
ones, float32 `(n,)` each. The losses are float32 scalars, to be made small.
"""

from keras import ops

from keras_t2i.training.backend import value_and_gradients


def nonsaturating_discriminator(real, fake):
    """Cross-entropy of real against drawn (Goodfellow et al. 2014, arXiv 1406.2661, equation 1); 2 ln 2 where
    it cannot tell."""
    return ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))


def nonsaturating_generator(real, fake):
    """-log D(fake) (the same paper, section 3): what a discriminator sees through still has a gradient, where
    that of log(1 - D(fake)) would vanish."""
    return ops.mean(ops.softplus(-fake))


def hinge_discriminator(real, fake):
    """Real should be above 1, drawn below -1, and no further (Lim and Ye 2017, arXiv 1705.02894)."""
    return ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + fake))


def hinge_generator(real, fake):
    """The score itself: its gradient is the same wherever the discriminator stands."""
    return -ops.mean(fake)


def relativistic_discriminator(real, fake):
    """A real picture should be above the drawn one beside it (RpGAN: Jolicoeur-Martineau 2018, arXiv
    1807.00734; Huang et al. 2024, arXiv 2501.05441); ln 2 where it cannot tell.

    Each drawing is compared with a real picture, so that it does not help to draw only what is safe."""
    return ops.mean(ops.softplus(fake - real))


def relativistic_generator(real, fake):
    """The same the other way round."""
    return ops.mean(ops.softplus(real - fake))


LOSSES = {
    "nonsaturating": (nonsaturating_discriminator, nonsaturating_generator),
    "hinge": (hinge_discriminator, hinge_generator),
    "relativistic": (relativistic_discriminator, relativistic_generator),
}


def accuracies(real, fake, middle=0.0):
    """How often the discriminator is right: shares of `real` above and of `fake` below the middle.

    Relativistic scores mean nothing but their differences: `middle` is then `midpoint(real, fake)`.

    Returns:
        Two float32 scalars. 1: it tells at a glance, and the generator learns little; 0.5 of relativistic
        scores: it tells nothing.
    """
    right = ops.cast(real > middle, "float32"), ops.cast(fake < middle, "float32")
    return tuple(ops.mean(share) for share in right)


def midpoint(real, fake):
    """Half way between the two means."""
    return (ops.mean(real) + ops.mean(fake)) / 2


def diversity_ratio(drawn, true):
    """How much drawings of a batch differ from each other, in units of how much the true pictures do.

    Each is compared with the next. Both are float `(n, h, w, c)`. Returns a float32 scalar: 1 where they
    differ as much, 0 where all drawings are one (mode collapse).
    """
    differences = [ops.mean(ops.abs(p - ops.roll(p, 1, axis=0))) for p in (drawn, true)]
    return differences[0] / ops.maximum(differences[1], 1e-6)


MARGIN = 0.1  # beyond black and white, in which a pixel may lie for nothing


def clamp_straight_through(drawn):
    """A drawing as a person sees it: clamped to [-1, 1].

    Gradients pass as if it were not (a straight-through estimator: Bengio et al. 2013, arXiv 1308.3432), so
    that a pixel that is too dark or too bright can come back. But none pass beyond the margin, or an
    adversary would drive pixels ever further out: `out_of_range_penalty` brings those back.
    """
    near = ops.clip(drawn, -1.0 - MARGIN, 1.0 + MARGIN)
    # In this order: the last two add exactly nothing, and white stays exactly white.
    return ops.stop_gradient(ops.clip(near, -1.0, 1.0)) + (near - ops.stop_gradient(near))


def out_of_range_penalty(drawn):
    """How far pixels are beyond the margin, on average: float32 scalar."""
    return ops.mean(ops.relu(ops.abs(drawn) - (1.0 + MARGIN)))


def squared_gradient_norm(objective, score, images):
    """Squared length of the gradient of `score` at each picture, exactly; can be differentiated further.

    Args:
        objective: the model that `score` may use, as in `value_and_gradients`.
        score: function, images to float32 `(n,)`, each depending on its own picture alone.
        images: float32 `(n, h, w, c)`, held fixed.

    Returns:
        float32 `(n,)`.
    """
    _, (gradient,) = value_and_gradients(
        objective, lambda images: ops.sum(score(images)), [], [images], differentiable=True
    )
    return ops.sum(ops.square(gradient), axis=tuple(range(1, len(gradient.shape))))


def squared_gradient_estimate(score, images, noise, step):
    """Squared length of the gradient of `score` at each picture, without a gradient.

    A random step n of standard normal direction changes the score by the gradient's part along it, whose mean
    square is the squared length: E[(D(x + s n) - D(x - s n))^2] / (2 s)^2 = |grad D(x)|^2 + O(s^2), exact in
    the mean where D is of second order. To both sides, for D may have every right to change as much this way
    as that: noisy pictures are not real ones, and a step to one side alone would forbid to say so.

    Args:
        score: function, images `(2 n, h, w, c)` to float32 `(2 n,)`: of those a step on, then a step back.
        images: float `(n, h, w, c)`.
        noise: standard normal, of the images' shape.
        step: float above 0.

    Returns:
        float32 `(n,)`.
    """
    on, back = ops.split(score(ops.concatenate([images + step * noise, images - step * noise])), 2)
    return ops.square((on - back) / (2 * step))
