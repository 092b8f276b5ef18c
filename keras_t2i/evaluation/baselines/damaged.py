"""Real pictures with known damage: what a figure between floor and ceiling stands for."""

import numpy as np
from PIL import Image
from PIL import ImageFilter

from keras_t2i.evaluation.baselines.baselines import RealPictures
from keras_t2i.utils.random_streams import random_stream


def grained(pictures, level):
    """uint8 `(n, s, s, 3)` with Gaussian noise of deviation `level`, of 255, in every number."""
    noise = random_stream(0, "grain").standard_normal(pictures.shape, dtype="float32")
    return np.clip(np.rint(pictures + np.float32(level) * noise), 0, 255).astype("uint8")


def blurred(pictures, deviation=0.5):
    """uint8 `(n, s, s, 3)` through a Gaussian of so many pixels' deviation."""
    blur = ImageFilter.GaussianBlur(deviation)
    return np.stack([np.asarray(Image.fromarray(picture).filter(blur)) for picture in pictures])


def shifted(pictures, pixels=1):
    """uint8 `(n, s, s, 3)` moved to the right; the column at the left is repeated."""
    return np.concatenate([pictures[:, :, :1]] * pixels + [pictures[:, :, :-pixels]], axis=2)


def through_pixels(pictures, size=8):
    """uint8 `(n, s, s, 3)` made small, means of what falls together, and large again (bicubic)."""
    large = pictures.shape[1:3]
    return np.stack(
        [
            np.asarray(
                Image.fromarray(picture)
                .resize((size, size), Image.Resampling.BOX)
                .resize(large[::-1], Image.Resampling.BICUBIC)
            )
            for picture in pictures
        ]
    )


class DamagedPictures(RealPictures):
    """The real picture of each plain caption, damaged.

    Args:
        data: `CaptionedImages`.
        damage: function of uint8 `(n, s, s, 3)` to the same.
        name: str, what is done, such as "through 8x8 pixels".
    """

    kind = "baseline"

    def __init__(self, data, damage, name):
        super().__init__(data)
        self.name, self.text = f"real pictures, {name}", f"The real picture of each caption, {name}."
        self._damage = damage

    def generate(self, prompts, seed=0, batch_size=64):
        return self._damage(super().generate(prompts, seed, batch_size))
