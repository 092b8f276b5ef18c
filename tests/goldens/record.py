"""What packaged presets draw and what tiny trainings end in, recorded as arrays: goldens.

    python tests/goldens/record.py small                # writes what test_goldens.py compares with
    python tests/goldens/record.py full FILE.npz        # much more, to compare two versions of the code
    python tests/goldens/record.py full FILE.npz frames # of that, what has this in its name

A change of the code that is not to change what comes out is tested with the small set. Write it anew, on each
backend (`KERAS_BACKEND`), only where what comes out is meant to change.

Everything goes through the public API. Rounding depends on the processor, and on what `tests/conftest.py`
sets for all tests, so the same is set here.
"""

import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))  # for conftest.py, tiny.py

import conftest  # noqa: F401
import keras
import numpy as np
from tiny import tiny_dual_encoder
from tiny import tiny_vae
from tiny_diffusion import filled
from tiny_diffusion import tiny_diffusion_generator
from tiny_diffusion import tiny_unet
from tiny_objectives import PICTURE
from tiny_objectives import tiny_autoencoder
from tiny_objectives import tiny_pipeline

from keras_t2i.evaluation.judges.evaluator import Judge
from keras_t2i.models import CNNTextEncoder
from keras_t2i.models import ConceptDecoder
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import DiffusionBackbone
from keras_t2i.models import Discriminator
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import ImageEncoder
from keras_t2i.models import ImageTower
from keras_t2i.models import Prior
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.models import VAEStage
from keras_t2i.objectives.consistency import CodeConsistency
from keras_t2i.objectives.contrastive import ContrastiveAlignment
from keras_t2i.objectives.denoising import Denoising
from keras_t2i.objectives.gan import ConditionalGAN
from keras_t2i.objectives.prior import PriorDenoising
from keras_t2i.objectives.reconstruction import Reconstruction
from keras_t2i.objectives.regression import ConceptRegression
from keras_t2i.objectives.vae import Variational
from keras_t2i.training.averages import PowerFunctionEMA

FOLDER = Path(__file__).resolve().parent
STEPS = 4  # of a training
PROMPTS = [
    "a red apple",
    "woman judge, dark skin tone",
    "blue heart, fluent 3d",
    "cat, black line",
    "pizza, noto",
    "waving hand, medium skin tone, twemoji",
    "winking face, fluent flat",
    "three o'clock",
    "orange circle",
    "person surfing",
    "woman with red hair",
    "man cook, light skin tone, fluent 3d",
    "a green apple",
    "purple heart",
    "clock face: ten-thirty",
    "flag: Japan",
    "grinning face with smiling eyes",
    "thumbs up, dark skin tone, noto",
    "dog face",
    "black square",
    "family: man, woman, girl",
    "sun with face, twemoji",
    "man running, medium-light skin tone",
    "rainbow",
]


class Size(NamedTuple):
    """How much is recorded: prompts by default settings, seeds of each; prompts and steps of all else."""

    prompts: int
    seeds: tuple
    few: int
    steps: int | None
    samplers: tuple


SIZES = {
    "small": Size(2, (0,), 2, 3, ("ddim", "heun", "ddpm")),
    "full": Size(
        24,
        (0, 1000),
        6,
        None,
        (
            "ddim",
            "euler",
            "heun",
            "rk4",
            "dpm_solver_pp_2m",
            "ddpm",
            "euler_maruyama",
            "predictor_corrector",
            "annealed_langevin",
        ),
    ),
}


def given_pictures():
    """uint8 (3, 32, 32, 3): a face, a square with a frame and a gradient, all on white."""
    y, x = np.mgrid[:32, :32]
    pictures = np.full((3, 32, 32, 3), 255, "uint8")
    face, square, sky = pictures
    face[(y - 16) ** 2 + (x - 16) ** 2 < 150] = 252, 234, 43
    for eye in (11, 20):
        face[11:15, eye : eye + 2] = 0
    face[20:22, 12:21] = 0
    square[6:26, 6:26] = 0
    square[8:24, 8:24] = 234, 90, 71
    sky[4:28, 2:30] = np.stack([8 * y, 160 + 0 * y, 255 - 4 * x], axis=-1)[4:28, 2:30]
    return pictures


FACE, SQUARE, SKY = given_pictures()
MASK = np.zeros((32, 32), bool)
MASK[:18, 9:30] = True


def draw(generator, size, prompts=None, against=None, **options):
    """What `generate` makes of the first few prompts, in few steps where there are steps."""
    if generator.support_negative_prompts:
        options.setdefault("num_steps", size.steps)
    prompts = PROMPTS[: size.few] if prompts is None else prompts
    inputs = prompts if against is None else {"prompts": prompts, "negative_prompts": against}
    return generator.generate(inputs, seed=options.pop("seed", 7), **options)


def by_default(generator, size):
    return np.concatenate([generator.generate(PROMPTS[: size.prompts], seed=seed) for seed in size.seeds])


def codes(generator, size):
    return {
        "token_ids": generator.preprocessor.generate_preprocess(PROMPTS),
        "text": generator.encode_text(PROMPTS[: size.few // 2]),
        "pictures": generator.encode_image([FACE, SQUARE, SKY][: size.few // 2]),
    }


def rank(generator, size):
    order, scores = generator.rank([FACE, SQUARE, SKY], "grinning face")
    return {"order": order, "scores": scores}


def unconditional_code(generator, size):
    """A direction that no caption has."""
    return np.random.Generator(np.random.Philox(5)).standard_normal((size.few, 512)).astype("float32")


# Kind of recording -> function of an opened preset and a `Size` to an array, or to a dict of arrays.
EVERY = {
    "default": by_default,
    "codes": codes,
    "rank": rank,
    "one prompt": lambda g, s: draw(g, s, PROMPTS[1]),
    "num_images": lambda g, s: draw(g, s, num_images=2),
    "best_of": lambda g, s: draw(g, s, best_of=2),
    "seeds": lambda g, s: draw(g, s, PROMPTS[:3], seed=[5, 2**40, 5], batch_size=2),
}
ONE_PASS = {
    **EVERY,
    "temperature": lambda g, s: np.stack([draw(g, s, temperature=t) for t in (0.0, 0.5, 4.0)]),
    "decode": lambda g, s: g.decode(np.concatenate([g.encode_text(PROMPTS[:2]), unconditional_code(g, s)])),
}
DIFFUSION = {
    **EVERY,
    "negative prompt": lambda g, s: draw(g, s, against="red"),
    "some negative prompts": lambda g, s: draw(g, s, PROMPTS[:2], against=["", "dark skin tone"]),
    "no guidance": lambda g, s: draw(g, s, guidance_scale=1.0),
    "guidance in an interval": lambda g, s: draw(g, s, guidance_scale=(3.0, -2.0, 3.0)),
    "rescale": lambda g, s: draw(g, s, guidance_scale=4.0, rescale=0.7),
    "from a picture": lambda g, s: draw(g, s, PROMPTS[8], image=SQUARE),
    "from pictures": lambda g, s: draw(
        g, s, PROMPTS[:2], image=np.stack([FACE, SKY]), strength=0.8, best_of=2
    ),
    "mask": lambda g, s: draw(g, s, PROMPTS[:1], image=FACE, mask=MASK),
    "mask and strength": lambda g, s: draw(g, s, PROMPTS[:1], image=SKY, mask=MASK, strength=0.7),
    "frames": lambda g, s: g.generate_frames(PROMPTS[1], seed=3, num_steps=s.steps),
    "one step": lambda g, s: draw(g, s, num_steps=1),
    "samplers": lambda g, s: {name: draw(g, s, num_steps=s.steps and 2, sampler=name) for name in s.samplers},
}
UNCLIP = {
    **DIFFUSION,
    "decode": lambda g, s: g.decode(g.encode_text(PROMPTS[: s.few]), seed=3, num_steps=s.steps),
    "decode of no caption": lambda g, s: g.decode(
        unconditional_code(g, s), seed=3, num_steps=s.steps, sampler="ddpm", guidance_scale=(3.0, -2.0, 3.0)
    ),
    "variations": lambda g, s: g.variations(FACE, n=s.few, seed=3, num_steps=s.steps),
    "invert": lambda g, s: g.invert(SQUARE, num_steps=s.steps or 16),
    "interpolate": lambda g, s: g.interpolate(FACE, SQUARE, n=3, num_steps=s.steps or 16),
    "text_diff": lambda g, s: g.text_diff(
        FACE, "a face", "a red apple", theta=(0.2, 0.6), num_steps=s.steps or 16
    ),
    "text_diff from nothing": lambda g, s: g.text_diff(SQUARE, "", "a heart", num_steps=s.steps or 16),
}


def both_towers(model, size):
    """Forward pass of a `DualEncoder`, whose preset brings its text preparation."""
    network, preprocessor = model
    images = np.stack([FACE, SQUARE, SKY]).astype("float32") / 127.5 - 1
    token_ids = preprocessor.generate_preprocess(PROMPTS[:3])
    found = network.predict_on_batch({"images": images, "token_ids": token_ids})
    found = {name: np.asarray(value)[: size.few // 2] for name, value in found.items()}
    return {"token_ids": token_ids, **found}


def through(autoencoder, size):
    """Codes, and pictures as they come back."""
    images = np.stack([FACE, SQUARE, SKY]).astype("float32") / 127.5 - 1
    back = np.asarray(autoencoder.predict_on_batch(images))
    return {
        "codes": np.asarray(autoencoder.encoder.predict_on_batch(images))[: size.few // 2],
        "pictures": np.rint((np.clip(back, -1, 1) + 1) * 127.5).astype("uint8"),
    }


def judged(judge, size):
    return {
        "text": judge.encode_text(PROMPTS[: size.few]),
        "pictures": judge.encode_image(np.stack([FACE, SQUARE, SKY])[: size.few]),
    }


def tiny_generator(**parts):
    """With the same numbers in all weights on every backend."""
    generator = tiny_diffusion_generator(**parts)
    base, latent = generator.base, generator.stage("latent")
    autoencoder = generator.stage("image").autoencoder if latent else None
    # Filled in the order in which version 0.5 kept weights, when the goldens were recorded.
    former = DiffusionBackbone(generator.backbone.dual_encoder, base.unet, base.guide, autoencoder)
    filled(former, 4)
    return generator


def tiny_drawn(generator, size):
    return {
        "one": generator.generate(["a red apple", "a green apple"], seed=1),
        "negative": generator.generate({"prompts": "a red car", "negative_prompts": "apple"}, seed=1),
    }


def with_prompts(preset):
    return DualEncoder.from_preset(preset), TextToImagePreprocessor.from_preset(preset)


def both_vaes(_):
    return filled(tiny_vae(), 4), filled(tiny_vae(32), 5)


def sampled(vaes, size):
    concepts = np.random.Generator(np.random.Philox(1)).standard_normal((2, 32))
    return {
        "plain": VAEStage(vaes[0]).sample_images(2, seed=1),
        "conditional": VAEStage(vaes[1]).sample_images(concepts, seed=1, temperature=0.5),
    }


# Name -> function that opens it, and the kinds that are recorded of it.
MODELS = {
    "generator_openmoji_32": (Generator.from_preset, ONE_PASS),
    "gan_openmoji_32": (Generator.from_preset, {name: ONE_PASS[name] for name in ("default", "decode")}),
    "diffusion_emoji_32": (Generator.from_preset, DIFFUSION),
    "unclip_emoji_32": (Generator.from_preset, UNCLIP),
    "dual_encoder_openmoji_32": (with_prompts, {"towers": both_towers}),
    "autoencoder_openmoji_32": (ConvAutoencoder.from_preset, {"through": through}),
    "evaluator_convolutional_32": (Judge.from_preset, {"judged": judged}),
    "evaluator_attentive_32": (Judge.from_preset, {"judged": judged}),
    "tiny with a guide": (lambda _: tiny_generator(guide=True), {"drawn": tiny_drawn}),
    "tiny with latents": (lambda _: tiny_generator(latent=True), {"drawn": tiny_drawn}),
    "tiny VAE": (both_vaes, {"sampled": sampled}),
}
DRAWN = {"full": [(name, kind) for name, (_, kinds) in MODELS.items() for kind in kinds]}
DRAWN["small"] = [(name, kind) for name, kind in DRAWN["full"] if not name.startswith("tiny")]


def drawn(name, kind, size, opened=None):
    """What one model makes in one way: dict of arrays, by "name/kind" or "name/kind/part".

    Args:
        name, kind: a pair of `DRAWN[size]`.
        size: a key of `SIZES`.
        opened: dict, in which opened models are kept from call to call.
    """
    opened = {} if opened is None else opened
    open_, kinds = MODELS[name]
    if name not in opened:
        opened[name] = open_(name)
    found = kinds[kind](opened[name], SIZES[size])
    parts = found if isinstance(found, dict) else {"": found}
    return {f"{name}/{kind}/{part}".rstrip("/"): np.asarray(array) for part, array in parts.items()}


def codes_of(n, numbers, seed):
    found = np.random.Generator(np.random.Philox(seed)).standard_normal((n, numbers)).astype("float32")
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def text_tower():
    return filled(CNNTextEncoder(8, 8, embedding_dim=8, filters=8, blocks=0, hidden_dim=16, code_dim=32), 2)


def towers():
    return filled(tiny_dual_encoder(8, blocks=0), 2)


def consistency(form):
    return CodeConsistency(
        filled(ConceptDecoder(8, **PICTURE)),
        towers(),
        form=form,
        critics=[filled(ImageTower(8, **PICTURE, poolings=1), 3)],
        outside=filled(ImageEncoder(8, **PICTURE), 4),
    )


def gan(**options):
    return ConditionalGAN(
        filled(ConceptDecoder(8, **PICTURE)), filled(Discriminator(8, **PICTURE), 3), towers(), **options
    )


def denoising(unet, **options):
    return Denoising(filled(unet), text_tower(), **{"averages": PowerFunctionEMA((0.1,)), **options})


def tinier_unet(size=8, **options):
    """Of one level: it is compiled sooner."""
    return tiny_unet(size, filters=(8,), blocks=(1,), attention_size=size, **options)


def prior_denoising():
    prior = filled(Prior(8, width=16, blocks=1, condition_dim=16, whitened_dim=8))
    prior.adapt(codes_of(8, 8, 6), codes_of(8, 8, 7))
    return PriorDenoising(prior, averages=PowerFunctionEMA((0.1,)))


OTHER_FORM = {
    "process": "cosine",
    "parameterization": "v",
    "weight": {"name": "min_snr", "gamma": 3.0},
    "times": {"name": "normal_log_snr", "mean": 1.0, "std": 1.5},
    "data_std": 0.9,
    "caption_dropout": 0.5,
}
# Name -> function that makes an objective with the same numbers in all weights on every backend.
TRAININGS = {
    "reconstruction": lambda: Reconstruction(filled(tiny_autoencoder())),
    "no average": lambda: Reconstruction(filled(tiny_autoencoder()), averages=None),
    "VAE": lambda: Variational(filled(tiny_vae())),
    "conditional VAE": lambda: Variational(
        filled(tiny_vae(32)), towers(), beta=0.5, warm_up=3, free_bits=0.1, equivariance=1.0
    ),
    "clip": lambda: ContrastiveAlignment(towers(), "clip"),
    "siglip": lambda: ContrastiveAlignment(towers(), "siglip"),
    "clip in micro-batches": lambda: ContrastiveAlignment(towers(), "clip", micro_batches=4),
    "concept regression": lambda: ConceptRegression(text_tower(), filled(tiny_autoencoder().encoder)),
    "code consistency, naive": lambda: consistency("naive"),
    "code consistency, fixed": lambda: consistency("fixed"),
    "GAN": lambda: gan(),
    "GAN, exact penalties": lambda: gan(penalty="exact", loss="hinge", code_weight=0.5),
    "GAN, in turn": lambda: gan(alternate=True, loss="nonsaturating"),
    "denoising": lambda: denoising(tiny_unet(), averages=PowerFunctionEMA((0.1, 0.2))),
    "denoising latents": lambda: denoising(tinier_unet(4, channels=2), data_std=1.0),
    "denoising with image concepts": lambda: denoising(
        tinier_unet(image_code=True), image_encoder=towers().image_encoder, caption_dropout=0.5
    ),
    "denoising in another form": lambda: denoising(tinier_unet(), **OTHER_FORM),
    "prior": prior_denoising,
}
BESIDE = {  # what batches hold beside pictures and captions
    "denoising latents": {"image_features": {"latents": codes_of(8, 32, 8).reshape(8, 4, 4, 2) * 32**0.5}},
    "prior": {
        "image_features": {"image_codes": codes_of(8, 8, 7)},
        "caption_features": {"text_codes": codes_of(8, 8, 6)},
    },
}


def networks(objective):
    """The networks that move in a training, and their averages, by name."""
    averages = objective.averages or [objective.average]
    found = {"network": objective.network, **{f"average {i}": a for i, a in enumerate(averages)}}
    if hasattr(objective, "discriminator"):
        found["discriminator"] = objective.discriminator
    return found


def trained(name, size):
    """What a few steps of a tiny training lead to: dict of arrays.

    "name/metrics" are the loss and others, by alphabet. "name/network" and so on are all weights of a
    network, side by side; or, if small, how far they moved: a row for each variable, the mean and the product
    with a fixed random vector.
    """
    keras.utils.set_random_seed(1)
    objective = TRAININGS[name]()
    rates = [keras.optimizers.SGD(0.02, momentum=0.9, name=n) for n in ("one", "other")]
    # TensorFlow takes longer to make graphs of such small steps than to go without.
    eagerly = size == "small" and keras.config.backend() == "tensorflow"
    rates = rates if hasattr(objective, "discriminator") else rates[:1]
    objective.compile(*rates, run_eagerly=eagerly)
    before = {part: network.get_weights() for part, network in networks(objective).items()}
    pipeline = tiny_pipeline(steps_per_epoch=STEPS, **BESIDE.get(name, {}))
    logs = objective.fit(pipeline, verbose=0, shuffle=False).history
    found = {f"{name}/metrics": np.array([logs[metric][0] for metric in by_former_names(logs)])}
    for part, network in networks(objective).items():
        pairs = zip(before[part], network.get_weights(), strict=True)
        if size == "small":
            rows = [summary(new.astype("float64") - old, i) for i, (old, new) in enumerate(pairs)]
            found[f"{name}/{part}"] = np.array(rows)
        else:
            found[f"{name}/{part}"] = np.concatenate([new.ravel() for _, new in pairs])
    return found


def by_former_names(logs):
    """Names of metrics, sorted as they were called when the goldens were recorded."""
    return sorted(logs, key=lambda name: {"diversity_ratio": "variety"}.get(name, name))


def summary(change, number):
    """Two numbers that say where a variable went: the mean, and the product with a fixed random vector."""
    random = np.random.Generator(np.random.Philox(number)).standard_normal(change.size)
    return change.mean(), change.ravel() @ random


def record(size, only="", tell=lambda *_: None):
    """Everything, or what has `only` in its name: two dicts of arrays, of what is drawn and what is trained.

    `tell` hears what comes next.
    """
    pictures, trainings, opened = {}, {}, {}
    for name, kind in DRAWN[size]:
        if only in f"{name}/{kind}":
            tell(name, kind)
            pictures |= drawn(name, kind, size, opened)
    opened.clear()
    for name in TRAININGS:
        if only in f"training/{name}":
            tell("training", name)
            trainings |= trained(name, size)
    return pictures, trainings


def main():
    size, *more = sys.argv[1:]
    pictures, trainings = record(size, *more[1:2], tell=lambda *what: print(*what, flush=True))
    if size == "full":
        np.savez_compressed(more[0], **pictures, **{f"training/{k}": v for k, v in trainings.items()})
        return
    backend = keras.config.backend()
    if backend == "tensorflow":  # pictures of the other backends are compared with these
        np.savez_compressed(FOLDER / "drawn.npz", **pictures)
    np.savez_compressed(FOLDER / f"trained_{backend}.npz", **trainings)


if __name__ == "__main__":
    main()
