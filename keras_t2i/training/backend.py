"""One training step written once for TensorFlow, JAX and torch: the only file that knows a backend."""

import contextlib

import keras
from keras import ops

from keras_t2i.training.objective import Objective

BACKEND = keras.config.backend()


class SteppedObjective(Objective):
    """An objective with a training step of its own: `step(x)`, written with plain assignments.

    For what `compute_loss` cannot say: gradients of gradients' parts, several passes over a batch.
    `fit` calls it on every backend; on JAX a scope turns the assignments into a pure function.
    """

    def step(self, x):
        """One training step on the batch `x`: call `minimize` or `update`, and return the loss."""
        raise NotImplementedError

    def train_step(self, *args):
        if BACKEND != "jax":
            x, _, _ = keras.utils.unpack_x_y_sample_weight(args[0])
            return self._step_and_logs(x)
        state, data = args
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        groups = (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )
        mapping = [
            pair
            for group, values in zip(groups, state, strict=True)
            for pair in zip(group, values, strict=True)
        ]
        with keras.StatelessScope(mapping) as scope:
            logs = self._step_and_logs(x)
        return logs, tuple([scope.get_current_value(v) for v in group] for group in groups)

    def _step_and_logs(self, x):
        self._loss_tracker.update_state(self.step(x))
        return self.get_metrics_result()

    def update(self, gradients, variables, optimizer=None):
        """Let the optimizer, or one of its parts, move `variables` against `gradients`, then the average
        follow."""
        self.move(gradients, variables, optimizer)
        with without_gradients():
            self.update_average()

    def move(self, gradients, variables, optimizer=None):
        """`update` without the average, where more than one is made in a step."""
        with without_gradients():
            (optimizer or self.optimizer).apply(gradients, variables)

    def minimize(self, loss_fn):
        """One step down `loss_fn()`, a float32 scalar, in all trainable variables. Returns the loss."""
        variables = self.trainable_variables
        loss, gradients = value_and_gradients(self, loss_fn, variables)
        self.update(gradients, variables)
        return loss


def without_gradients():
    """A context in which torch remembers no way back; the others remember none unless asked."""
    if BACKEND == "torch":
        import torch

        return torch.no_grad()
    return contextlib.nullcontext()


def value_and_gradients(objective, loss_fn, variables, tensors=(), differentiable=False):
    """The value of `loss_fn(*tensors)` and its gradients.

    Args:
        objective: the model whose other variables (dice, metrics, averages) `loss_fn` may assign to.
        loss_fn: function of as many tensors as are given, to a float32 scalar.
        variables: list of trainable variables.
        tensors: float tensors, with respect to which gradients are wanted too.
        differentiable: bool, whether another call, around this one, will ask for gradients of these
            gradients. They are then taken with the tensors held fixed.

    Returns:
        `(loss, gradients)`: first those of the variables, then those of the tensors; zeros where the
        loss does not depend on one.
    """
    variables, tensors = list(variables), list(tensors)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            loss = loss_fn(*tensors)
        sources = [v.value for v in variables] + tensors
        gradients = tape.gradient(loss, sources, unconnected_gradients="zero")
        return loss, [tf.convert_to_tensor(g) for g in gradients]  # an embedding's are sparse
    if BACKEND == "torch":
        import torch

        with torch.enable_grad():
            leaves = [t.detach().requires_grad_() for t in tensors]
            loss = loss_fn(*leaves)
            sources = [v.value for v in variables] + leaves
            gradients = torch.autograd.grad(loss, sources, allow_unused=True, create_graph=differentiable)
        return loss if differentiable else loss.detach(), [
            torch.zeros_like(s) if g is None else g for g, s in zip(gradients, sources, strict=True)
        ]
    import jax

    chosen = {id(v) for v in variables}  # variables compare like tensors: `in` would not do
    rest = {id(v): v for v in objective.variables + objective.metrics_variables if id(v) not in chosen}
    rest = list(rest.values())

    def pure(values, tensors, rest_values):
        mapping = [*zip(variables, values, strict=True), *zip(rest, rest_values, strict=True)]
        with keras.StatelessScope(mapping) as scope:
            loss = loss_fn(*tensors)
        return loss, [scope.get_current_value(v) for v in rest]

    values, rest_values = [v.value for v in variables], [v.value for v in rest]
    differentiate = jax.value_and_grad(pure, argnums=(0, 1), has_aux=True)
    (loss, rest_values), (of_variables, of_tensors) = differentiate(values, tensors, rest_values)
    for variable, value in zip(rest, rest_values, strict=True):
        variable.assign(value)
    return loss, [*of_variables, *of_tensors]


def fori_loop(objective, body, state, times):
    """`state = body(i, state)` for i from 0 to `times - 1`, strictly one after the other, compiled once.

    Memory is that of one turn: an unrolled graph would run whatever is ready, and keep it all.

    Args:
        objective: the model whose non-trainable variables (dice, metrics, averages) `body` may assign to.
        body: function of an int and the state, to the next state.
        state: list of tensors that keep their shapes and dtypes.
        times: int.
    """
    if BACKEND == "tensorflow":
        import tensorflow as tf

        def turn(i, state):
            return i + 1, body(i, state)

        return tf.while_loop(lambda i, _: i < times, turn, (0, state), parallel_iterations=1)[1]
    if BACKEND == "torch":
        for i in range(times):
            state = body(i, state)
        return state
    import jax

    variables = objective.non_trainable_variables + objective.metrics_variables
    trainable = [(v, v.value) for v in objective.trainable_variables]

    def pure(i, values):
        state, assigned = values
        with keras.StatelessScope([*trainable, *zip(variables, assigned, strict=True)]) as scope:
            state = body(i, state)
        return state, [scope.get_current_value(v) for v in variables]

    state, assigned = jax.lax.fori_loop(0, times, pure, (state, [v.value for v in variables]))
    for variable, value in zip(variables, assigned, strict=True):
        variable.assign(value)
    return state


def split(batch, parts):
    """Tensors cut along the first axis into `parts` of one size: `(n, ...)` to `(parts, n / parts, ...)`.

    Raises: ValueError where n is known and cannot be divided.
    """

    def cut(value):
        size = value.shape[0]
        if size is not None and size % parts:
            raise ValueError(f"a batch of {size} cannot be cut into {parts} equal micro-batches")
        return ops.reshape(value, (parts, -1, *value.shape[1:]))

    return keras.tree.map_structure(cut, batch)
