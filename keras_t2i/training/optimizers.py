"""The optimizer that the recipes share."""

import keras


def adamw(
    learning_rate,
    steps,
    accumulate=1,
    warmup_steps=100,
    weight_decay=1e-4,
    global_clipnorm=1.0,
    **options,
):
    """AdamW whose learning rate rises linearly, then falls to zero along a cosine.

    Args:
        learning_rate: float above 0, the largest.
        steps: int, of the whole run, accumulated ones too: the rate is zero at the last.
        accumulate: int, steps whose gradients are averaged into one update.
        warmup_steps: int, updates in which the rate rises; a tenth of the run at most.
        weight_decay, global_clipnorm, options: of `keras.optimizers.AdamW`.

    Returns:
        `keras.optimizers.AdamW`.

    Raises:
        ValueError: a number is out of range, or the run ends before its first update.
    """
    if not learning_rate > 0:
        raise ValueError(f"learning_rate must be above 0, received {learning_rate}")
    if not 1 <= accumulate <= steps:
        raise ValueError(
            f"accumulate must be at least 1 and at most the {steps} steps of the run, received {accumulate}"
        )
    rise = min(warmup_steps * accumulate, steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rise), alpha=0.01, warmup_target=learning_rate, warmup_steps=max(1, rise)
    )
    return keras.optimizers.AdamW(
        schedule,
        weight_decay=weight_decay,
        global_clipnorm=global_clipnorm,
        gradient_accumulation_steps=accumulate if accumulate > 1 else None,
        **options,
    )
