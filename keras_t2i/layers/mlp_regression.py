"""What vectors have in common with what is to be said of them: two hidden layers, learned before all else."""

import keras
import numpy as np
from keras import layers
from keras import ops

from keras_t2i.layers.normalization import Whitening
from keras_t2i.layers.precision import float32
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.random_streams import random_stream

BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY = 256, 1.5e-3, 0.05
MOST_STEPS, PASSES = 2000, 20  # of learning, and over the examples, whichever ends first
WARMUP = 0.03  # share of the steps in which the learning rate rises
BLOCK = 4096  # vectors that are answered at a time
FOLDS = 3  # examples are left out by so many parts
DIRECTIONS = 256  # in which vectors are told apart
NOISE_VARIANCE = 1e-5  # of vectors of length 1: smaller differences than its root are not blown up


@keras.saving.register_keras_serializable(package="keras_t2i")
class MLPRegression(keras.layers.Layer):
    """Vectors to vectors by a multilayer perceptron, fitted by `adapt`: it does not learn afterwards.

    Regression on distances (`KernelRegression`) takes what is alike for what is meant: a purple heart lies
    among purple circles. Layers that learn find what "purple" does to whatever it is said of, and so say
    better what combinations look like that they never saw.

    Args:
        hidden: int, width of the two hidden layers.
        outputs: int, numbers of an answer.

    Call: float `(n, d)` to float32 `(n, outputs)`. Zeros until `adapt` is called.
    """

    def __init__(self, hidden, outputs, **kwargs):
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self.hidden = int(hidden)
        self.outputs = int(outputs)
        self.dense_dtype = float32(kwargs.get("dtype"))

    def build(self, x_shape):
        dim = min(DIRECTIONS, x_shape[-1])
        self.whitening = Whitening(dim, dtype="float32", name="whitening")
        self.whitening.build(x_shape)
        self.network = perceptron(dim, self.hidden, self.outputs, self.dense_dtype)
        self.network.trainable = False

    def call(self, x):
        return self.network(self.whitening(x))

    def said(self, x):
        """What is said of many vectors: float array `(n, d)` to NumPy's float32 `(n, outputs)`."""
        return predict_in_batches(self.network, ops.convert_to_numpy(self.whitening(x)), BLOCK)

    def compute_output_spec(self, x):
        return keras.KerasTensor((x.shape[0], self.outputs), dtype="float32")

    def adapt(self, x, y, seed=0, groupings=()):
        """Learn from examples: the least mean of `|y_i - f(x_i)|^2`, by AdamW.

        Args:
            x: float array `(n, d)`.
            y: float array `(n, outputs)`.
            seed: int, of first weights, order and folds.
            groupings: sequence of int arrays `(n,)`, equal for examples of one group.

        Returns:
            list of float32 `(n, outputs)`, one for each grouping: what is said of each example by a network
            that learned from none of its group (cross-validation in `FOLDS` folds).
        """
        x, y = np.asarray(x, "float32"), np.asarray(y, "float32")
        scale = np.sqrt(np.square(y).mean(dtype="float64")).astype("float32") + np.float32(1e-12)
        self.whitening.adapt(x, NOISE_VARIANCE)
        x = ops.convert_to_numpy(self.whitening(x))

        def learned(rows):
            network = perceptron(x.shape[1], self.hidden, self.outputs)
            learn(network, x, y / scale, rows, seed)
            return network

        *others, kernel, bias = learned(np.arange(len(x))).get_weights()
        self.network.set_weights([*others, kernel * scale, bias * scale])
        return [scale * self._left_out(learned, x, groups, seed) for groups in groupings]

    def _left_out(self, learned, x, groups, seed):
        _, groups = np.unique(groups, return_inverse=True)
        folds = random_stream(seed, "folds").permutation(groups.max() + 1)[groups] % FOLDS
        said = np.zeros((len(x), self.outputs), "float32")
        for fold in range(FOLDS):
            here = folds == fold
            if here.any() and not here.all():  # of a single group nothing else is known
                said[here] = predict_in_batches(learned(np.flatnonzero(~here)), x[here], BLOCK)
        return said

    def get_config(self):
        return {**super().get_config(), "hidden": self.hidden, "outputs": self.outputs}


def perceptron(inputs, hidden, outputs, dtype="float32"):
    """The network, which says zero: float `(n, inputs)` to float32 `(n, outputs)`. dtype: of dense layers."""
    x = first = keras.Input((inputs,), dtype="float32", name="vectors")
    for i in (1, 2):
        x = layers.Dense(hidden, dtype=dtype, name=f"dense{i}")(x)
        x = layers.LayerNormalization(dtype="float32", name=f"norm{i}")(x)
        x = layers.Activation("silu", dtype="float32", name=f"silu{i}")(x)
    x = layers.Dense(outputs, kernel_initializer="zeros", dtype=dtype, name="head")(x)
    return keras.Model(first, x, name="perceptron")


def learn(network, x, y, rows, seed):
    """Fit a `perceptron` to these rows of examples, float32 `(n, inputs)`, `(n, outputs)`, from first
    weights and in an order that are the same on every backend."""
    random = random_stream(seed, "perceptron")
    for dense in network.layers[1:-1]:
        if isinstance(dense, layers.Dense):
            shape = dense.kernel.shape
            dense.kernel.assign(random.standard_normal(shape, "float32") / np.float32(shape[0] ** 0.5))
    size = min(BATCH_SIZE, len(rows))
    steps = min(MOST_STEPS, PASSES * -(-len(rows) // size))
    passes = -(-steps * size // len(rows))
    order = np.concatenate([random.permutation(rows) for _ in range(passes)])

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return steps

        def __getitem__(self, index):
            here = order[index * size : (index + 1) * size]
            return x[here], y[here]

    warmup = max(1, round(WARMUP * steps))
    rate = {"warmup_target": LEARNING_RATE, "warmup_steps": warmup}
    schedule = keras.optimizers.schedules.CosineDecay(0.0, max(1, steps - warmup), **rate)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY)
    optimizer.build(network.trainable_variables)  # else TensorFlow traces the step twice
    network.compile(optimizer, "mse")
    network.fit(Batches(), verbose=0, shuffle=False)
