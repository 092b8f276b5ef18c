"""What every objective shares: one network that learns, its running average, and its own dice."""

import keras
from keras import ops


class Objective(keras.Model):
    """A network, and what it is trained for.

    A subclass says in `call` what the network makes of a batch and in `compute_loss` how good that is;
    Keras' `fit` does the rest on every backend. Arithmetic here is float32 whatever the network's dtype.

    The average is a second copy of the network, not the optimizer's `use_ema`: it is saved and loaded
    like any weight, validation and sampling use it, and `fit` may be called again. It starts as a plain
    mean and becomes an exponential one: decay is `min(ema_decay, (1 + t) / (10 + t))` at step t.

    Args:
        network: Backbone, trained in place.
        ema_decay: float in [0, 1), how slowly the average follows. 0: the average is the network.
        seed: int, of the dice that `call` throws.
    """

    def __init__(self, network, ema_decay=0.999, seed=0, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        if not 0 <= ema_decay < 1:
            raise ValueError(f"ema_decay must be in [0, 1), received {ema_decay}")
        self.network = self.average = network
        if ema_decay:
            self.average = freeze(copy(network))
        self.ema_decay = ema_decay
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.steps = self.add_weight(
            shape=(), dtype="float32", initializer="zeros", trainable=False, name="steps"
        )

    def build(self, input_shape=None):
        self.built = True  # the networks came built, and every other weight is made above

    def chosen(self, training):
        """The network in training, its average otherwise."""
        return self.network if training else self.average

    def update_average(self):
        """One step of the running average. Called once per training step.

        `compute_loss` calls it, so it sees the weights that the step starts with; a `SteppedObjective`
        those that it ends with.
        """
        if self.ema_decay:
            decay = ops.minimum(self.ema_decay, (1.0 + self.steps) / (10.0 + self.steps))
            for mean, weight in zip(self.average.weights, self.network.weights, strict=True):
                weight = ops.cast(ops.stop_gradient(ops.convert_to_tensor(weight)), mean.dtype)
                mean.assign(mean + (1.0 - decay) * (weight - mean))
        self.steps.assign_add(1.0)

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        if training:
            self.update_average()
        return self.judge(x, y_pred, training)

    def judge(self, x, predicted, training):
        """A float32 scalar. `x` is the batch, `predicted` what `call` made of it."""
        raise NotImplementedError

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of the last step: called by Keras' step on torch, and nowhere else.

        Keras knows a model's parameters by their paths, which a network shares with its average, so its
        own way leaves the network's gradients to add up from step to step.
        """
        for variable in self.trainable_variables:
            variable.value.grad = None

    def dice(self):
        """The states of all random generators in here, which Keras leaves out of saved weights."""
        weights = {id(v) for v in self.non_trainable_weights}
        return [v for v in self.non_trainable_variables if id(v) not in weights]

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for i, state in enumerate(self.dice()):
            store[f"dice{i}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        for i, variable in enumerate(self._trainable_variables + self._non_trainable_variables):
            variable.assign(store[str(i)])
        for i, state in enumerate(self.dice()):
            state.assign(store[f"dice{i}"])


def copy(network):
    """A new network of the same class and weights, float32."""
    twin = type(network).from_config(
        {**network.get_config(), "dtype": "float32", "name": f"{network.name}_average"}
    )
    twin.set_weights(network.get_weights())
    return twin


def freeze(network):
    """`network`, whose weights are no longer trained; to be done before `compile`.

    Only its variables are marked. `network.trainable = False` would be stored in its presets, and does
    nothing to the variables of one loaded from such a preset (on TensorFlow, as nothing changes).
    """
    for variable in network.variables:
        variable.trainable = False
    return network
