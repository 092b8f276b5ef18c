"""The networks of DALL-E 2, as one: words, the prior, and a U-Net that draws image concepts."""

import keras

from keras_t2i.models.diffusion_backbone import DiffusionBackbone


@keras.saving.register_keras_serializable(package="keras_t2i")
class UnCLIPBackbone(DiffusionBackbone):
    """A U-Net that draws from an image concept, and what the concept is made of (arXiv 2204.06125).

    Args:
        dual_encoder: `DualEncoder`, in whose space the U-Net was trained: its image encoder says what is
            in a given picture.
        unet, guide: `DiffusionUNet`, with an `image_code`.
        prior: `Prior`, text concept to image concept; or `None`: the text concept itself is taken for one,
            which is what the paper's section 5.1 compares the prior with.
        with_text: bool, whether the U-Net was also trained to hear the caption.
        Others as of `DiffusionBackbone`.

    Call: as of `DiffusionBackbone`, with `"image_code": float (n, code_dim)` of length 1 and
    `"image_condition_mask": float (n,)`.
    Raises: ValueError where sizes differ, and for names that there are not.
    """

    nested = (*DiffusionBackbone.nested, "prior")
    image_code = True

    def __init__(self, dual_encoder, unet, *args, prior=None, with_text=True, **kwargs):
        if prior is not None and prior.code_dim != dual_encoder.code_dim:
            raise ValueError(
                f"the prior's concepts have {prior.code_dim} numbers, the dual encoder's "
                f"{dual_encoder.code_dim}"
            )
        super().__init__(dual_encoder, unet, *args, **kwargs)
        # === Config ===
        self.prior = prior
        self.with_text = bool(with_text)

    def get_config(self):
        return {**super().get_config(), "with_text": self.with_text}
