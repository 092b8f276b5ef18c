"""A list of stages as one, on stages that only write down what they are told."""

import numpy as np
import pytest

from keras_t2i.models.stages import Stage
from keras_t2i.models.stages.cascade import base_of
from keras_t2i.models.stages.cascade import resolve_settings
from keras_t2i.models.stages.cascade import sample_stages
from keras_t2i.models.stages.cascade import stage_of
from keras_t2i.models.stages.sampling import Batch
from keras_t2i.models.stages.sampling import Draw
from keras_t2i.utils.images import to_uint8

BATCH = Batch(np.arange(2), 2, [Draw(0), Draw(1)], lambda: None)


class Told:
    """A stage without a network: it makes a constant and keeps the names of what it is given."""

    guided, watchable, editable = Stage.guided, Stage.watchable, Stage.editable

    def __init__(self, produces, shape, *kinds, settings=()):
        self.produces, self.shape, self.settings, self.calls = produces, shape, settings, []
        for kind in kinds:
            setattr(self, kind, True)

    def resolve(self, **settings):
        return settings

    def num_steps_of(self, settings):
        return 1

    def sample_batch(self, conditions, draws, update=None, **options):
        self.calls.append((set(conditions), options))
        return np.full((len(draws), *self.shape), 0.5, "float32")


def test_a_stage_is_told_what_it_takes():
    text, prior = Told("text", (3,)), Told("image_embedding", (3,))
    base = Told("image", (2, 2, 3), "guided", "watchable", "editable")
    upsampler, renderer = Told("large image", (4, 4, 3), "guided", "watchable"), Told("rendering", (8, 8, 3))
    stages = [text, prior, base, upsampler, renderer]
    words, noise = {"text": np.zeros((2, 3))}, np.ones((2, 2, 2, 3), "float32")
    options = {"unconditional": words, "callback": lambda state: None, "noise": noise}
    pictures = sample_stages(stages, words, BATCH, resolve_settings(stages), **options)
    np.testing.assert_array_equal(pictures, to_uint8(np.full((2, 2, 2, 3), 0.5, "float32")))
    assert list(words) == ["text"] and not text.calls
    # Of the negative prompts too, and the pictures' own last.
    assert prior.calls == [({"text"}, {})] * 2
    ((seen, told),) = base.calls
    assert seen == {"text", "image_embedding"}
    assert set(told) == {"unconditional", "noise", "start", "on_step"}
    assert told["noise"] is noise and set(told["unconditional"]) == {"text", "image_embedding"}
    ((seen, told),) = upsampler.calls
    assert seen == {"text", "image_embedding", "image"} and set(told) == {"unconditional", "on_step"}
    assert [options for _, options in renderer.calls] == [{}]


def test_stages_are_found_by_what_they_produce():
    latent, image = Told("latent", (2, 2, 4)), Told("image", (2, 2, 3))
    assert stage_of([latent, image], "image") is image and stage_of([latent, image], "text") is None
    assert base_of([latent, image]) is latent and base_of([image]) is image


def test_each_stage_has_the_settings_that_it_knows():
    one, other = Told("latent", (), settings=("steps", "scale")), Told("image", (), settings=("steps",))
    resolved = resolve_settings([one, other], steps=3, scale=None)
    assert resolved == {"latent": {"steps": 3}, "image": {"steps": 3}}
    with pytest.raises(TypeError, match="has no size; it has scale, steps"):
        resolve_settings([one, other], size=1)
