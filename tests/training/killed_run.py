"""A training run for test_run.py: `python killed_run.py FOLDER NAME` stops for good in its second epoch."""

import sys
import time

import keras
from tiny import tiny_dual_encoder
from tiny_objectives import PICTURE
from tiny_objectives import tiny_gan
from tiny_objectives import tiny_objective
from tiny_objectives import tiny_pipeline

from keras_t2i.models import ConceptDecoder
from keras_t2i.objectives.consistency import CodeConsistency
from keras_t2i.training.optimizers import adamw
from keras_t2i.training.run import train

EPOCHS = 3
STEPS = 3  # an odd number, so that an epoch ends within an accumulation


def objective_and_pipeline(name):
    pipeline = tiny_pipeline(batch_size=4, steps_per_epoch=STEPS)
    if name == "gan":
        names = "generator", "discriminator"
        both = [adamw(3e-3, EPOCHS * STEPS, 2, name=name, beta_1=0.5) for name in names]
        return tiny_gan(optimizers=lambda: both, alternate=True), pipeline
    if name == "lora":
        keras.utils.set_random_seed(1)
        decoder = ConceptDecoder(8, **PICTURE)
        decoder.enable_lora(2)
        objective = CodeConsistency(decoder, tiny_dual_encoder(8, blocks=0), form="fixed")
        objective.compile(optimizer=adamw(3e-3, EPOCHS * STEPS, 2))
        return objective, pipeline
    few = {"critics": (), "outside": None} if name == "fixed" else {}
    objective = tiny_objective(name, optimizer=lambda: adamw(3e-3, EPOCHS * STEPS, 2), **few)
    return objective, pipeline


class StopForGood(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (1, 1):
            time.sleep(600)


if __name__ == "__main__":
    train(*objective_and_pipeline(sys.argv[2]), EPOCHS, sys.argv[1], callbacks=[StopForGood()])
