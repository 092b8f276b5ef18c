"""Any picture that Pillow reads as RGB on white, whatever its mode and however it is transparent."""

import numpy as np
from PIL import Image

WHITE_IS_ZERO_TAG = 262  # PhotometricInterpretation
WITH_ALPHA = ("LA", "PA", "RGBA", "La", "RGBa")


def scale_transparency(image):
    """Makes the transparent color of a PNG one of the numbers that Pillow decodes. Call it before `load`.

    The file holds it at its own depth, and Pillow hands it on so, while pixels of 2 and 4 bits are scaled up
    to 8 and colors of 16 bits down.
    """
    found = image.info.get("transparency")
    if image.format != "PNG" or not image.tile or not isinstance(found, (int, tuple)):
        return
    stored = image.tile[0][3]
    stored = stored if isinstance(stored, str) else stored[0]
    if stored in ("L;2", "L;4"):
        image.info["transparency"] = min(found * (85 if stored == "L;2" else 17), 255)
    elif stored == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in found)
    elif image.mode in ("L", "RGB"):  # of two bytes the lower counts
        image.info["transparency"] = found & 255 if image.mode == "L" else tuple(v & 255 for v in found)


def rgb_on_white(image, opened):
    """A loaded picture of any of Pillow's modes as RGB, laid on white where it is transparent.

    Grey of 16 bits goes from 0 to 65535. Grey of 32 bits in a TIFF, whose range no file tells, is taken for 8
    bits where nothing is above 255, else for 16; of floats for 0 to 1 where nothing is above 1, else for 8.

    Args:
        image: picture of Pillow.
        opened: what `Image.open` returned and `image` was made of: it knows the file's format and tags.

    Raises: ValueError where it is fully transparent, or a pixel is not a number.
    """
    if image.mode[0] in "IF":
        image = _grey_8_bits(image, opened)
    elif image.mode == "LAB":
        return _lab_to_rgb(image)
    of_palette = image.mode == "P" and image.palette is not None and image.palette.mode.endswith("A")
    if "transparency" not in image.info and image.mode not in WITH_ALPHA and not of_palette:
        return image.convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")  # Pillow has no direct way
    image = image.convert("RGBA")
    if image.getchannel("A").getextrema()[1] == 0:
        raise ValueError("it is fully transparent")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _grey_8_bits(image, opened):
    """A picture of mode I, I;16 (of any byte order) or F as L, or as LA where one grey is transparent."""
    values, transparent = np.asarray(image), image.info.get("transparency")
    if not np.isfinite(values).all():
        raise ValueError("it holds values that are not finite numbers")
    brightest, most = values.max(initial=0), 65535
    if image.mode == "F":
        most = 1 if brightest <= 1 else 255
    elif image.mode == "I" and opened.format == "TIFF" and brightest <= 255:
        most = 255
    grey = (values.astype("float32").clip(0, most) * np.float32(255 / most)).round().astype("uint8")
    if opened.format == "TIFF" and opened.tag_v2.get(WHITE_IS_ZERO_TAG) == 0:  # Pillow minds it up to 8 bits
        grey = 255 - grey
    grey = Image.fromarray(grey)
    if not isinstance(transparent, (int, float)):
        return grey
    return Image.merge("LA", (grey, Image.fromarray(np.where(values == transparent, 0, 255).astype("uint8"))))


def _lab_to_rgb(image):
    from PIL import ImageCms  # not in every build of Pillow

    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.applyTransform(image, ImageCms.buildTransform(*profiles, "LAB", "RGB"))
