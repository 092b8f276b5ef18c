"""A small set of pictures with what the large one has: five close tones, of which some are held out."""

import functools
import itertools

import numpy as np
from PIL import Image
from PIL import ImageDraw

from keras_t2i.data import CaptionedImages

TONES = {
    "light skin tone": (250, 220, 188),
    "medium-light skin tone": (224, 187, 149),
    "medium skin tone": (191, 143, 104),
    "medium-dark skin tone": (155, 100, 61),
    "dark skin tone": (89, 69, 57),
}
SHAPES = ("ball", "box", "kite", "bar", "hill", "ring")
PLACES = {f"{v} {h}": (x, y) for (v, y), (h, x) in itertools.product(
    {"top": 2, "low": 14}.items(), {"left": 2, "middle": 8, "right": 14}.items())}  # fmt: skip


def draw(shape, place, tone, size=32):
    image = Image.new("RGB", (size, size), "white")
    pen, (x, y), colour = ImageDraw.Draw(image), PLACES[place], TONES[tone]
    pen.rectangle((0, 29, 31, 31), fill=(60, 130, 60))  # what all have in common
    box, middle = (x, y, x + 13, y + 13), x + 6
    if shape == "ball":
        pen.ellipse(box, fill=colour, outline="black")
    elif shape == "box":
        pen.rectangle(box, fill=colour, outline="black")
    elif shape == "ring":
        pen.ellipse(box, outline=colour, width=4)
    elif shape == "bar":
        pen.rectangle((x, y + 4, x + 15, y + 8), fill=colour, outline="black")
    elif shape == "kite":
        pen.polygon(
            [(middle, y), (x + 13, y + 6), (middle, y + 13), (x, y + 6)], fill=colour, outline="black"
        )
    else:
        pen.polygon([(middle, y), (x + 13, y + 13), (x, y + 13)], fill=colour, outline="black")
    return np.asarray(image)


@functools.cache
def colored_shapes():
    """`(train, held_out)`, `CaptionedImages` of 144 and 36 pictures; a fifth has a tone held out."""
    rows = []
    for number, (shape, place) in enumerate(itertools.product(SHAPES, PLACES)):
        for k, tone in enumerate(TONES):
            known = {"base": f"{shape} {place}", "tone": tone, "style": "plain"}
            caption = f"{shape} {place}, {tone}"
            rows.append((draw(shape, place, tone), caption, known, k == number % len(TONES)))

    def those(held_out):
        chosen = [(i, *row[:3]) for i, row in enumerate(rows) if row[3] == held_out]
        numbers, pictures, captions, attributes = zip(*chosen, strict=True)
        names = [str(i) for i in numbers]
        return CaptionedImages(
            np.stack(pictures), [[c, "a shape"] for c in captions], names, np.array(numbers), list(attributes)
        )

    return those(False), those(True)
