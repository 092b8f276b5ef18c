"""What a shard holds: one record for each picture, with all that is known of it.

A record is four bytes, the length of a header (little-endian); the header, JSON in UTF-8; and the picture, a
PNG, without loss. The header has `name`, `captions` (the first is the plain one), `attributes` (`base`, the
concept, `style` and others where they are known) and `digest`, equal for pictures that are equal in every
pixel. Nothing in it is code: to open a shard never runs any.
"""

import io
import json

import numpy as np
from PIL import Image

HEADER_LENGTH = 4  # bytes


def encode_record(header, picture):
    """Bytes of a record.

    Args:
        header: dict of JSON.
        picture: uint8 `(s, s, 3)`.
    """
    head = json.dumps(header, sort_keys=True).encode()
    png = io.BytesIO()
    Image.fromarray(picture).save(png, "PNG")
    return len(head).to_bytes(HEADER_LENGTH, "little") + head + png.getvalue()


def decode_picture(record, stored, size):
    """The picture of a record: uint8 `(size, size, 3)`.

    Args:
        record: bytes, of `encode_record`.
        stored: int, pixels of its side.
        size: int, at most `stored`; where it is less, the picture is resized with antialiasing.

    Raises: ValueError where it is no picture of that size.
    """
    start = HEADER_LENGTH + int.from_bytes(record[:HEADER_LENGTH], "little")
    try:
        with Image.open(io.BytesIO(record[start:]), formats=["PNG"]) as image:
            if image.size != (stored, stored) or image.mode != "RGB":
                raise ValueError(f"a picture of {image.size} pixels, {image.mode}")
            if size != stored:
                image = image.resize((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0)
            return np.asarray(image)
    except (OSError, SyntaxError) as error:  # what Pillow raises of a damaged PNG
        raise ValueError(str(error)) from None
