"""An objective whose training step is more than the gradient of one loss."""

import keras
from keras import ops

from keras_t2i.training.backend import apply_gradients
from keras_t2i.training.backend import replicas
from keras_t2i.training.backend import run_step
from keras_t2i.training.backend import value_and_gradients
from keras_t2i.training.backend import without_gradients
from keras_t2i.training.objective import Objective


class SteppedObjective(Objective):
    """An objective with a training step of its own: `step(x)`, written with plain assignments.

    For what `compute_loss` cannot say: gradients of gradients' parts, several passes over a batch.
    `fit` calls it on every backend. Averages are updated last: they see the weights that a step ends with.
    """

    def step(self, x):
        """One training step on the batch `x`; returns the loss. Here, down `compute_loss`."""
        variables = self.trainable_variables
        loss, gradients = self.gradients_of(
            lambda: self.compute_loss(x, y_pred=self(x, training=True)), variables
        )
        self.apply_gradients(gradients, variables)
        return loss

    def gradients_of(self, loss_fn, variables, tensors=(), optimizer=None):
        """`backend.value_and_gradients`, the gradients as `apply_gradients` wants them: divided by the number
        of replicas, which add them up, and multiplied by the loss scale of the optimizer."""
        optimizer, factor = optimizer or self.optimizer, 1 / replicas()
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            factor = ops.convert_to_tensor(optimizer.scale_loss(factor), dtype="float32")
        elif factor == 1:
            return value_and_gradients(self, loss_fn, variables, tensors)
        loss, gradients = value_and_gradients(
            self, lambda *given: loss_fn(*given) * factor, variables, tensors
        )
        return loss / factor, gradients

    def apply_gradients(self, gradients, variables, optimizer=None):
        """Let the optimizer, or one of its parts, move `variables` against `gradients` of `gradients_of`."""
        apply_gradients(self, optimizer or self.optimizer, gradients, variables)

    def train_step(self, *args):
        self.check_replicas()
        return run_step(self, args, self._step_and_logs)

    def _step_and_logs(self, data):
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        self._loss_tracker.update_state(self.step(x))
        with without_gradients():
            self.update_averages()
        return self.get_metrics_result()
