"""One training step written once for TensorFlow, JAX and torch: the only file that knows a backend."""

import contextlib

import keras
from keras import ops

BACKEND = keras.config.backend()


def run_step(model, arguments, step):
    """What Keras asks of a `train_step`, by `step(data)`, which assigns to variables as it likes.

    JAX hands over the values of all variables and wants the new ones: there the step runs in a scope that
    turns assignments into a pure function (`keras.StatelessScope`).

    Args:
        model: compiled Keras model.
        arguments: tuple of what Keras called `train_step` with: `(data,)`, on JAX `(state, data)`.
        step: function of `data`, to the logs or anything else.

    Returns:
        What `step` returns; on JAX `(that, new state)`.
    """
    if BACKEND != "jax":
        return step(*arguments)
    state, data = arguments
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    values = [
        pair for group, values in zip(groups, state, strict=True) for pair in zip(group, values, strict=True)
    ]
    with keras.StatelessScope(values) as scope:
        returned = step(data)
    return returned, tuple([scope.get_current_value(v) for v in group] for group in groups)


def run_before(model, arguments, assign):
    """The arguments of a `train_step`, after `assign()` has changed variables without gradients.

    Args: as of `run_step`; assign: function of nothing.
    """
    with without_gradients():
        done = run_step(model, arguments, lambda data: assign())
    return arguments if BACKEND != "jax" else (done[1], arguments[1])


def without_gradients():
    """A context in which torch remembers no way back; the others remember none unless asked."""
    if BACKEND == "torch":
        import torch

        return torch.no_grad()
    return contextlib.nullcontext()


def replicas():
    """How many replicas share a batch: of `tf.distribute`'s strategy, under which this is called; else 1."""
    if BACKEND != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def own_rows(draw, n):
    """Numbers of each example of a batch, such that they do not depend on how replicas share it: each of them
    draws those of the whole batch, and takes its own.

    Args:
        draw: function of a number of examples to a tensor of so many rows.
        n: int, or scalar tensor: the examples here, as many as of every other replica.
    """
    count = replicas()
    if count == 1:
        return draw(n)
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None:  # a model is being built: only shapes count
        return draw(n)
    first = n * context.replica_id_in_sync_group
    return draw(n * count)[first : first + n]


def apply_gradients(objective, optimizer, gradients, variables):
    """Let an optimizer move `variables` against `gradients`, within a step of `run_step`.

    On JAX a `LossScaleOptimizer` chooses by a branch whether to move them, and assignments do not get out of
    a branch: there its pure form is called.

    Args:
        objective: the model, which was built with the optimizer, or with one whose part it is.
        optimizer: Keras optimizer.
        gradients: list of tensors.
        variables: list of variables, all that the optimizer moves.
    """
    if BACKEND != "jax" or not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        with without_gradients():
            optimizer.apply(gradients, variables)
        return
    gradient_of = {id(v): gradient for v, gradient in zip(variables, gradients, strict=True)}
    variables = [v for v in objective.trainable_variables if id(v) in gradient_of]  # as it was built
    values, state = [v.value for v in variables], [v.value for v in optimizer.variables]
    gradients = [gradient_of[id(v)] for v in variables]
    values, state = optimizer.stateless_apply(state, gradients, values)
    for variable, value in zip([*variables, *optimizer.variables], [*values, *state], strict=True):
        variable.assign(value)


def value_and_gradients(objective, loss_fn, variables, tensors=(), differentiable=False):
    """The value of `loss_fn(*tensors)` and its gradients.

    Args:
        objective: the model whose other variables (random state, metrics) `loss_fn` may assign to.
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
        objective: the model whose non-trainable variables (random state, metrics) `body` may assign to.
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
