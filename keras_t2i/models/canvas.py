"""What the base has drawn, at the size that a person asks for: by the upsampler, then by the renderer."""

import numpy as np
from PIL import Image

from keras_t2i.models.inputs import as_pictures
from keras_t2i.models.inputs import as_prompts
from keras_t2i.models.inputs import as_seeds
from keras_t2i.models.stages.sampling import Draw
from keras_t2i.models.stages.vectorize import vector_drawings
from keras_t2i.models.words import Words
from keras_t2i.models.words import upsampled
from keras_t2i.utils.images import Images
from keras_t2i_runtime.tiling import Placement


def on_canvas(generator, pictures, canvas, words, given=None, progress=False, output="array"):
    """What the base has drawn, uint8 `(n, s, s, 3)`, at a canvas' size; as it is, where that is `None`.

    For the output "svg" a list of documents.

    Args:
        words: `Words` of these n drawings, which the upsampler draws by.
        given: `GivenPicture` that they were drawn from: its aspect is theirs, and what it keeps is kept.
        progress: bool, whether to show progress bars, of the upsampler's steps and of rows.
    """
    if canvas is None:
        return pictures
    window = given and given.window
    if needs_upsampler(generator, canvas):
        stage = generator.stage("large_image")
        pictures = upsampled(stage, pictures, words, progress=progress)
        window = window and tuple(side * stage.factor for side in window)
        if given is None and output != "svg" and canvas.shape == pictures.shape[1:]:
            return pictures
    renderer = generator.renderer
    drawn = rendered(renderer, pictures, canvas, renderer.noise_level, progress, window, output)
    return drawn if given is None or output == "svg" else given.kept_on(drawn, canvas)


def rendered(renderer, pictures, canvas, noise_level, progress, window=None, output="array"):
    """Pictures as `RendererStage.render` draws them, or `vector_drawings`, for the output "svg"."""
    if output == "svg":
        return vector_drawings(renderer, pictures, canvas, noise_level, progress, window)
    return renderer.render(pictures, canvas, noise_level, progress, window)


def as_output(pictures, output, alone):
    """What is returned of pictures, uint8 `(n, h, w, 3 or 4)`, or of a list of documents: these, or a list of
    `PIL.Image.Image` that a notebook shows; where one was asked for `alone`, that one."""
    if output == "pil":
        pictures = Images(Image.fromarray(picture) for picture in pictures)
    return pictures[0] if alone else pictures


def needs_upsampler(generator, canvas):
    """Whether there is an upsampler, and the canvas is larger than what the base draws."""
    size = generator.image_size
    larger = canvas is not None and Placement.of(size, size, canvas.height, canvas.width).scale > 1
    return larger and generator.stage("large_image") is not None


def upsample(
    generator, pictures, prompts=None, seed=None, noise_level=0.0, batch_size=4, progress=False, **settings
):
    """Draw given pictures several times as large (see `UpsamplerStage`): what is not in them is drawn by
    chance, as their captions say.

    Args:
        generator: `Generator` with an upsampler.
        pictures: uint8 `(n, h, w, 3)`, or one, `(h, w, 3)`.
        prompts: `str`, for all, or a list of n; `None`: no words.
        seed: int, the first picture's; picture i has `seed + i`. Or one int per picture. `None`: new ones.
        noise_level: float in [0, 1]: how much noise is put on them, to be drawn otherwise. 0: they are clean.
        batch_size: int, pictures that the network sees at once.
        progress: bool, whether to show a progress bar, of network evaluations.
        **settings: `num_steps`, `sampler`, `guidance_scale`, `tile` of `UpsamplerStage`.

    Returns:
        uint8 `(n, h * factor, w * factor, 3)`, or one.

    Raises:
        ValueError: there is no upsampler, or pictures or numbers are of another kind.
        TypeError: another setting.
    """
    if (stage := generator.stage("large_image")) is None:
        raise ValueError(
            "this generator has no upsampler: train one by recipes/train_upsampler.py and give it to "
            "Generator.from_stages(decoder=..., upsampler=...)"
        )
    found = as_pictures(pictures)
    stage.check_size(*found.shape[1:3])
    draws = [Draw(one) for one in as_seeds(seed, len(found))]
    if prompts is None:
        words = Words.none(generator, draws)
    else:
        prompts = as_prompts(prompts) * (len(found) if isinstance(prompts, str) else 1)
        if len(prompts) != len(found):
            raise ValueError(f"there are {len(prompts)} prompts for {len(found)} pictures: give one each")
        words = Words.of(generator, prompts, None, np.arange(len(found)), draws, batch_size)
    drawn = upsampled(stage, found, words, batch_size, progress, noise_level=noise_level, **settings)
    return drawn[0] if np.ndim(pictures) == 3 else drawn
