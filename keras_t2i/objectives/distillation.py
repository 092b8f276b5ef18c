"""A diffusion model becomes one that draws in a step or a few: from x_t at once to where its path ends."""

import contextlib

import keras
from keras import ops

from keras_t2i.diffusion import guidance
from keras_t2i.diffusion.consistency_tuning import earlier_time
from keras_t2i.diffusion.consistency_tuning import noise_ratio
from keras_t2i.diffusion.consistency_tuning import pseudo_huber
from keras_t2i.diffusion.consistency_tuning import step_from
from keras_t2i.diffusion.denoiser import Denoiser
from keras_t2i.diffusion.namespace import expand
from keras_t2i.diffusion.parameterization import Parameterization
from keras_t2i.objectives.denoising import Denoising
from keras_t2i.objectives.diffusion import mean_square
from keras_t2i.training.backend import without_gradients
from keras_t2i.training.objective import freeze

EVERY = 8  # of how many examples in training one is drawn in a single step, for the metrics


@keras.saving.register_keras_serializable(package="keras_t2i")
class ConsistencyTuning(Denoising):
    """Easy Consistency Tuning (ECT: Geng et al. 2024, arXiv 2406.14548) of a trained diffusion model.

    A denoiser says of x_t the mean of all pictures that it may be. A consistency model says the one at which
    the path through x_t ends (Song et al. 2023, arXiv 2303.01469), so it draws in one step. It is taught by
    itself: what it says at t is drawn towards what it says, without gradient, at an earlier time r of the
    same picture and the same noise. At first r is 0, where the picture itself is the target, which is
    `Denoising`; in stages r comes nearer to t (`diffusion.consistency_tuning.noise_ratio`).

    The squared error counts as it does in `Denoising`; the `huber` loss of that, times
    `s_t / (s_t - s_r)` with s = sigma / alpha, is what is made small: the paper's 1 / (t - r), for a `weight`
    of 1 / t^2. With no `huber` and r = 0 this is the loss of `Denoising`.

    Args:
        network, text_encoder: as of `Denoising`, of the diffusion model, which is trained on.
        q, k, b, boundary: of `noise_ratio`. `boundary` is where a network that says x_0 outright learns that
            the picture at next to no noise is itself.
        stages: int, how many stages there are, each as long as the others.
        run_steps: int, training steps of the whole run; `None`: as `run.train` sets them. Until they are
            known it is the first stage.
        huber: float above 0, constant of `pseudo_huber`, of the weighted error; `None`: squares.
        teacher: `DiffusionUNet`, frozen here: the network before tuning. It is asked, in place of the picture
            and its noise, where the path of `guidance_scale` leads from x_t to time r (consistency
            distillation: arXiv 2303.01469, algorithm 2). `None`: guidance is not distilled.
        guidance_scale: float, of the teacher. What is learned from it is drawn without guidance.
        spread: float above 0, root mean square of what is not known of a picture before there is any of it:
            noise is large or small beside that. `None`: that of the draft's error, or of pictures.
        kwargs: of `Denoising`, as the network was trained.

    Metrics: those of `Denoising`, and of drawings in one step out of nothing but noise: `error_one_step`,
    their mean squared error, and `detail_one_step`, how far neighbors differ in them, as a share of how far
    they do in pictures. A mean of pictures has the lowest error, and detail far below 1.

    The loss is another in each stage: compare it within one alone.

    Raises: ValueError as `Denoising`, for numbers out of range, and for guidance without a teacher.
    """

    def __init__(
        self,
        network,
        text_encoder,
        q=2.0,
        k=8.0,
        b=1.0,
        boundary=0.05,
        stages=6,
        run_steps=None,
        huber=1e-3,
        teacher=None,
        guidance_scale=1.0,
        spread=None,
        **kwargs,
    ):
        super().__init__(network, text_encoder, **kwargs)
        for name, value, least in (("q", q, 1), ("k", k, 0), ("b", b, 0), ("boundary", boundary, 0)):
            if not value >= least or (name == "q" and value == 1):
                raise ValueError(f"{name} must be {'above 1' if least else 'at least 0'}, received {value}")
        if not (isinstance(stages, int) and stages >= 1):
            raise ValueError(f"stages must be a whole number of at least 1, received {stages}")
        if spread is not None and not spread > 0:
            raise ValueError(f"spread must be above 0, or None, received {spread}")
        if huber is not None and not huber > 0:
            raise ValueError(f"huber must be above 0, or None, received {huber}")
        if (guidance_scale != 1) != (teacher is not None):
            raise ValueError(
                "to distill guidance takes both a teacher and a guidance_scale other than 1, received "
                f"guidance_scale {guidance_scale} and {'a' if teacher is not None else 'no'} teacher"
            )
        self.schedule = {"q": float(q), "k": float(k), "b": float(b), "boundary": float(boundary)}
        self.stages, self.huber, self.guidance_scale = stages, huber, guidance_scale
        self.fixed_steps = run_steps
        self.run_steps = self.add_weight(
            shape=(), dtype="float32", initializer="zeros", trainable=False, name="run_steps"
        )
        self.run_steps.assign(run_steps or 0)
        self.teacher, drafted = teacher, getattr(network, "draft_features", 0) > 0
        if teacher is not None:
            freeze(teacher)
        # Past Keras, which would track the layers twice.
        given = teacher.with_drafts() if drafted and teacher is not None else teacher
        object.__setattr__(self, "_given_teacher", given)
        if spread is None:
            spread = network.draft_error**0.5 if drafted else self.data_std
        self.spread = spread
        self.of_one_step = [
            keras.metrics.Mean(dtype="float32", name=f"{what}_one_step") for what in ("error", "detail")
        ]

    def get_config(self):
        return {**super().get_config(), "spread": self.spread}

    def set_steps(self, steps):
        super().set_steps(steps)
        if self.fixed_steps is None:
            self.run_steps.assign(steps)

    def stage(self):
        """The stage of the present step, from 0: a float32 scalar. A function of `steps` alone, which is
        saved, so a run that is resumed goes on in it."""
        done = ops.maximum(self.steps - 1.0, 0.0) * self.stages / ops.maximum(self.run_steps, 1.0)
        return ops.where(self.run_steps > 0, ops.minimum(ops.floor(done), self.stages - 1.0), 0.0)

    def call(self, x, training=False):
        """As of `Denoising`; and "r" and "target" `(n, ...)`, what the network is to say, and "one_step",
        drawings `(m, ...)` in one step of the first m, in training an eighth."""
        x0 = self.clean(x)
        noise, t = self.noise_and_times(x0, training)
        condition = self.condition(x, training)
        denoiser, x_t = self.denoiser(training), self.process.diffuse(x0, noise, t)
        ratio = noise_ratio(self.process, t, self.stage(), self.spread, **self.schedule)
        r = earlier_time(self.process, t, ratio)
        dropped = self.dropout_state()
        output = denoiser.output(x_t, t, condition, training)
        with self.same_dropout(dropped), without_gradients():
            end, x_r = x0, self.process.diffuse(x0, noise, r)
            if self.teacher is not None:
                end = self.taught(x_t, t, condition, "latents" in x)
                x_r = step_from(self.process, x_t, end, t, r)
            known = expand(ops.cast(ratio > 0.0, "float32"), x0) > 0.0
            target = ops.where(known, denoiser(x_r, r, condition, training), end)
            n = ops.shape(x0)[0]
            m = (n + EVERY - 1) // EVERY if training else n
            some = {name: rows[:m] for name, rows in condition.items()}
            one_step = denoiser(self.process.start(noise[:m]), ops.ones_like(t[:m]), some)
        target, one_step = ops.stop_gradient(target), ops.stop_gradient(one_step)
        wanted = Parameterization("x0", self.process).convert(target, x_t, t, self.parameterization.kind)
        losses = pseudo_huber(self.weights_of(t) * mean_square(output - wanted), self.huber) / (1.0 - ratio)
        return {
            **{"t": t, "log_snr": self.process.log_snr(t), "r": r * ops.cast(ratio > 0.0, "float32")},
            **{"x0": x0, "noise": noise, "x_t": x_t, "output": output, "target": target},
            **{"one_step": one_step, "losses": losses},
        }

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        drawn = y_pred["one_step"]
        true = y_pred["x0"][: ops.shape(drawn)[0]]
        error, detail = self.of_one_step
        error.update_state(mean_square(drawn - true))
        there = ops.maximum(contrast(true), 1e-12)
        detail.update_state(contrast(drawn) / there, sample_weight=there)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def taught(self, x_t, t, condition, latent):
        """The teacher's guided estimate of x_0, float32 `(n, ...)`, clipped as in drawing."""
        kind = self.parameterization.kind
        teacher = Denoiser(self._given_teacher, self.process, kind, self.data_std, self.x_name)
        away = {
            name: ops.zeros_like(rows) if name.endswith("condition_mask") else rows
            for name, rows in condition.items()
        }
        if self._given_teacher is not self.teacher:
            of = self.teacher.draft_of
            away["draft"], away["draft_doubt"] = of(away)
            if "draft" not in condition:  # in validation, each makes its own
                condition = {**condition, **dict(zip(("draft", "draft_doubt"), of(condition), strict=True))}
        pair = (teacher(x_t, t, rows) for rows in (condition, away))
        x0 = guidance.classifier_free(*pair, self.guidance_scale)
        return x0 if latent else ops.clip(x0, -1.0, 1.0)

    def dropout_state(self):
        """Copies of the state of the network's random generators."""
        return [ops.copy(ops.convert_to_tensor(v)) for v in random_generators(self.network)]

    @contextlib.contextmanager
    def same_dropout(self, state):
        """Within it the network drops what it dropped since `dropout_state` was called; afterwards its
        generators are where they were before, whatever was asked within."""
        generators = random_generators(self.network)
        after = self.dropout_state()
        for variable, value in zip(generators, state, strict=True):
            variable.assign(value)
        yield
        for variable, value in zip(generators, after, strict=True):
            variable.assign(value)


def random_generators(network):
    """The variables of a network's random generators."""
    weights = {id(v) for v in network.non_trainable_weights}
    return [v for v in network.non_trainable_variables if id(v) not in weights]


def contrast(x):
    """How far neighbors differ, of each example: mean squares, float `(n, h, w, c)` to `(n,)`."""
    return mean_square(x[:, 1:] - x[:, :-1]) + mean_square(x[:, :, 1:] - x[:, :, :-1])
