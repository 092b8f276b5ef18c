"""A list of stages as one: conditions go from stage to stage, as in a cascade (arXiv 2106.15282)."""

from keras_t2i.models.stages.sampling import StepState
from keras_t2i.utils.images import to_uint8


def stage_of(stages, produces):
    """The stage that produces "text", "image_embedding", "latent", "image", "large_image" or "rendering", or
    `None`."""
    return next((stage for stage in stages if stage.produces == produces), None)


def base_of(stages):
    """The stage that noise goes into: the first that makes a latent or an image."""
    return stage_of(stages, "latent") or stage_of(stages, "image")


def resolve_settings(stages, **settings):
    """Each stage's settings, checked: a dict of dicts by what stages produce.

    Args:
        stages: list of `Stage`.
        **settings: of any of them, by name; `None` for the preset's.

    Raises:
        TypeError: a setting that no stage has.
        ValueError: one out of range.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    known = {name for stage in stages for name in stage.settings}
    if unknown := sorted(set(given) - known):
        raise TypeError(f"this generator has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    return {
        stage.produces: stage.resolve(**{name: given[name] for name in stage.settings if name in given})
        for stage in stages
    }


def sample_stages(
    stages, conditions, batch, settings, unconditional=None, given=None, callback=None, noise=None
):
    """Pictures of a batch: every stage adds to the conditions what they do not have.

    Args:
        stages: list of `Stage`.
        conditions: dict of what is there already, "text" at least: as of `Stage`, with b rows.
        batch: `sampling.Batch` of b drawings.
        settings: dict of dicts, as `resolve_settings` gives them.
        unconditional: the same as `conditions`, of negative prompts; or `None`.
        given: `editing.GivenPicture` of these rows, to start from; or `None`: noise alone.
        callback: function of a `StepState`, called after every step; or `None`.
        noise: float32 `(b, *noise_shape)`, in place of that of the batch's draws; or `None`.

    Returns:
        uint8 `(b, s, s, 3)`.
    """
    conditions, unconditional = dict(conditions), unconditional and dict(unconditional)
    base = base_of(stages)
    for stage in stages:
        name = stage.produces
        if name in conditions:
            continue
        options = dict(settings[name])
        start = given if stage.editable else None
        if stage.editable:
            options |= {"noise": noise, "start": start and start.start}
        if stage.watchable and callback is not None:
            options["on_step"] = on_step(stages, stage, batch, settings[name], start, callback)
        if stage.guided:
            options["unconditional"] = unconditional
        elif unconditional is not None and stage is not base and base.produces not in conditions:
            # What the base is conditioned on is made of the negative prompts too.
            unconditional[name] = stage.sample_batch(unconditional, batch.draws, **options)
        conditions[name] = stage.sample_batch(conditions, batch.draws, update=batch.update, **options)
    pictures = to_uint8(conditions["image"])
    return pictures if given is None else given.kept(pictures)


def on_step(stages, stage, batch, settings, given, callback):
    """A function of a sampler's `State`: it shows `callback` the pictures, uint8, of a stage's estimate."""
    num_steps = stage.num_steps_of(settings)

    def show(state):
        shown = stage.shown(state.x0, settings)
        if stage.produces == "latent":
            shown = stage_of(stages, "image").sample_batch({"latent": shown}, batch.draws)
        shown = to_uint8(shown)
        shown = shown if given is None else given.kept(shown)
        callback(StepState(state.step, num_steps, state.t, int(batch.rows[0]), shown[: batch.count]))

    return show
