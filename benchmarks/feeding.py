"""How long does training wait for its data? The pipeline behind `fit`, with a model that does nothing.

    python benchmarks/feeding.py

What is left of a step is Keras' own work and the feeding; compare with the steps of `benchmarks/recipes.py`.
"""

import time

import keras
import numpy as np

from keras_t2i.data import Pipeline
from keras_t2i.data import SetPipelineEpoch
from keras_t2i.data import augmentation
from keras_t2i.data import load
from keras_t2i.models import TextToImagePreprocessor


class Nothing(keras.Model):
    def __init__(self):
        super().__init__()
        self.weight = self.add_weight(shape=(), name="weight")

    def build(self, input_shape=None):
        self.built = True

    def call(self, x):
        return self.weight

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.weight * keras.ops.cast(x["images"][0, 0, 0, 0], "float32")


class Clock(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.times = [time.perf_counter()]

    def on_train_batch_end(self, batch, logs=None):
        self.times.append(time.perf_counter())


def main():
    data = load("openmoji", "train")
    preprocessor = TextToImagePreprocessor.from_preset("dual_encoder_openmoji_32")
    print("| batch | augmentation | batch made, ms | step of a model that does nothing, ms: median, 99 % |")
    print("|---|---|---|---|")
    for size, name, augmentations in (
        (16, "flip", (augmentation.horizontal_flip,)),
        (64, "none", ()),
        (256, "translate", (augmentation.translate(2),)),
    ):
        pipeline = Pipeline(data, preprocessor, size, steps_per_epoch=300, augmentations=augmentations)
        start = time.perf_counter()
        for step in range(100):
            pipeline.batch(step)
        made = (time.perf_counter() - start) * 10
        model, clock = Nothing(), Clock()
        model.compile(optimizer="sgd")
        model.fit(pipeline, shuffle=False, verbose=0, callbacks=[SetPipelineEpoch(pipeline), clock])
        waits = 1e3 * np.diff(clock.times)[20:]
        print(f"| {size} | {name} | {made:.2f} | {np.median(waits):.1f}, {np.quantile(waits, 0.99):.1f} |")


if __name__ == "__main__":
    main()
