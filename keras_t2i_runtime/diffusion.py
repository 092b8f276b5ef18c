"""The steps of diffusion, as numbers that `keras_t2i.export.schedules` worked out."""

import numpy as np


def diffuse(network, text, noise, schedule, scale, settings, draft=None):
    """Pictures out of noise.

    Args:
        network: function of the U-Net's inputs, a dict of arrays, to what it says, float32 `(n, s, s, 3)`.
        text: dict of what the text encoder says of n captions.
        noise: float32 `(n, s, s, 3)`.
        schedule: dict, as of `schedules.schedule`.
        scale: float: x_0 is scale conditional + (1 - scale) unconditional (classifier-free guidance: arXiv
            2207.12598).
        settings: dict, `with_text`, `image_code` and `threshold` of the stage.
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
        inputs |= {"image_code": text["text_code"], "image_condition_mask": given}
    if draft is not None:
        inputs |= draft(inputs)
    parts = [noise]
    for step in schedule["steps"]:
        x = mixed(step["x"], parts)
        x = np.concatenate([x, x]) if guided else x
        level = np.full(len(x), step["log_snr"], "float32")
        said = network({**inputs, "images": np.float32(step["c_in"]) * x, "log_snr": level})
        x0 = mixed((step["of_x"], step["of_output"]), (x, said))
        x0 = mixed((scale, 1 - scale), (x0[:n], x0[n:])) if guided else x0
        parts.append(np.clip(x0, -1, 1))
    return mixed(schedule["drawn"], parts) / np.float32(settings["threshold"])


def mixed(shares, parts):
    """The sum of some arrays, each times its share."""
    return sum(np.float32(share) * part for share, part in zip(shares, parts, strict=True) if share)
