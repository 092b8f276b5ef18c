"""The one loop: seeds, batches of one size, noise, progress; and a stage of one's own in a generator."""

import keras
import numpy as np
import pytest
from tiny import tiny_generator

from keras_t2i.models import Generator
from keras_t2i.models import Stage
from keras_t2i.models import TextToImageBackbone
from keras_t2i.models.stages.sampling import Draw
from keras_t2i.models.stages.sampling import noise_of
from keras_t2i.models.stages.sampling import rows_of
from keras_t2i.models.stages.sampling import sample_in_batches


def test_batches_have_one_size_and_what_fills_them_up_is_dropped(capsys):
    sizes = []

    def sample_batch(batch):
        sizes.append((len(batch.rows), batch.count, [draw.seed for draw in batch.draws]))
        batch.update()
        return {"rows": batch.rows, "seeds": np.array([draw.seed for draw in batch.draws])}

    found = sample_in_batches(sample_batch, [Draw(seed) for seed in range(10, 15)], 2, progress=True)
    assert sizes == [(2, 2, [10, 11]), (2, 2, [12, 13]), (2, 1, [14, 10])]
    assert found["rows"].tolist() == [0, 1, 2, 3, 4] and found["seeds"].tolist() == [10, 11, 12, 13, 14]
    assert "3/3" in capsys.readouterr().err
    sizes.clear()
    sample_in_batches(sample_batch, [Draw(0)] * 3, 16)
    assert [size for size, *_ in sizes] == [4]  # the least power of two
    for wrong, error in ((0, ValueError), (1.5, TypeError)):
        with pytest.raises(error, match="batch_size"):
            sample_in_batches(sample_batch, [Draw(0)], wrong)


def test_noise_is_a_function_of_the_draw_and_its_number():
    draws = [Draw(3), Draw(4), Draw(3, 1)]
    noise = noise_of(draws, (50, 40))
    assert noise.shape == (3, 50, 40) and noise.dtype == np.float32
    np.testing.assert_array_equal(noise_of(draws[::-1], (50, 40)), noise[::-1])
    others = [*noise, noise_of([Draw(3)], (50, 40), number=1)[0]]
    correlations = np.corrcoef([one.ravel() for one in others])
    assert np.abs(correlations - np.eye(4)).max() < 0.1
    np.testing.assert_allclose([one.std() for one in others], 1, atol=0.06)


def test_rows_of_a_structure():
    conditions = {"text": {"code": np.arange(6).reshape(3, 2), "mask": np.ones(3)}, "nothing": None}
    found = rows_of(conditions, np.array([2, 0]))
    assert found["text"]["code"].tolist() == [[4, 5], [0, 1]] and found["nothing"] is None
    assert rows_of(None, np.array([0])) is None


@keras.saving.register_keras_serializable(package="tests")
class Fade(Stage):
    """Draws gray pictures, as bright as the caption's concept says, with a little noise."""

    consumes = ("text",)
    produces = "image"
    settings = ("temperature",)
    noise_shape = (8, 8, 1)
    image_size = 8

    def __init__(self, dtype=None, **kwargs):
        code = keras.Input((32,), name="text_code")
        super().__init__(inputs=code, outputs=keras.ops.mean(code, axis=-1), dtype=dtype, **kwargs)

    def resolve(self, temperature=None):
        return {"temperature": 1.0 if temperature is None else temperature}

    def sample_batch(self, conditions, draws, unconditional=None, update=None, temperature=1.0):
        mean = self.predict_on_batch(conditions["text"]["text_code"])
        noise = 0.1 * temperature * noise_of(draws, self.noise_shape)
        update()
        return np.broadcast_to(np.reshape(mean, (-1, 1, 1, 1)) + noise, (len(draws), 8, 8, 3))


def test_a_stage_of_ones_own(tmp_path):
    """It is sampled, batched, ranked and stored like any other."""
    tiny = tiny_generator()
    generator = Generator(TextToImageBackbone([tiny.stage("text"), Fade()]), tiny.preprocessor)
    prompts = ["a red apple", "a green apple"]
    pictures = generator.generate(prompts, seed=0, num_images=2)
    assert pictures.shape == (4, 8, 8, 3) and len({picture.tobytes() for picture in pictures}) == 4
    flat = generator.generate(prompts, seed=0, temperature=0.0)
    assert [len(np.unique(picture)) for picture in flat] == [1, 1]
    assert generator.generate(prompts[0], seed=0, best_of=3).shape == (8, 8, 3)
    with pytest.raises(TypeError, match="has no num_steps; it has temperature"):
        generator.generate(prompts, num_steps=3)
    with pytest.raises(TypeError, match="no image, mask and strength"):
        generator.generate(prompts, image=pictures[0])
    with pytest.raises(ValueError, match="no frames"):
        generator.generate_frames(prompts[0])
    generator.save_to_preset(tmp_path / "fade")
    opened = Generator.from_preset(tmp_path / "fade")
    assert (
        np.abs(opened.generate(prompts[1], seed=1).astype(int) - generator.generate(prompts[1], seed=1)).max()
        <= 1
    )
    alone = opened.base.sample({"text": {"text_code": generator.encode_text(prompts)}}, seed=5, batch_size=1)
    np.testing.assert_allclose(alone[1, ..., :1] - alone[1].mean(), alone[1, ..., 1:2] - alone[1].mean())
