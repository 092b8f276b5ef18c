"""Options that several methods of a Generator hand on to each other, for type checkers and editors."""

from collections.abc import Callable
from typing import TypedDict

from keras_t2i.models.stages.sampling import StepState
from keras_t2i.utils.annotations import Background
from keras_t2i.utils.annotations import Guidance
from keras_t2i.utils.annotations import Masks
from keras_t2i.utils.annotations import Pictures
from keras_t2i.utils.annotations import Seed
from keras_t2i.utils.annotations import Size


class SamplingOptions(TypedDict, total=False):
    """What `generate_frames` and `render_to` take of `Generator.generate`."""

    seed: Seed
    num_steps: int | None
    sampler: str | None
    guidance_scale: Guidance
    rescale: float | None
    smoothing: float | None
    temperature: float | None
    image: Pictures | None
    strength: float | None
    mask: Masks | None
    batch_size: int


class FrameOptions(SamplingOptions, total=False):
    """Of `generate_frames`."""

    size: Size
    background: Background
    progress: bool


class FileOptions(SamplingOptions, total=False):
    """Of `render_to`: of `generate` for a prompt, `noise_level` for a picture."""

    best_of: int
    noise_level: float


class GenerateOptions(FrameOptions, total=False):
    """Of `Generator.generate`, but for its `output`."""

    num_images: int
    best_of: int
    callback: Callable[[StepState], object] | None


class HubOptions(TypedDict, total=False):
    """Of `Generator.push_to_hub`."""

    license: str | None
    language: str | None
    datasets: list[str] | None
    private: bool | None
    message: str | None
    token: str | None
