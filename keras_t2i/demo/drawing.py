"""What the page draws: functions of what a person chose, which know no page."""

import queue
import threading

import numpy as np

from keras_t2i.demo.choices import MOST_PICTURES
from keras_t2i.demo.choices import check_can
from keras_t2i.demo.choices import check_prompt
from keras_t2i.demo.choices import given
from keras_t2i.demo.choices import opaque
from keras_t2i.demo.choices import options_of
from keras_t2i.demo.choices import whole
from keras_t2i.utils.embeddings import slerp
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.stopping import asking

FRAME = 512  # pixels of a side, at least, of a picture that evolves


def draw(presets, prompt, choice, image=None, mask=None, beat=None):
    """A picture of words, as it evolves; or of what is masked in a given one.

    Args:
        presets: `Presets`.
        prompt: str.
        choice: `Choice`.
        image: uint8 `(h, w, 3 or 4)`, or `None`; transparency becomes white.
        mask: bool `(h, w)`, True where `image` is drawn anew.
        beat: as of `evolving`.

    Yields:
        uint8 `(h, w, 3)`, what it would be by the estimate of every step but the last (of presets that take
        steps), its pixels enlarged; then what `Generator.generate` returns, `(size, size, 3)`, 4 channels
        where the background is transparent.

    Raises: one of `choices.REFUSALS`, a sentence.
    """
    generator = presets.open(choice.preset)
    options = options_of(generator, choice, 1)
    if image is not None:
        check_can(generator, choice.preset, "inpainting")
        options |= given(image, mask)
    check_prompt(prompt)

    def generate(show):
        watched = {"callback": show} if generator.base.watchable else {}
        return generator.generate(prompt, **watched, **options)

    yield from evolving(generate, beat)


def draw_svg(presets, prompt, choice):
    """The picture that `draw` ends in, as an SVG document, str. Raises: as of `draw`."""
    generator = presets.open(choice.preset)
    options = options_of(generator, choice, 1)
    check_prompt(prompt)
    return generator.generate(prompt, output="svg", **options)


def draw_variations(presets, image, n, choice):
    """Other pictures of what is in a picture (`Generator.variations`): the same embedding, other noise.

    Args:
        presets, choice: as of `draw`.
        image: uint8 `(h, w, 3 or 4)`.
        n: int, how many.

    Returns:
        uint8 `(n, size, size, 3)`, or 4 channels.

    Raises: as of `draw`.
    """
    generator = presets.open(choice.preset)
    check_can(generator, choice.preset, "variations")
    n = whole("variations", n, 1, MOST_PICTURES)
    return generator.variations(opaque(image), n, **options_of(generator, choice, n))


def draw_between(presets, first, second, n, choice):
    """Pictures on the way from one prompt to another.

    Of a generator that draws from image embeddings in many steps: a picture of each prompt is drawn, by one
    seed, then what lies between them (`Generator.interpolate`). Of a decoder in one pass: what it makes of
    embeddings between those of the two texts; nothing is drawn by chance, and `choice.seed` is not used.

    Args:
        presets, choice: as of `draw`.
        first, second: str, the prompts.
        n: int, how many, with the two ends.

    Returns:
        uint8 `(n, size, size, 3)`, or 4 channels.

    Raises: as of `draw`.
    """
    generator = presets.open(choice.preset)
    check_can(generator, choice.preset, "interpolation")
    n = whole("pictures", n, 2, MOST_PICTURES)
    check_prompt(first), check_prompt(second)
    options = options_of(generator, choice, n)
    canvas = {name: options.pop(name) for name in ("size", "background")}
    if generator.base.editable:
        seed = options.pop("seed")
        ends = generator.generate([first, second], seed=[seed, seed], **options)
        return generator.interpolate(*ends, n, **canvas)
    ends = generator.encode_text([first, second])
    return generator.decode(slerp(*ends, np.linspace(0.0, 1.0, n)), **canvas)


class Stopped(Exception):  # noqa: N818 (no error: nobody looks any more)
    """Ends a drawing that nobody waits for."""


def evolving(generate, beat=None):
    """Yield what a drawing would be by the estimate of every step but the last, and then what it is.

    The drawing runs in a thread, which ends where the caller closes this iterator: at its next step, and of a
    large picture before the next part that a network sees, or the next band.

    Args:
        generate: function of a callback, which is given a `StepState`, to a picture.
        beat: float, seconds after which a caller that waits gets `None`, so that it may close this; `None`:
            it waits.

    Yields:
        uint8 `(h, w, 3 or 4)`.
    """
    found, stopped = queue.SimpleQueue(), threading.Event()

    def check():
        if stopped.is_set():
            raise Stopped

    def show(state):
        check()
        if state.step < state.num_steps - 1:
            frame = state.pictures[:1]
            found.put((make_grid(frame, scale=max(1, FRAME // frame.shape[1])), None, False))

    def work():
        try:
            with asking(check):
                found.put((generate(show), None, True))
        except BaseException as error:  # raised where the pictures are waited for
            found.put((None, error, True))

    threading.Thread(target=work, daemon=True, name="drawing").start()
    try:
        last = False
        while not last:
            try:
                picture, error, last = found.get(timeout=beat)
            except queue.Empty:
                yield None
                continue
            if error is not None:
                raise error
            yield picture
    finally:
        stopped.set()
