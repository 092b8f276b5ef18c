"""The steps of diffusion, as numbers that `keras_t2i.export.schedules` worked out."""

import numpy as np

from keras_t2i_runtime.smoothing import smoothed


def diffuse(network, text, noise, schedule, scale, settings, draft=None):
    """Pictures out of noise.

    Args:
        network: function of the U-Net's inputs, a dict of arrays, to what it says, float32 `(n, s, s, 3)`.
        text: dict of what the text encoder says of n captions, and "image_code", float32 `(n, d)`, if a prior
            drew it.
        noise: float32 `(n, s, s, 3)`.
        schedule: dict, as of `schedules.schedule`.
        scale: float: x_0 is scale conditional + (1 - scale) unconditional (classifier-free guidance: arXiv
            2207.12598).
        settings: dict, `with_text`, `image_code`, `threshold` and `smoothing` of the stage.
        draft: function of these inputs but for the picture and its noise level to a dict of more inputs, or
            `None`.

    Returns:
        float32 `(n, s, s, 3)`, about [-1, 1].
    """
    n, guided = len(noise), scale != 1
    given = np.ones(n, "float32")
    if guided:  # with the captions, and with none, in one batch
        text = {name: np.concatenate([rows, rows]) for name, rows in text.items()}
        given = np.repeat(np.float32([1, 0]), n)
    inputs = {**text, "condition_mask": given * np.float32(settings["with_text"])}
    if settings["image_code"]:
        inputs |= {"image_code": text.get("image_code", text["text_code"]), "image_condition_mask": given}
    if draft is not None:
        inputs |= draft(inputs)
    drawn = denoised(network, inputs, "images", noise, schedule, scale, limit=1)
    # Folders exported before there was smoothing say nothing of it.
    return smoothed(drawn / np.float32(settings["threshold"]), settings.get("smoothing", 0.0))


def image_codes(network, text_code, noise, settings):
    """What a prior draws: image embeddings of text embeddings.

    Args:
        network: function of the prior's inputs, a dict of arrays, to what it says, float32 `(n * b, d)`.
        text_code: float32 `(n, d)` of length 1.
        noise: float32 `(n, b, d)`: of b that are drawn the one nearest to the text is kept.
        settings: dict of what the export says of the prior.

    Returns:
        float32 `(n, d)` of length 1.
    """
    n, best_of, d = noise.shape
    scale = settings["guidance_scale"]
    text, given = text_code.repeat(best_of, axis=0), np.ones(n * best_of, "float32")
    if scale != 1:
        text, given = np.concatenate([text, text]), np.concatenate([given, np.zeros_like(given)])
    inputs = {"text_code": text, "condition_mask": given}
    x = denoised(network, inputs, "codes", noise.reshape(-1, d), settings["schedule"], scale)
    codes = x * np.float32(settings["spread"]) + np.float32(settings["mean"])
    codes /= np.maximum(np.linalg.norm(codes, axis=-1, keepdims=True), 1e-12)
    codes = codes.reshape(noise.shape)
    nearest = np.einsum("nbd,nd->nb", codes, text_code).argmax(axis=1)
    return codes[np.arange(n), nearest]


def denoised(network, inputs, name, noise, schedule, scale, limit=np.inf):
    """A sampler's steps. Where the scale is not 1, inputs are those of the captions and then of none.

    Args:
        name: of the input that is noisy.
        limit: float, estimates are clipped to [-limit, limit].

    Returns: float32, like the noise.
    """
    n, guided, parts = len(noise), scale != 1, [noise]
    for step in schedule["steps"]:
        x = mixed(step["x"], parts)
        x = np.concatenate([x, x]) if guided else x
        level = np.full(len(x), step["log_snr"], "float32")
        said = network({**inputs, name: np.float32(step["c_in"]) * x, "log_snr": level})
        x0 = mixed((step["of_x"], step["of_output"]), (x, said))
        x0 = mixed((scale, 1 - scale), (x0[:n], x0[n:])) if guided else x0
        parts.append(np.clip(x0, -limit, limit))
    return mixed(schedule["drawn"], parts)


def mixed(shares, parts):
    """The sum of some arrays, each times its share."""
    return sum(np.float32(share) * part for share, part in zip(shares, parts, strict=True) if share)
