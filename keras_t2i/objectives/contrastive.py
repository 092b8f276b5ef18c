"""Text and picture in one embedding space, by contrast (CLIP, SigLIP)."""

import keras
import numpy as np
from keras import ops

from keras_t2i.training.backend import fori_loop
from keras_t2i.training.backend import split
from keras_t2i.training.backend import value_and_gradients
from keras_t2i.training.stepped_objective import SteppedObjective
from keras_t2i.utils.images import to_float

MASKED_LOGIT = -1e9  # a softmax turns it into zero


def same_meaning(token_ids, groups=None):
    """Which pairs of a batch mean the same, so that neither may count as a negative of the other.

    Args:
        token_ids: int `(n, l)`; equal rows are equal captions.
        groups: optional int `(n,)`; equal numbers are equal pictures.

    Returns:
        bool `(n, n)`, True on the diagonal.
    """
    same = ops.all(ops.expand_dims(token_ids, 0) == ops.expand_dims(token_ids, 1), axis=-1)
    if groups is not None:
        same = ops.logical_or(same, ops.expand_dims(groups, 0) == ops.expand_dims(groups, 1))
    return same


def clip_loss(scores, same):
    """Symmetric cross-entropy over a batch's matrix of scores (CLIP, arXiv 2103.00020, figure 3).

    Args:
        scores: float32 `(n, n)`, scaled cosines; rows are pictures, columns captions.
        same: bool `(n, n)` of `same_meaning`; off the diagonal these are left out of the negatives.

    Returns:
        float32 scalar; ln n where all scores are equal.
    """
    n = ops.shape(scores)[0]
    diagonal = ops.eye(n, dtype="bool")
    scores = ops.where(ops.logical_and(same, ops.logical_not(diagonal)), MASKED_LOGIT, scores)
    right = ops.diagonal(scores)
    of_pictures = ops.logsumexp(scores, axis=1) - right
    of_captions = ops.logsumexp(scores, axis=0) - right
    return ops.mean(of_pictures + of_captions) / 2


def siglip_loss(scores, same):
    """Binary cross-entropy of every pair by itself, right or wrong (SigLIP, arXiv 2303.15343, algorithm 1).

    Arguments as of `clip_loss`; `scores` include the learned bias. Returns the sum over all pairs,
    divided by the number of pictures.
    """
    n = ops.shape(scores)[0]
    diagonal = ops.eye(n, dtype="bool")
    losses = ops.softplus(ops.where(diagonal, -scores, scores))
    counted = ops.logical_or(diagonal, ops.logical_not(same))
    return ops.sum(ops.where(counted, losses, 0.0)) / ops.cast(n, "float32")


@keras.saving.register_keras_serializable(package="keras_t2i")
class ContrastiveAlignment(SteppedObjective):
    """Embeddings of a picture and of its caption attract, all others in the batch repel.

    With `micro_batches` the towers see the batch part by part: all parts are embedded first, the gradient of
    the loss is taken with respect to the embeddings, and its product with their Jacobian is accumulated over
    the parts (GradCache, arXiv 2101.06983). The step is that of the whole batch, at the memory of one part.

    Args:
        network: `DualEncoder`.
        kind: "clip" or "siglip".
        micro_batches: int, in how many parts a batch is embedded; divides the batch size.
        kwargs: `averages` and `seed` of `Objective`.

    Batches: `{"images": uint8 (n, s, s, 3), "token_ids": int32 (n, l), "groups": int (n,)}`.
    """

    needs_whole_batch = True  # every picture is compared with every caption
    losses_by_kind = {"clip": (clip_loss, 1 / 0.07, 0.0), "siglip": (siglip_loss, 10.0, -10.0)}

    def __init__(self, network, kind="clip", micro_batches=1, **kwargs):
        super().__init__(network, **kwargs)
        if kind not in self.losses_by_kind:
            raise ValueError(f"kind must be one of {sorted(self.losses_by_kind)}, received {kind!r}")
        self.kind, self.micro_batches = kind, micro_batches
        self.pair_loss, scale, bias = self.losses_by_kind[kind]
        constant = keras.initializers.Constant
        self.log_scale = self.add_weight(
            shape=(), initializer=constant(float(np.log(scale))), name="log_scale"
        )
        self.bias = self.add_weight(
            shape=(), initializer=constant(bias), trainable=kind == "siglip", name="bias"
        )
        self.accuracy = keras.metrics.Mean(dtype="float32", name="accuracy")

    def call(self, x, training=False):
        codes = self.chosen(training)(
            {"images": to_float(x["images"]), "token_ids": x["token_ids"]}, training=training
        )
        return codes["image_codes"], codes["text_codes"]

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        image_codes, text_codes = y_pred
        same = same_meaning(x["token_ids"], x.get("groups"))
        cosines = ops.matmul(image_codes, ops.transpose(text_codes))
        scale = ops.exp(ops.minimum(self.log_scale, float(np.log(100.0))))  # as CLIP clips it
        scores = cosines * scale + self.bias
        self.accuracy.update_state(accuracy(cosines, same))
        return self.pair_loss(scores, same)

    def step(self, x):
        if self.micro_batches == 1:
            return super().step(x)
        network, parts = self.network.trainable_variables, self.micro_batches
        own = [self.log_scale, self.bias] if self.bias.trainable else [self.log_scale]
        x_of = split(x, parts)
        random_state = [(state, ops.copy(state.value)) for state in self.random_state()]

        def embed(i, codes):
            found = self({k: v[i] for k, v in x_of.items()}, training=True)
            place = ops.reshape(ops.one_hot(i, parts, dtype="float32"), (parts, 1, 1))
            return [c + place * ops.stop_gradient(f) for c, f in zip(codes, found, strict=True)]

        size = (parts, ops.shape(x_of["token_ids"])[1], self.network.code_dim)
        codes = fori_loop(self, embed, [ops.zeros(size, "float32") for _ in range(2)], parts)
        codes = [ops.reshape(c, (-1, self.network.code_dim)) for c in codes]
        loss, gradients = self.gradients_of(lambda *c: self.compute_loss(x, y_pred=c), own, codes)
        by_codes = split(gradients[len(own) :], parts)

        for state, value in random_state:
            state.assign(value)  # the second pass draws what the first has drawn

        def accumulate(i, total):
            def vjp():  # the gradient of this sum: that with respect to the codes times the codes' Jacobian
                found = self({k: v[i] for k, v in x_of.items()}, training=True)
                return sum(ops.sum(f * d[i]) for f, d in zip(found, by_codes, strict=True))

            return [t + g for t, g in zip(total, value_and_gradients(self, vjp, network)[1], strict=True)]

        total = fori_loop(self, accumulate, [ops.zeros(v.shape, v.dtype) for v in network], parts)
        self.apply_gradients([*gradients[: len(own)], *total], [*own, *network])
        return loss


def accuracy(cosines, same):
    """1 where a picture's nearest caption means what its own does, float32 `(n,)`. Both args are `(n, n)`."""
    nearest = ops.one_hot(ops.argmax(cosines, axis=1), ops.shape(cosines)[1], dtype="float32")
    return ops.sum(nearest * ops.cast(same, "float32"), axis=1)
