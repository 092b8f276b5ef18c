"""The optimizer that the recipes share: AdamW, whose learning rate rises, then falls over the run."""

import keras
import numpy as np


@keras.saving.register_keras_serializable(package="keras_t2i")
class WarmupCosine(keras.optimizers.schedules.CosineDecay):
    """A linear rise, then half a cosine down to a hundredth (SGDR: Loshchilov and Hutter 2017, arXiv
    1608.03983, eq. 5, without restarts).

    Args:
        highest: float, the largest learning rate.
        rise, fall: ints, or variables: steps of each.
    """

    def __init__(self, highest, rise=1, fall=1):
        # A float32 number: with a Python float Keras would count steps in the global dtype.
        super().__init__(np.float32(0.0), 1, alpha=0.01, warmup_target=highest)
        self.warmup_steps, self.decay_steps = rise, fall

    def get_config(self):
        return {
            "highest": self.warmup_target,
            "rise": int(self.warmup_steps),
            "fall": int(self.decay_steps),
        }


@keras.saving.register_keras_serializable(package="keras_t2i")
class ScheduledAdamW(keras.optimizers.AdamW):
    """AdamW with a `WarmupCosine` whose length may be set after `compile`.

    How many steps fit into some minutes is known once a step was timed, and a step must be compiled before it
    can be timed. So rise and fall are variables of the optimizer: to set them compiles nothing anew, and they
    are saved and loaded with its state.

    Args:
        learning_rate: float, the largest, or a `WarmupCosine`.
        warmup_steps: int, updates in which it rises; a tenth of the run at most.
        steps: int, of the whole run, accumulated ones too; `None`: as `run.train` sets them.
        kwargs: of `keras.optimizers.AdamW`.
    """

    def __init__(self, learning_rate=1e-3, warmup_steps=100, steps=None, **kwargs):
        if isinstance(learning_rate, dict):  # a stored config
            learning_rate = keras.saving.deserialize_keras_object(learning_rate)
        if not isinstance(learning_rate, WarmupCosine):
            learning_rate = WarmupCosine(learning_rate)
        super().__init__(learning_rate, **kwargs)
        self.schedule, self.most_warmup_steps, self.steps = learning_rate, warmup_steps, steps
        rise, fall = int(self.schedule.warmup_steps), int(self.schedule.decay_steps)
        self.schedule.warmup_steps = self.add_variable((), "ones", "int32", name="rise")
        self.schedule.decay_steps = self.add_variable((), "ones", "int32", name="fall")
        self._set(rise, fall)
        if steps is not None:
            self.set_steps(steps)

    def set_steps(self, steps):
        """Set the steps of the whole run.

        Raises: ValueError where the run ends before its first update.
        """
        accumulate = self.gradient_accumulation_steps or 1
        if accumulate > steps:
            raise ValueError(
                f"accumulate must be at most the {steps} steps of the run, received {accumulate}: otherwise "
                "there is no update"
            )
        rise = min(self.most_warmup_steps * accumulate, steps // 10)
        self._set(max(1, rise), max(1, steps - rise))

    def _set(self, rise, fall):
        self.schedule.warmup_steps.assign(rise)
        self.schedule.decay_steps.assign(fall)

    def get_config(self):
        return {**super().get_config(), "warmup_steps": self.most_warmup_steps, "steps": self.steps}


def adamw(
    learning_rate,
    steps=None,
    accumulate=1,
    warmup_steps=100,
    weight_decay=1e-4,
    global_clipnorm=1.0,
    **options,
):
    """AdamW whose learning rate rises linearly, then falls to zero along a cosine.

    Args:
        learning_rate: float above 0, the largest.
        steps: int, of the whole run, accumulated ones too: the rate is zero at the last. `None`: `run.train`
            sets them.
        accumulate: int, steps whose gradients are averaged into one update.
        warmup_steps: int, updates in which the rate rises; a tenth of the run at most.
        weight_decay, global_clipnorm, options: of `keras.optimizers.AdamW`.

    Returns:
        `ScheduledAdamW`.

    Raises:
        ValueError: a number is out of range, or the run ends before its first update.
    """
    if not learning_rate > 0:
        raise ValueError(f"learning_rate must be above 0, received {learning_rate}")
    if accumulate < 1:
        raise ValueError(f"accumulate must be at least 1, received {accumulate}")
    return ScheduledAdamW(
        learning_rate,
        warmup_steps,
        steps,
        weight_decay=weight_decay,
        global_clipnorm=global_clipnorm,
        gradient_accumulation_steps=accumulate if accumulate > 1 else None,
        **options,
    )


class Optimizers(keras.optimizers.Optimizer):
    """Several optimizers as one, of which each has variables of its own and is applied by itself.

    `keras.optimizers.MultiOptimizer` does not take a `LossScaleOptimizer` as a part.

    Args:
        parts: list of (optimizer, list of variables). Optimizers of several names, by which they are logged.
    """

    def __init__(self, parts):
        super().__init__(learning_rate=0.0, name="optimizers")
        self.optimizers = [optimizer for optimizer, _ in parts]
        # As many states as JAX is to carry, in the order in which a step takes the variables.
        for optimizer, variables in parts:
            optimizer.build(variables)
        super().build([variable for _, variables in parts for variable in variables])

    def build(self, variables):
        """All is built."""

    @property
    def variables(self):
        return [*super().variables, *(v for part in self.optimizers for v in part.variables)]

    def apply(self, grads, trainable_variables=None):
        raise NotImplementedError("each of `optimizers` is applied by itself")


def scale_loss(optimizer):
    """An optimizer as a `LossScaleOptimizer`: small gradients stay above what float16 loses, and a
    step whose gradients are not finite is skipped (Micikevicius et al. 2018, arXiv 1710.03740, section 3.2).
    `Optimizers` stay as they are: their parts are scaled."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer | Optimizers):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer, name=optimizer.name)


def set_steps(optimizer, steps):
    """Set the steps of the whole run in an optimizer, or in the parts of one, where they were left open.

    Raises: ValueError where the run ends before its first update.
    """
    for part in getattr(optimizer, "optimizers", [optimizer]):
        part = getattr(part, "inner_optimizer", part)
        if isinstance(part, ScheduledAdamW) and part.steps is None:
            part.set_steps(steps)
