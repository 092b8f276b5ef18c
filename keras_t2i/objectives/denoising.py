"""A picture with noise on it, and its caption: the network learns what the picture was."""

import keras
from keras import ops

from keras_t2i.models.networks.text_encoder import token_features
from keras_t2i.objectives.diffusion import DiffusionObjective
from keras_t2i.objectives.diffusion import check_dropout
from keras_t2i.objectives.diffusion import named
from keras_t2i.training.backend import own_rows
from keras_t2i.training.objective import freeze
from keras_t2i.utils.images import downsample
from keras_t2i.utils.images import to_float

# Where a network has a draft: every noise level counts the same (EDM's weight), and there is little to learn
# where there is nothing but noise.
OVER_A_DRAFT = {"times": {"name": "normal_log_snr", "mean": 1.5, "std": 2.5}, "weight": "edm"}


@keras.saving.register_keras_serializable(package="keras_t2i")
class Denoising(DiffusionObjective):
    """A diffusion model of pictures or latents, conditioned on captions.

    The text encoder is trained before and frozen. To keep its features of all captions would take gigabytes,
    and to compute them anew costs about a hundredth of a step.

    With an image encoder the network is also given the concept (image embedding) of the very picture: it
    learns to draw what has that concept (the decoder of DALL-E 2, arXiv 2204.06125, section 2.1).

    Args:
        network: `DiffusionUNet`, of pictures or of latents.
        text_encoder: `CNNTextEncoder`, frozen here.
        process, parameterization, weight, times: as of `DiffusionObjective`. With a draft, the `data_std` of
            the weight "edm" is by default how far drafts are off: what the network adds to them then counts
            the same at all noise levels.
        caption_dropout: float in [0, 1), how often a caption is withheld in training, so that the network
            can draw without (classifier-free guidance, arXiv 2207.12598). With an image encoder it may be 1:
            no captions at all; 0.5 in the paper.
        data_std: float, root mean square of pictures (in [-1, 1]) or latents.
        image_encoder: `ImageTower` or other Backbone, pictures to embeddings, frozen here; for a network with
            an `image_code`, and only then. Pictures larger than its input are downsampled.
        image_dropout: float in [0, 1), how often the image embedding is withheld in training.
        left_out: float in [0, 1], with a draft, how often in training it is one that does not know the
            picture, as drafts of other captions will not (stacking: Wolpert 1992); where batches have such.
        kwargs: `averages`, `prediction` and `seed` of `DiffusionObjective`.

    Batches: `{"images": uint8 (n, s, s, 3), "token_ids": int32 (n, l)}`; with `"latents"`, float `(n, ...)`,
    these are diffused instead of the pictures. With "left_out_components", float `(n, g, components)`, and
    "left_out_doubt", float `(n, g)`, below 0 for none, of g drafts that do not know the picture
    (`encoding.adapt_draft`).

    Raises: ValueError for an unknown name, a number out of range, and sizes that do not fit.
    """

    def __init__(
        self,
        network,
        text_encoder,
        process="rectified_flow",
        parameterization="x0",
        weight="velocity",
        times="logit_normal",
        caption_dropout=0.1,
        data_std=0.5,
        image_encoder=None,
        image_dropout=0.1,
        left_out=0.5,
        **kwargs,
    ):
        drafted = getattr(network, "draft_features", 0) > 0  # networks of other classes have no draft
        if drafted:
            if abs(network.data_std - data_std) > 1e-6 * data_std:
                raise ValueError(f"data_std is {data_std}, but the network's draft has {network.data_std}")
            if named(weight)["name"] == "edm":
                weight = {"data_std": network.draft_error**0.5, **named(weight)}
        super().__init__(network, process, parameterization, weight, times, data_std, **kwargs)
        sizes = (text_encoder.code_dim, text_encoder.filters), (network.code_dim, network.token_dim)
        if sizes[0] != sizes[1]:
            raise ValueError(
                f"the text encoder's codes and tokens have {sizes[0]} numbers, the network's {sizes[1]}"
            )
        if network.image_code != (image_encoder is not None):
            raise ValueError("image_encoder must be given if the network has an image_code, and only then")
        if image_encoder is None or caption_dropout != 1:
            check_dropout("caption_dropout", caption_dropout)
        check_dropout("image_dropout", image_dropout)
        if image_encoder is not None and image_encoder.code_dim != network.code_dim:
            raise ValueError(
                f"the image encoder's codes have {image_encoder.code_dim} numbers, the network's "
                f"{network.code_dim}"
            )
        if not 0 <= left_out <= 1:
            raise ValueError(f"left_out must be in [0, 1], received {left_out}")
        self.caption_dropout, self.image_dropout, self.left_out = caption_dropout, image_dropout, left_out
        # Past Keras, which would track the layers twice.
        object.__setattr__(self, "_given_drafts", network.with_drafts() if drafted else None)
        self.image_encoder = None if image_encoder is None else freeze(image_encoder)
        self.features = token_features(freeze(text_encoder))

    def get_config(self):
        # With the draft's error: a network that is made anew does not know it before its weights are there.
        return {**super().get_config(), "weight": dict(self.weight)}

    def clean(self, x):
        """The latents, or the pictures in [-1, 1]."""
        return ops.cast(x["latents"], "float32") if "latents" in x else to_float(x["images"])

    def condition(self, x, training):
        n = ops.shape(x["token_ids"])[0]
        mask = self.condition_mask(n, self.caption_dropout, training)
        inputs = {"condition_mask": mask, **self.text_features(x["token_ids"])}
        if self.image_encoder is not None:
            inputs["image_code"] = self.image_embeddings(x["images"])
            inputs["image_condition_mask"] = self.condition_mask(n, self.image_dropout, training)
        if training and self._given_drafts is not None:
            inputs |= self.drafts(inputs, x)
        return inputs

    def chosen(self, training):
        network = super().chosen(training)
        return self._given_drafts if training and self._given_drafts is not None else network

    def drafts(self, inputs, x):
        """Drafts of the network's inputs in training, of each example either the network's own or one of
        those in the batch that do not know its picture: "draft" and "draft_doubt"."""
        draft, doubt = self.network.draft_of(inputs)
        if "left_out_doubt" in x:
            doubts = ops.cast(x["left_out_doubt"], "float32")
            n, choices = ops.shape(doubts)
            uniform = own_rows(
                lambda n: keras.random.uniform((n,), dtype="float32", seed=self.seed_generator), n
            )
            place = ops.floor(uniform * choices / max(self.left_out, 1e-6))  # `choices` or more: its own
            one = ops.cast(ops.expand_dims(place, -1) == ops.arange(choices, dtype="float32"), "float32")
            components = ops.sum(ops.expand_dims(one, -1) * ops.cast(x["left_out_components"], "float32"), 1)
            other_doubt = ops.sum(one * doubts, 1)
            other = self.network.get_layer("draft").array_of(components, inputs[self.network.draft_inputs[1]])
            replaced = ops.logical_and(place < choices, other_doubt >= 0)
            draft = ops.where(ops.reshape(replaced, (-1, 1, 1, 1)), other, draft)
            doubt = ops.where(replaced, other_doubt, doubt)
        return {"draft": ops.stop_gradient(draft), "draft_doubt": ops.stop_gradient(doubt)}

    def image_embeddings(self, images):
        """Of pictures, uint8 `(n, s, s, 3)`: float32 `(n, code_dim)` of length 1."""
        images = downsample(to_float(images), self.image_encoder.image_size)
        codes = self.image_encoder(images, training=False)
        return ops.stop_gradient(ops.normalize(ops.cast(codes, "float32")))

    def text_features(self, token_ids):
        """The text conditioning of captions, int32 `(n, l)`: see `token_features`."""
        features = self.features(token_ids, training=False)
        return {name: ops.stop_gradient(ops.cast(value, "float32")) for name, value in features.items()}
