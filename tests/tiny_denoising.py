"""A tiny diffusion model in training, and what it says of a batch."""

import keras
from keras import ops
from tiny import tiny_dual_encoder
from tiny_diffusion import tiny_unet

from keras_t2i.objectives.denoising import Denoising
from keras_t2i.training.averages import PowerFunctionEMA


def tiny_denoising(unet=None, optimizer=None, kind=Denoising, **options):
    """Twice the same for the same arguments. kind: `Denoising`, or a class of it."""
    keras.utils.set_random_seed(1)
    options = {"averages": PowerFunctionEMA((0.1,)), **options}
    objective = kind(unet or tiny_unet(), tiny_dual_encoder(8, blocks=0).text_encoder, **options)
    objective.compile(optimizer=optimizer or keras.optimizers.SGD(0.02))
    return objective


def numpy(structure):
    return keras.tree.map_structure(ops.convert_to_numpy, structure)


def evaluated(objective, batch, training=False):
    """What `call` made of a batch, its loss and its metrics."""
    objective.reset_metrics()
    seen = objective(batch, training=training)
    loss = float(ops.convert_to_numpy(objective.compute_loss(batch, y_pred=seen, training=training)))
    metrics = [*objective.errors, *getattr(objective, "of_one_step", [])]
    return numpy(seen), loss, {metric.name: float(metric.result()) for metric in metrics}
