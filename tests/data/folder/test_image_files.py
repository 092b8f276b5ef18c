import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL import PngImagePlugin

from keras_t2i.data.folder.image_files import FORMATS
from keras_t2i.data.folder.image_files import keep_rows
from keras_t2i.data.folder.image_files import read_square_picture
from keras_t2i.data.folder.rgb import rgb_on_white

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def half(mode, left, right, size=(8, 4)):
    """A picture whose left half is of one colour and whose right half is of another."""
    picture = Image.new(mode, size, left)
    picture.paste(right, (size[0] // 2, 0, *size))
    return picture


def test_formats_and_modes(tmp_path):
    def check(name, picture, left, right, tolerance=0, **options):
        picture.save(tmp_path / name, **options)
        # From 8 x 4 the square in the middle is cut: half of it left, half of it right.
        pixels = read_square_picture(tmp_path / name, 4)
        assert pixels.dtype == "uint8"
        assert pixels.shape == (4, 4, 3)
        expected = np.broadcast_to(np.array([left, left, right, right]), (4, 4, 3))
        np.testing.assert_allclose(pixels, expected, atol=tolerance)

    rgb = half("RGB", RED, BLUE)
    check("a.png", rgb, RED, BLUE)
    check("a.JPG", rgb, RED, BLUE, tolerance=3, quality=100, subsampling=0)
    check("a.webp", rgb, RED, BLUE, lossless=True)
    check("mpo.jpg", rgb, RED, BLUE, 3, format="MPO", quality=100, subsampling=0, append_images=[rgb])
    check("frames.gif", rgb, RED, BLUE, save_all=True, append_images=[Image.new("RGB", (8, 4), GREEN)])
    check("frames.webp", rgb, RED, BLUE, save_all=True, append_images=[rgb.rotate(180)], lossless=True)
    palette = half("P", 0, 1)
    palette.putpalette([*RED, *BLUE])
    check("palette.png", palette, RED, BLUE)
    check("transparent palette.png", palette, RED, WHITE, transparency=1)
    check("transparent.gif", palette, RED, WHITE, transparency=1)
    check("transparent colour.png", rgb, WHITE, BLUE, transparency=RED)
    check("alpha.png", half("RGBA", (*RED, 255), (0, 0, 0, 0)), RED, WHITE)
    check("alpha.webp", half("RGBA", (*RED, 255), (0, 0, 255, 0)), RED, WHITE, lossless=True)
    check("half alpha.png", half("RGBA", (*RED, 255), (0, 0, 0, 128)), RED, (127, 127, 127))
    check("grey alpha.png", half("LA", (50, 255), (50, 0)), (50, 50, 50), WHITE)
    check("grey.png", half("L", 10, 200), (10, 10, 10), (200, 200, 200))
    check("bits.png", half("1", 0, 1), (0, 0, 0), WHITE)
    check("cmyk.jpg", half("CMYK", (0, 255, 255, 0), (255, 255, 0, 0)), RED, BLUE, tolerance=3, quality=100)
    levels = np.repeat(np.array([[10 * 257, 200 * 257]], dtype="uint16"), 4, axis=1).repeat(4, axis=0)
    check("16 bit.png", Image.fromarray(levels), (10, 10, 10), (200, 200, 200))


def raw_png(width, height, bits, rows):
    """An RGB file such as Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for body in (b"IHDR" + header, b"IDAT" + zlib.compress(rows), b"IEND"):
        content += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return content


def test_16_bit_color(tmp_path):
    row = b"\0" + struct.pack(">6H", *[257 * value for value in (255, 128, 0)] * 2)
    (tmp_path / "a.png").write_bytes(raw_png(2, 2, 16, row * 2))
    assert (read_square_picture(tmp_path / "a.png", 2) == (255, 128, 0)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path, orientation):
    corners = np.zeros((2, 2, 3), dtype="uint8")
    corners[0, 0], corners[0, 1] = RED, GREEN
    turned = {
        1: corners,
        2: corners[:, ::-1],
        3: corners[::-1, ::-1],
        4: corners[::-1],
        5: corners.swapaxes(0, 1),
        6: np.rot90(corners, 1),
        7: corners[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(corners, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.ascontiguousarray(turned[orientation]).repeat(16, 0).repeat(16, 1))
    picture.save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    pixels = read_square_picture(tmp_path / "a.jpg", 32)[8::16, 8::16]
    np.testing.assert_allclose(pixels, corners, atol=3)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_cost_the_picture(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff\xff")
    assert read_square_picture(tmp_path / "a.jpg", 4).shape == (4, 4, 3)


@pytest.mark.parametrize("size", [(512, 512), (64, 64), (512, 640), (3, 3), (1, 500)])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_fitting_is_antialiased_and_keeps_the_middle(tmp_path, size, suffix):
    # Stripes of one pixel: without antialiasing they would come out black or white.
    stripes = np.zeros((size[1], size[0], 3), dtype="uint8")
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / f"a.{suffix}", **({"quality": 95} if suffix == "jpg" else {}))
    pixels = read_square_picture(tmp_path / f"a.{suffix}", 16)
    assert pixels.shape == (16, 16, 3)
    if min(size) >= 64:
        assert abs(pixels[:, 2:-2].astype(int) - 127).max() < 20
    side = min(size)
    top, left = (size[1] - side) // 2, (size[0] - side) // 2
    middle = stripes[top : top + side, left : left + side]
    np.testing.assert_allclose(pixels.mean(), middle.mean(), atol=9)


@pytest.mark.parametrize("kept", [[], [0, 3], [1, 2, 5, 6, 7, 8], list(range(9))])
def test_keep_rows(kept):
    array = np.arange(9)
    np.testing.assert_array_equal(keep_rows(array.copy(), kept), array[kept])


GREY = (128, 128, 128)


def read_back(tmp_path, picture, kind="TIFF", **options):
    file = tmp_path / f"a.{kind}"
    picture.save(file, kind, **options)
    return read_square_picture(file, 4)[0, [0, 3]].tolist()


@pytest.mark.parametrize(
    "mode, left, right, expected",
    [
        ("1", 0, 1, [(0, 0, 0), WHITE]),
        ("L", 0, 128, [(0, 0, 0), GREY]),
        ("LA", (0, 255), (0, 0), [(0, 0, 0), WHITE]),
        ("PA", (0, 255), (0, 0), None),
        ("I;16", 0, 128 * 257, [(0, 0, 0), GREY]),
        ("I", 0, 128 * 257, [(0, 0, 0), GREY]),
        ("I", 0, 128, [(0, 0, 0), GREY]),
        ("I", -5, 99999, [(0, 0, 0), WHITE]),
        ("F", 0.0, 0.502, [(0, 0, 0), GREY]),
        ("F", 0.0, 128.0, [(0, 0, 0), GREY]),
        ("RGB", RED, BLUE, [RED, BLUE]),
        ("RGBA", (*RED, 255), (*BLUE, 0), [RED, WHITE]),
        ("RGBX", (*RED, 0), (*BLUE, 9), [RED, BLUE]),
        ("CMYK", (0, 255, 255, 0), (255, 255, 0, 0), [RED, BLUE]),
        ("YCbCr", (0, 128, 128), (128, 128, 128), [(0, 0, 0), GREY]),
        ("LAB", (0, 128, 128), (255, 128, 128), [(0, 0, 0), WHITE]),
    ],
)
def test_every_mode_of_tiff(tmp_path, mode, left, right, expected):
    found = read_back(tmp_path, half(mode, left, right))
    if expected is None:  # of a palette that is grey
        expected = [(0, 0, 0), WHITE]
    np.testing.assert_allclose(found, expected, atol=2)


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_premultiplied_modes_that_no_file_of_ours_has(mode):
    picture = half("LA", (50, 255), (50, 0)).convert("La") if mode == "La" else None
    picture = picture or half("RGBA", (*RED, 255), (*RED, 0)).convert("RGBa")
    found = np.asarray(rgb_on_white(picture, picture))[0, [0, 7]].tolist()
    assert found == [[50, 50, 50] if mode == "La" else list(RED), list(WHITE)]


def grey_png(bits, transparent, rows, width=4):
    header = struct.pack(">IIBBBBB", width, len(rows), bits, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    for body in (b"IHDR" + header, b"tRNS" + struct.pack(">H", transparent), b"IDAT" + data, b"IEND"):
        content += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return content


@pytest.mark.parametrize(
    "bits, transparent, row",
    [
        (1, 0, bytes([0b0011_0000])),
        (2, 1, bytes([0b0101_1111])),
        (4, 7, bytes([0x77, 0xFF])),
        (8, 9, bytes([9, 9, 255, 255])),
        (16, 1000, struct.pack(">4H", 1000, 1000, 65535, 65535)),
    ],
)
def test_a_transparent_grey_of_every_depth_is_white(tmp_path, bits, transparent, row):
    (tmp_path / "a.png").write_bytes(grey_png(bits, transparent, [row] * 4))
    assert (read_square_picture(tmp_path / "a.png", 4) == 255).all()


def test_a_neighbor_of_the_transparent_grey_of_16_bits_is_kept(tmp_path):
    row = struct.pack(">4H", 1000, 1000, 1001, 1001)
    (tmp_path / "a.png").write_bytes(grey_png(16, 1000, [row] * 4))
    assert read_square_picture(tmp_path / "a.png", 4)[0, [0, 3], 0].tolist() == [255, 4]


@pytest.mark.parametrize("alpha", [b"\xff\x00", b"\x80\x00"])
def test_palettes_with_one_and_with_many_opacities(tmp_path, alpha):
    palette = half("P", 0, 1)
    palette.putpalette([*RED, *BLUE])
    first = RED if alpha[0] == 255 else (255, 127, 127)
    assert read_back(tmp_path, palette, "PNG", transparency=alpha) == [list(first), list(WHITE)]


def test_numbers_that_are_not_finite_are_named(tmp_path):
    Image.fromarray(np.full((4, 4), np.nan, "float32")).save(tmp_path / "a.tiff")
    with pytest.raises(ValueError, match="not finite"):
        read_square_picture(tmp_path / "a.tiff", 4)


@pytest.mark.parametrize("kind", ["zTXt", "iTXt", "tEXt"])
def test_long_text_does_not_cost_the_picture(tmp_path, kind):
    limits = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    info = PngImagePlugin.PngInfo()
    text = "x" * 3_000_000
    if kind == "iTXt":
        info.add_itxt("a", text, zip=True)
    else:
        info.add_text("a", text, zip=kind == "zTXt")
    exif = Image.Exif()
    exif[0x0112] = 6  # what lies beside the text is kept: turned
    half("RGB", RED, BLUE, (8, 8)).save(tmp_path / "a.png", pnginfo=info, exif=exif)
    found = read_square_picture(tmp_path / "a.png", 4)
    assert found[[0, 3], 0].tolist() == [list(RED), list(BLUE)]
    assert limits == (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY)


@pytest.mark.parametrize("kind", [k for k in ("BMP", "TIFF", "AVIF", "JPEG2000", "PPM") if k in FORMATS])
def test_other_kinds(tmp_path, kind):
    found = read_back(tmp_path, half("RGB", RED, BLUE), kind)
    np.testing.assert_allclose(found, [RED, BLUE], atol=12)
