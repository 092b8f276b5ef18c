"""What every objective shares: one network that learns, averages of its weights, and random numbers."""

import dataclasses
import inspect

import keras
from keras import ops

from keras_t2i.models.lora import is_lora
from keras_t2i.models.lora import merged_weights
from keras_t2i.training.averages import ExponentialMovingAverage
from keras_t2i.training.averages import PowerFunctionEMA
from keras_t2i.training.backend import replicas
from keras_t2i.training.backend import run_before
from keras_t2i.training.optimizers import scale_loss
from keras_t2i.training.optimizers import set_steps
from keras_t2i.utils.deprecation import former_argument


class Objective(keras.Model):
    """A network, and what it is trained for.

    A subclass says in `call` what the network makes of a batch and in `compute_loss` how good that is;
    Keras' `fit` does the rest on every backend. Arithmetic here is float32 whatever the network's dtype.

    Averages are further copies of the network, not the optimizer's `use_ema`: they are saved and loaded
    like any weight, validation and sampling use the first, and `fit` may be called again. They are updated
    once a training step and nowhere else; `compute_loss` updates metrics at most and, in training, draws
    random numbers.

    It is saved and opened as any Keras model (`save`, `keras.models.load_model`, `ModelCheckpoint`,
    `BackupAndRestore`, `copy.deepcopy`): its config is the arguments that it was made with. What is opened is
    compiled and trains on where it was. A subclass of yours needs `keras.saving.register_keras_serializable`,
    and `get_config` and `from_config` only for arguments that are neither networks nor plain values.

    A network with LoRA (`network.enable_lora(rank)`, before) is trained by its small matrices. Averages are
    then plain networks, of the sums. Such an objective is not saved: a Keras file holds the sums alone.

    Args:
        network: Backbone, trained in place.
        averages: `ExponentialMovingAverage`, `PowerFunctionEMA`, or `None`: the average is the network.
        seed: int, of the random numbers that `call` draws.
        ema_decay, widths: former names, for one release: a float for an `ExponentialMovingAverage`, 0 for
            none; floats for a `PowerFunctionEMA`.

    Attributes:
        average: what validation and drawings use: the first of `averages`, or the network.
        averages: list of networks, float32.
        averaging: the argument `averages`.
        steps: float32 variable, training steps so far.
    """

    # Whether its loss, or its step, is another than the mean over parts of a batch.
    needs_whole_batch = False

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls, *args, **kwargs)
        signature = inspect.signature(cls.__init__)
        given = signature.bind(self, *args, **kwargs).arguments
        others = [name for name, p in signature.parameters.items() if p.kind is p.VAR_KEYWORD]
        for name in others:
            given |= given.pop(name, {})
        given.pop(next(iter(signature.parameters)))  # self
        object.__setattr__(self, "_given", given)  # past Keras, which would track the networks twice
        return self

    def __init__(
        self,
        network,
        averages=ExponentialMovingAverage(),  # noqa: B008 (frozen)
        seed=0,
        ema_decay=None,
        widths=None,
        **kwargs,
    ):
        super().__init__(dtype="float32", **kwargs)
        decay = former_argument("ema_decay", ema_decay, "averages=ExponentialMovingAverage(decay)", None)
        sigma_rel = former_argument("widths", widths, "averages=PowerFunctionEMA(sigma_rel)", None)
        if decay is not None:
            averages = ExponentialMovingAverage(decay) if decay else None
        if sigma_rel is not None:
            averages = PowerFunctionEMA(sigma_rel) if sigma_rel else None
        _check_trainable(network)
        self.network, self.averaging = network, averages
        self.averages = [freeze(copy(network)) for _ in range(averages.count if averages else 0)]
        self.average = self.averages[0] if self.averages else network
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.steps = self.add_weight(
            shape=(), dtype="float32", initializer="zeros", trainable=False, name="steps"
        )

        self.built = True  # the networks came built, and every other weight is made in the constructor

    def compile(self, optimizer, *args, auto_scale_loss=True, **kwargs):
        """As Keras' method, but for the loss scale.

        Args:
            optimizer: name or object.
            auto_scale_loss: bool, whether the optimizer becomes a `keras.optimizers.LossScaleOptimizer` where
                a network computes in float16. Keras looks at the objective's own dtype, which is float32.
            args, kwargs: of `keras.Model.compile`.
        """
        optimizer = keras.optimizers.get(optimizer)
        if auto_scale_loss and computes_in_float16(self):
            optimizer = scale_loss(optimizer)
        super().compile(optimizer, *args, auto_scale_loss=auto_scale_loss, **kwargs)
        # Keras' own has the global dtype, and float16 counts to 2048. Untracked, as Keras' own is.
        object.__setattr__(self, "_loss_tracker", keras.metrics.Mean(dtype="float32", name="loss"))

    def compile_from_config(self, config):
        # Keras leaves a model uncompiled whose `compile` is its own.
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def build(self, input_shape=None):
        self.built = True

    def get_config(self):
        _check_apart(self._given)
        return {"name": self.name} | {name: _serialize(value) for name, value in self._given.items()}

    @classmethod
    def from_config(cls, config):
        return cls(**{name: _deserialize(value) for name, value in config.items()})

    def quantize(self, *args, **kwargs):
        """Refused: whole numbers are not trained."""
        raise NotImplementedError(
            f"a {type(self).__name__} is not quantized: train first, then quantize what draws, "
            'objective.average.quantize("int8")'
        )

    def set_steps(self, steps):
        """Set the steps of the whole run, before it begins: the learning rate falls by them.

        Raises: ValueError where the run ends before its first update.
        """
        set_steps(self.optimizer, steps)

    def chosen(self, training):
        """The network in training, its average otherwise."""
        return self.network if training else self.average

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        """A float32 scalar.

        Args:
            x: the batch, a dict of tensors.
            y_pred: what `call` made of it.
            y, sample_weight: Keras', not used: a batch holds all that there is to know.
            training: bool.
        """
        raise NotImplementedError

    def _compute_loss(self, *args, **kwargs):
        """`compute_loss`, as Keras' steps want it: replicas add up their gradients, and each one's loss is a
        mean over its own part of a batch."""
        return super()._compute_loss(*args, **kwargs) / replicas()

    def check_replicas(self):
        """Raise a NotImplementedError where replicas share a batch whose examples cannot be parted."""
        if self.needs_whole_batch and replicas() > 1:
            raise NotImplementedError(
                f"{type(self).__name__} needs the whole batch in one place, and each of {replicas()} "
                "replicas sees a part: train it without tf.distribute's strategy"
            )

    def make_train_function(self, force=False):
        """Keras' own. TensorFlow traces a step anew in whose trace variables were made: the optimizer has its
        own before."""
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def train_step(self, *args):
        """Keras' own. Averages are updated first: they see the weights that a step starts with."""
        self.check_replicas()
        return super().train_step(*run_before(self, args, self.update_averages))

    def update_averages(self):
        """Count a training step, and let the averages move towards the weights."""
        self.steps.assign_add(1.0)
        rates = self.averaging.rates(self.steps) if self.averages else []
        weights = merged_weights(self.network) if self.averages else []
        for rate, average in zip(rates, self.averages, strict=True):
            for mean, weight in zip(average.weights, weights, strict=True):
                weight = ops.cast(ops.stop_gradient(ops.convert_to_tensor(weight)), mean.dtype)
                mean.assign(mean + rate * (weight - mean))

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of the last step: called by Keras' step on torch, and nowhere else.

        Keras knows a model's parameters by their paths, which a network shares with its average, so its
        own way leaves the network's gradients to add up from step to step.
        """
        for variable in self.trainable_variables:
            variable.value.grad = None

    def random_state(self):
        """The variables of all random generators in here, which Keras leaves out of saved weights."""
        weights = {id(v) for v in self.non_trainable_weights}
        return [v for v in self.non_trainable_variables if id(v) not in weights]

    def save_own_variables(self, store):
        if is_lora(self.network):
            raise NotImplementedError(
                f"the network of this {type(self).__name__} has LoRA, whose matrices Keras' files merge: "
                'save them with objective.network.save_lora_weights("x.lora.h5"), or the sums with '
                "objective.network.save_to_preset(folder)"
            )
        super().save_own_variables(store)
        for i, state in enumerate(self.random_state()):
            store[f"random_state{i}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        for i, variable in enumerate(self._trainable_variables + self._non_trainable_variables):
            variable.assign(store[str(i)])
        for i, state in enumerate(self.random_state()):
            state.assign(store[f"random_state{i}"])


def computes_in_float16(model):
    """Whether a layer of it does: small gradients are then lost unless the loss is scaled."""
    return any(layer.compute_dtype == "float16" for layer in model._flatten_layers())


def copy(network):
    """A new network of the same class and weights, float32. That of one with LoRA has none, and the sums."""
    twin = type(network).from_config(
        {**network.get_config(), "dtype": "float32", "name": f"{network.name}_average"}
    )
    twin.set_weights([ops.convert_to_numpy(weight) for weight in merged_weights(network)])
    return twin


def freeze(network):
    """`network`, whose weights are no longer trained; to be done before `compile`.

    Only its variables are marked. `network.trainable = False` would be stored in its presets, and does
    nothing to the variables of one loaded from such a preset (on TensorFlow, as nothing changes).
    """
    for variable in network.variables:
        variable.trainable = False
    return network


def _check_trainable(network):
    """Raise a ValueError where a network is quantized."""
    for layer in network._flatten_layers():
        if layer.quantization_mode in ("int8", "int4", "gptq", "awq"):
            raise ValueError(
                f"{network.name!r} is quantized (layer {layer.name!r}, {layer.quantization_mode}) and cannot "
                "be trained: open it as it was before, train, and quantize what comes out"
            )


def _check_apart(arguments):
    """Raise a ValueError where two networks among an objective's arguments share some weights, but not all: a
    Keras file would open them as two, one of them without its weights."""
    owners = {}
    for name, value in arguments.items():
        for network in value if isinstance(value, list | tuple) else [value]:
            for weight in network.weights if isinstance(network, keras.Model) else []:
                other, first = owners.setdefault(id(weight), (network, name))
                if other is not network:
                    raise ValueError(
                        f"{first} and {name} of this objective share weights, which a Keras file cannot "
                        "hold: save the weights alone (save_weights), or give a copy (copy.deepcopy)"
                    )


def _serialize(value):
    """An argument of an objective: a network or a list of them, averages, or a plain value."""
    if isinstance(value, keras.layers.Layer):
        return keras.saving.serialize_keras_object(value)
    if isinstance(value, ExponentialMovingAverage | PowerFunctionEMA):
        options = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {"average": type(value).__name__, **options}
    if isinstance(value, list | tuple):
        return [_serialize(one) for one in value]
    return value


def _deserialize(value):
    """What `_serialize` gave; what is already an object stays."""
    if isinstance(value, list):
        return [_deserialize(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "average" in value:
        kinds = {kind.__name__: kind for kind in (ExponentialMovingAverage, PowerFunctionEMA)}
        options = {name: option for name, option in value.items() if name != "average"}
        return kinds[value["average"]](**options)
    return keras.saving.deserialize_keras_object(value) if "class_name" in value else value
