"""A picture that a person gives: diffusion starts from it, and what is not to be drawn anew is kept."""

import numpy as np
from PIL import Image

from keras_t2i.models.inputs import check_images
from keras_t2i.models.inputs import check_masks
from keras_t2i.models.inputs import check_strength
from keras_t2i.models.inputs import downsample_masks
from keras_t2i.models.stages.start import Start
from keras_t2i.utils.images import in_square
from keras_t2i.utils.images import to_float
from keras_t2i_runtime.tiling import Placement


def given_picture(generator, image, mask, strength, count):
    """What `generate` is given to start from, checked, for `count` pictures: a `GivenPicture`, or `None`.

    Raises:
        TypeError: this generator starts from noise alone.
        ValueError: see `inputs.check_images`, `check_masks`, `check_strength`.
    """
    if (image is not None or mask is not None or strength is not None) and not generator.base.editable:
        raise TypeError("this generator makes a picture in one step: it has no image, mask and strength")
    strength = check_strength(strength, image, mask)
    if image is None:
        return None
    small = check_images(image, generator.image_size, count)
    originals = np.asarray(image)
    originals = np.broadcast_to(originals, (count, *originals.shape[-3:]))
    masks = None if mask is None else check_masks(mask, originals.shape[1:3], count)
    return GivenPicture(generator, small, originals, masks, strength)


class GivenPicture:
    """Given pictures.

    Args:
        generator: `Generator`.
        pictures: uint8 `(n, s, s, 3)`, as the base draws them: on white, where they are not square.
        originals: uint8 `(n, h, w, 3)`, as they were given.
        masks: bool `(n, h, w)`, True where they are drawn anew; or `None`.
        strength: float in (0, 1], the time to start at.
    """

    def __init__(self, generator, pictures, originals, masks, strength):
        self.generator, self.strength = generator, strength
        self.pictures, self.originals, self.masks = pictures, originals, masks
        self.small_masks = None if masks is None else fit_masks(masks, pictures.shape[1])

    def of(self, rows):
        """Those of some rows, encoded."""
        masks = None if self.masks is None else self.masks[rows]
        given = GivenPicture(self.generator, self.pictures[rows], self.originals[rows], masks, self.strength)
        x0 = encode_start(self.generator, to_float(given.pictures))
        small = None if masks is None else downsample_masks(given.small_masks, x0.shape[1])
        given.start = Start(x0, self.strength, small)
        return given

    def kept(self, drawn):
        """Drawn pictures, uint8 `(n, s, s, 3)`, with the known pixels as they were."""
        return drawn if self.masks is None else np.where(self.small_masks, drawn, self.pictures)

    @property
    def window(self):
        """(top, left, height, width) in pixels of the base: where in its square the given picture is."""
        size, (h, w) = self.pictures.shape[1], self.originals.shape[1:3]
        side, top, left = in_square(h, w)
        return top * size / side, left * size / side, size * h / side, size * w / side

    def kept_on(self, drawn, canvas):
        """Drawings at size, with the known pixels of the given pictures, at their full resolution.

        Args:
            drawn: uint8 `(n, height, width, 3 or 4)`; changed in place.
            canvas: `Canvas`.
        """
        if self.masks is None:
            return drawn
        place = Placement.of(*self.originals.shape[1:3], canvas.height, canvas.width)
        shape = place.columns, place.rows
        rows, columns = (
            slice(place.top, place.top + place.rows),
            slice(place.left, place.left + place.columns),
        )
        for out, original, mask in zip(drawn, self.originals, self.masks, strict=True):
            known = np.asarray(Image.fromarray(original).resize(shape, Image.Resampling.LANCZOS))
            anew = np.asarray(Image.fromarray(mask).resize(shape, Image.Resampling.NEAREST))
            part = out[rows, columns]
            part[..., :3] = np.where(anew[..., None], part[..., :3], known)
            if part.shape[-1] == 4:
                part[..., 3] = np.where(anew, part[..., 3], 255)
        return drawn


def fit_masks(masks, size):
    """Masks `(n, h, w)` as of `fit_square`: bool `(n, size, size, 1)`, True where any pixel there is; what
    lies around a picture that is not square is known."""
    n, height, width = masks.shape
    side, top, left = in_square(height, width)
    square = np.zeros((n, side, side), bool)
    square[:, top : top + height, left : left + width] = masks
    firsts = np.arange(size) * side // size
    for axis in (1, 2):
        any_of = np.logical_or.reduceat if side > size else np.take
        square = any_of(square, firsts, axis=axis)
    return square[..., None]


def encode_start(generator, images):
    """Pictures, float32 `(n, s, s, 3)` in [-1, 1], as diffusion works on them: themselves, or latents.

    White stays as white as it was in training: brought back to the threshold, it would not be known.
    """
    base = generator.base
    return images if base.produces == "image" else generator.stage("image").encode(images, base.noise_shape)
