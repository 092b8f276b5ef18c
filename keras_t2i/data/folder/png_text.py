"""PNG files without their text, which Pillow limits and no picture needs."""

import io
import os
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Compressed text of three kinds, and the color profile, which is compressed in the same way.
LEFT_OUT = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
KEPT = b"Raw profile type "  # where some programs write EXIF, and so which side is up
MOST_BYTES = 2**30


def without_text(content):
    """The bytes of a PNG file without its chunks of text and color profile, or None.

    Pillow has limits on text for the whole process (`PngImagePlugin.MAX_TEXT_CHUNK`), which are not ours to
    change. Chunks are copied as they are, and those that are left out are passed over unread, so the memory
    is that of the picture's own data.

    Args:
        content: path of a file, or its bytes.

    Returns:
        bytes; None if it is no PNG file, is larger than `MOST_BYTES`, or has nothing to leave out.
    """
    parts, left_out = [SIGNATURE], False
    with io.BytesIO(content) if isinstance(content, bytes) else Path(content).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if file.read(len(SIGNATURE)) != SIGNATURE or size > MOST_BYTES:
            return None
        while len(head := file.read(8)) == 8:
            length, kind = int.from_bytes(head[:4], "big") + 4, head[4:]  # with the checksum
            if kind in LEFT_OUT:
                start = file.read(min(length, len(KEPT)))
                if start != KEPT:
                    left_out = True
                    file.seek(length - len(start), os.SEEK_CUR)
                    continue
                parts += [head, start, file.read(length - len(start))]
            else:
                parts += [head, file.read(length)]
    return b"".join(parts) if left_out else None
