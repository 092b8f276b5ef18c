"""Lesson 4: pictures out of noise. The network learns to take noise off, steered by words.

    python recipes/train_diffusion.py                           # pixels, the default data
    python recipes/train_diffusion.py --space latent            # 8x8x8 codes of lesson 1 instead of pixels
    python recipes/train_diffusion.py --condition image_code --caption-dropout 0.5   # the decoder of DALL-E 2
    python recipes/train_diffusion.py --start diffusion_emoji_32     # go on from what a preset has learned
    python recipes/train_diffusion.py --data my_pictures --dual-encoder runs/concepts/preset
    python recipes/train_diffusion.py --prediction epsilon --weight none --times uniform    # as in 2020

A picture is mixed with noise, x_t = alpha x_0 + sigma noise, at a random noise level, and the network, told
the level and the caption (through the text encoder of lesson 2, which stands still), says what the picture
was. To draw, start from nothing but noise and let it take the noise off step by step. One caption in ten is
withheld, so the network also learns to draw without; to go from that towards what it draws with the caption,
and further, is guidance.

Watch "error_noisiest" to "error_clearest": how far the guess of the picture is off, by noise level. Layout
and colour are decided where it is noisy, edges where it is clear.
"""

import argparse

import numpy as np

from keras_t2i.data import Pipeline
from keras_t2i.diffusion import PROCESSES
from keras_t2i.diffusion.parameterization import PARAMETERIZATIONS
from keras_t2i.diffusion.timesteps import TRAINING_TIMES
from keras_t2i.diffusion.weights import WEIGHTS
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import DiffusionBackbone
from keras_t2i.models import DiffusionGenerator
from keras_t2i.models import DiffusionUNet
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.models import UnCLIPBackbone
from keras_t2i.models import UnCLIPGenerator
from keras_t2i.models import token_features
from keras_t2i.models.networks.autoencoder import code_grid
from keras_t2i.models.networks.unet import SIZES
from keras_t2i.objectives.denoising import Denoising
from keras_t2i.objectives.diffusion import LEVELS
from keras_t2i.training.averages import SaveSnapshots
from keras_t2i.training.averages import reconstruct
from keras_t2i.training.options import adamw
from keras_t2i.training.options import load_splits
from keras_t2i.training.options import prepare
from keras_t2i.training.options import print_table
from keras_t2i.training.options import training_parser
from keras_t2i.training.run import peak_memory
from keras_t2i.training.run import train
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.gif import save_frames
from keras_t2i.utils.images import downsample
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png
from keras_t2i.utils.images import to_float

TINIEST = {"filters": (8, 16), "blocks": (1, 1), "attention_size": 8, "head_dim": 8, "condition_dim": 16}
WIDTHS = (0.05, 0.075, 0.1, 0.15, 0.2)  # of the averages among which validation chooses


def parse(argv):
    parser = training_parser(__doc__, "diffusion", epochs=150, batch_size=64, learning_rate=1e-3)
    add = parser.add_argument
    add("--size", default="tiny", choices=list(SIZES), help="of the network: 2, 5 or 14 million parameters")
    add("--image-size", default=32, type=int, choices=[32, 64], help="width and height of pictures")
    add("--dual-encoder", default="dual_encoder_openmoji_32", help="preset of lesson 2: name or folder")
    add("--start", default="", help="preset of this lesson to go on from, with its encoders; none: anew")
    add("--condition", default="text", choices=["text", "image_code"], help="what is drawn from")
    add("--space", default="pixel", choices=["pixel", "latent"], help="what noise is put on")
    add(
        "--autoencoder",
        default="autoencoder_openmoji_32",
        help="preset of lesson 1, or a VAE's, for --space latent",
    )
    paths = sorted(name for name, process in PROCESSES.items() if process.gaussian)
    add("--process", default="rectified_flow", choices=paths, help="how picture and noise mix over time")
    add("--prediction", default="x0", choices=PARAMETERIZATIONS, help="what the network says")
    add("--weight", default="velocity", choices=list(WEIGHTS), help="how much each noise level counts")
    add("--times", default="logit_normal", choices=list(TRAINING_TIMES), help="how often each is trained")
    add("--caption-dropout", default=0.1, type=float, help="how often a caption is withheld")
    add(
        "--whiten",
        default=True,
        action=argparse.BooleanOptionalAction,
        help="show the network first how captions differ",
    )
    add("--guidance", default=2.0, type=float, help="guidance scale of drawings, and of the preset")
    add("--threshold", default=0.98, type=float, help="where pixels are shown as black or white, in [-1, 1]")
    add("--num-steps", default=8, type=int, help="steps of drawings while training")
    add(
        "--guide-at",
        default=0.0,
        type=float,
        help="autoguidance: keep the network as it was after this share of training as a guide; 0: none",
    )
    args = parser.parse_args(argv)
    if not 0 <= args.guide_at < 1:
        parser.error("--guide-at must be at least 0 and below 1")
    return parser, args


def main(argv=None):
    parser, args = parse(argv)
    settings = prepare(args)
    dual_encoder, preprocessor, trained = opened(args)
    pictures, unseen = load_splits(args, args.image_size)
    autoencoder, side, channels, tables = None, args.image_size, 3, [{}, {}]
    if args.space == "latent":
        autoencoder = ConvAutoencoder.from_preset(args.autoencoder)  # or a VAE, which is one by its means
        encoder = autoencoder.encoder
        if encoder.image_size != args.image_size:
            parser.error(f"{args.autoencoder} is for --image-size {encoder.image_size}")
        side, channels = code_grid(encoder.image_size, encoder.filters, encoder.code_dim)
        some = pictures.take(np.linspace(0, len(pictures) - 1, min(2048, len(pictures))).astype(int))
        autoencoder.standardize(latents(encoder, some, side).reshape(len(some), -1))
        tables = [{"latents": latents(encoder, data, side)} for data in (pictures, unseen)]

    pipeline = Pipeline(pictures, preprocessor, args.batch_size, seed=args.seed, image_features=tables[0])
    validation = Pipeline(unseen, preprocessor, args.batch_size, image_features=tables[1], training=False)
    text_encoder = dual_encoder.text_encoder
    from_code = args.condition == "image_code"
    sizes = {"image_size": side, "channels": channels, "image_code": from_code, "dtype": args.precision}
    if trained is None:
        sizes |= {"code_dim": text_encoder.code_dim, "token_dim": text_encoder.filters}
        unet = DiffusionUNet.from_size(args.size, **sizes, **(TINIEST if args.smoke else {}))
    else:
        unet = DiffusionUNet.from_config({**trained.get_config(), **sizes, "trainable": True})
    image_encoder = dual_encoder.image_encoder if from_code else None
    if args.whiten:
        whiten(unet, text_encoder, pipeline.token_table, image_encoder, pictures)
    if trained is not None:
        unet.load_matching_weights(trained)
    examples = to_float(pictures.pictures[:2048]) if autoencoder is None else tables[0]["latents"]
    objective = Denoising(
        unet,
        text_encoder,
        process=args.process,
        prediction=args.prediction,
        weight=args.weight,
        times=args.times,
        caption_dropout=args.caption_dropout,
        data_std=float(np.sqrt(np.mean(np.square(examples)))),
        image_encoder=image_encoder,
        seed=args.seed,
    )
    objective.compile(optimizer=adamw(args, args.epochs * len(pipeline)))

    def generator_of(network, guide=None):
        backbone = (UnCLIPBackbone if from_code else DiffusionBackbone)(
            dual_encoder,
            network,
            guide,
            autoencoder,
            process=objective.process.get_config(),
            prediction=args.prediction,
            data_std=objective.data_std,
            threshold=args.threshold,
            guidance_scale=args.guidance,
            **({"with_text": args.caption_dropout < 1} if from_code else {}),
        )
        return (UnCLIPGenerator if from_code else DiffusionGenerator)(backbone, preprocessor)

    shown = pictures.take(np.linspace(0, len(pictures) - 1, min(12, len(pictures))))
    captions = shown.plain_captions
    drawer = generator_of(objective.average)

    def drawn_by(generator, **options):  # of image concepts: variations of the true pictures
        if from_code:
            return generator.decode(generator.encode_image(shown.pictures), seed=0, **options)
        return generator.generate(captions, seed=0, **options)

    def draw(objective):  # true pictures over drawn ones
        drawn = drawn_by(drawer, num_steps=args.num_steps)
        return make_grid(np.concatenate([shown.pictures, drawn]), columns=len(drawn), scale=3)

    every = max(1, args.epochs // 10)
    logs = train(
        objective,
        pipeline,
        args.epochs,
        args.output,
        validation=validation,
        draw=draw,
        settings=settings,
        restart=args.restart,
        callbacks=[SaveSnapshots(args.output / "snapshots", every, args.epochs)],
    )

    losses = choose_average(objective, validation, args.output / "snapshots")
    best = min(losses, key=lambda width: losses[width]["loss"])
    guide = None
    if args.guide_at:
        step = max(every, int(args.guide_at * args.epochs)) * len(pipeline)
        guide = type(unet).from_config({**objective.average.get_config(), "name": "guide"})
        guide.set_weights(reconstruct(args.output / "snapshots", best, step))

    generator = generator_of(objective.average, guide)
    generator.save_to_preset(args.output / "preset", weights_dtype="float16")
    drawn = drawn_by(generator)
    save_png(make_grid(np.concatenate([shown.pictures, drawn]), len(drawn), 3), args.output / "drawings.png")
    save_frames(generator.generate_frames(captions[0], seed=0), args.output / "evolution.gif")
    print_table(
        [
            *((f"validation loss, average of width {w}", losses[w]["loss"]) for w in WIDTHS),
            *((f"validation error, {level}", losses[best][f"error_{level}"]) for level in LEVELS),
            ("minutes", logs["seconds"] / 60),
            ("peak memory, MiB", peak_memory()),
            ("picture: true over drawn", args.output / "drawings.png"),
            ("a picture as it evolves", args.output / "evolution.gif"),
            (f"preset (average of width {best})", args.output / "preset"),
            ("logs (tensorboard --logdir)", args.output / "logs"),
        ]
    )
    print(f'\nTry: python recipes/generate.py "a red apple" --preset {args.output / "preset"}')


def opened(args):
    """The dual encoder, its preprocessor and, with `--start`, the network to go on from."""
    if not args.start:
        preprocessor = TextToImagePreprocessor.from_preset(args.dual_encoder)
        return DualEncoder.from_preset(args.dual_encoder), preprocessor, None
    start = Generator.from_preset(args.start)
    if not isinstance(start.backbone, DiffusionBackbone):
        raise SystemExit(f"--start {args.start} is no diffusion generator: give a preset of lesson 4")
    return start.backbone.dual_encoder, start.preprocessor, start.backbone.unet


def choose_average(objective, validation, folder):
    """The averages stored on the way make averages of any length: validation chooses.

    Returns the metrics of each width; the network of the lowest loss is left in `objective.average`.
    """
    losses = {}
    for width in WIDTHS:
        objective.average.set_weights(reconstruct(folder, width))
        losses[width] = objective.evaluate(validation, verbose=0, return_dict=True)
    best = min(losses, key=lambda width: losses[width]["loss"])
    objective.average.set_weights(reconstruct(folder, best))
    return losses


def codes_of(encoder, data):
    """Codes of all pictures, float32 `(n, code_dim)`."""
    parts = [data.pictures[start : start + 256] for start in range(0, len(data), 256)]
    codes = [predict_in_batches(encoder, downsample(to_float(p), encoder.image_size), 64) for p in parts]
    return np.concatenate(codes)


def latents(encoder, data, side):
    """Codes of all pictures as small pictures, float32 `(n, side, side, channels)`, computed once."""
    return codes_of(encoder, data).reshape(len(data), side, side, -1)


def whiten(unet, text_encoder, token_table, image_encoder=None, pictures=None):
    """Show the network the captions and perhaps the pictures' concepts, for the directions in which they
    differ."""
    some = token_table[np.linspace(0, len(token_table) - 1, min(4096, len(token_table))).astype(int)]
    features = predict_in_batches(token_features(text_encoder), some, 256)
    concepts = None if image_encoder is None else l2_normalize(codes_of(image_encoder, pictures))
    unet.whiten(features["text_code"], features["text_tokens"][features["text_mask"] > 0], concepts)


if __name__ == "__main__":
    main()
