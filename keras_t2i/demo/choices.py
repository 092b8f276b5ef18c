"""What a person may choose on the page, what a preset can do, and what is refused, with a sentence."""

import operator
import re
import threading
from typing import NamedTuple

import numpy as np

from keras_t2i.models import Generator
from keras_t2i.models.inputs import as_pictures
from keras_t2i.models.outputs import as_color

# A page may be open to strangers: what one of them may ask for is bounded here, not by its sliders alone.
LARGEST_SIDE = 4096
MOST_PIXELS = LARGEST_SIDE**2  # of all pictures of one call
MOST_STEPS = 64
MOST_PICTURES = 16
MOST_LETTERS = 500
LARGEST_SEED = 2**31 - 1
REFUSALS = (ValueError, TypeError, OSError, ImportError, MemoryError, NotImplementedError)


class Choice(NamedTuple):
    """What a person chose, for every tab.

    preset: str, a name that is offered; seed, num_steps: int; guidance_scale, temperature: float, each of
    them used by presets that have such a setting (`settings_of`); size: int, pixels of a side; background: a
    color, as of `Generator.generate`, or `None`, transparent.
    """

    preset: str
    seed: int = 0
    num_steps: int = 16
    guidance_scale: float = 2.0
    temperature: float = 1.0
    size: int = 512
    background: str | None = "white"


class Presets:
    """Presets that a page offers: each is opened when it is first drawn with, and kept.

    Args:
        names: list of str, as of `Generator.from_preset`; `None`: the packaged ones.
        renderer: preset of a renderer, str, for all of them; `None`: each one's own, else the packaged one.
    """

    def __init__(self, names=None, renderer=None):
        self.names = sorted(Generator.presets) if names is None else list(names)
        self.renderer = renderer
        self._opened, self._lock = {}, threading.Lock()

    def open(self, name):
        """The `Generator` of a name.

        Raises: ValueError for a name that is not offered, or as of `Generator.from_preset`.
        """
        if name not in self.names:
            raise ValueError(f"there is no preset {name!r} here: choose one of {', '.join(self.names)}")
        with self._lock:
            if name not in self._opened:
                generator = Generator.from_preset(name)
                if self.renderer is not None:
                    generator = Generator.from_stages(decoder=generator, renderer=self.renderer)
                self._opened[name] = generator
            return self._opened[name]


# What a generator can do


def settings_of(generator):
    """dict, the settings among "num_steps", "guidance_scale" and "temperature" that count, to its own
    values."""
    if generator.base.watchable:
        return {"num_steps": generator.base.num_steps, "guidance_scale": generator.base.guidance_scale}
    return {"temperature": 1.0} if "temperature" in generator.base.settings else {}


def refusals(generator, name):
    """dict, "variations", "inpainting" and "interpolation" to a sentence that says why this generator has
    none; "" where it has."""
    base = generator.base
    of_concepts = base.editable and bool(base.unet.image_code)
    why = f"{name} draws from words alone" if base.editable else f"{name} draws in one step"
    another = "choose one that draws from image embeddings in many steps, as unclip_emoji_32 does"
    decoder = "or a decoder of embeddings, such as generator_openmoji_32"
    known = "no picture can be kept on the way: choose one that takes steps, as diffusion_emoji_32 does"
    return {
        "variations": "" if of_concepts else f"{why}, so it makes no variations of a picture: {another}.",
        "inpainting": "" if base.editable else f"{why}, so {known}.",
        "interpolation": (
            ""
            if of_concepts or hasattr(base, "decoder")
            else f"{why}, so nothing lies between two pictures: {another}, {decoder}."
        ),
    }


def check_can(generator, name, what):
    """Raise a NotImplementedError, which says why, where a generator has no `what` (see `refusals`)."""
    if sentence := refusals(generator, name)[what]:
        raise NotImplementedError(sentence)


# What is asked for, checked


def options_of(generator, choice, count):
    """Options of `Generator.generate`, and of what edits, for `count` pictures; `choice` without what this
    generator has no setting for.

    Raises: ValueError where a number is out of range, or the pictures together are too large.
    """
    size = whole("size", choice.size, 1, LARGEST_SIDE)
    if count * size**2 > MOST_PIXELS:
        most = int((MOST_PIXELS / count) ** 0.5)
        raise ValueError(f"{count} pictures of {size} pixels are too large: choose a size of at most {most}")
    options = {"seed": whole("seed", choice.seed, 0, LARGEST_SEED), "size": size}
    options["background"] = as_color(choice.background)
    for name, own in settings_of(generator).items():
        value = getattr(choice, name)
        if name == "num_steps":
            value = whole("steps", value, 1, MOST_STEPS)
        if value != own:  # else every stage has its own, a prior's too
            options[name] = value
    return options


def whole(name, value, least, most):
    """A number as an int. Raises: ValueError where it is not whole, or not from `least` to `most`."""
    try:
        number = operator.index(int(value) if isinstance(value, float) and value.is_integer() else value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not least <= number <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}, got {value}")
    return number


def check_prompt(prompt):
    """Raise a ValueError for no words, or too many."""
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("there are no words: say what to draw")
    if len(prompt) > MOST_LETTERS:
        raise ValueError(f"{len(prompt)} letters are too many: say it in {MOST_LETTERS}")


def opaque(image):
    """A given picture, uint8 `(h, w, 3 or 4)`, on white: uint8 `(h, w, 3)`.

    Raises: ValueError where there is none, or it is too large.
    """
    if image is None:
        raise ValueError("there is no picture: upload one, or take the drawn one")
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[-1] == 4:
        color, alpha = image[..., :3].astype("float32"), image[..., 3:].astype("float32") / 255.0
        image = np.rint(color * alpha + 255.0 * (1.0 - alpha)).astype("uint8")
    image = as_pictures(image, 1)[0]
    if max(image.shape[:2]) > LARGEST_SIDE:
        raise ValueError(f"the picture has more than {LARGEST_SIDE} pixels a side: make it smaller")
    return image


def given(image, mask):
    """Options of `Generator.generate` for a given picture. Raises: ValueError where nothing is masked."""
    mask = np.zeros((), bool) if mask is None else np.asarray(mask)
    if not mask.any():
        raise ValueError("nothing is painted over: brush over what is to be drawn anew")
    return {"image": opaque(image), "mask": mask}


def painted(editor):
    """What a brush left on a picture.

    Args:
        editor: dict of "background", uint8 `(h, w, 3 or 4)` or `None`, and "layers", a list of uint8
            `(h, w, 4)`, transparent where nothing was painted; or `None`.

    Returns:
        `(image, mask)`: the background, and bool `(h, w)`, True where any layer was painted on; `None` for
        both where there is no picture.
    """
    image = None if editor is None else editor["background"]
    if image is None:
        return None, None
    mask = np.zeros(image.shape[:2], bool)
    for layer in editor["layers"]:
        mask |= layer[..., 3] > 0
    return image, mask


def file_name(prompt, seed, suffix):
    """A name for a picture's file: a-red-apple-7.png."""
    slug = re.sub(r"\W+", "-", prompt.lower()).strip("-")[:40].strip("-") or "picture"
    return f"{slug}-{seed}{suffix}"
