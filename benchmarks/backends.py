"""Are the three backends one? The packaged presets' outputs on each, and the largest differences.

    python benchmarks/backends.py            # needs jax and torch installed

Every backend runs in a process of its own on the same inputs. Differences are against TensorFlow.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

BACKENDS = ("tensorflow", "jax", "torch")
GENERATORS = ("generator_openmoji_32", "gan_openmoji_32", "diffusion_emoji_32", "unclip_emoji_32")
PROMPTS = [
    "a red apple",
    "green apple",
    "woman judge, dark skin tone",
    "flag of France",
    "three o'clock",
    "black line drawing of a cat",
    "pizza",
    "blue heart",
]


def outputs(file):
    from keras_t2i.models import ConvAutoencoder
    from keras_t2i.models import DualEncoder
    from keras_t2i.models import Generator
    from keras_t2i.models import TextToImagePreprocessor
    from keras_t2i.utils.random_streams import random_stream

    images = random_stream(0, "images").uniform(-1, 1, (16, 32, 32, 3)).astype("float32")
    autoencoder = ConvAutoencoder.from_preset("autoencoder_openmoji_32")
    dual_encoder = DualEncoder.from_preset("dual_encoder_openmoji_32")
    preprocessor = TextToImagePreprocessor.from_preset("dual_encoder_openmoji_32")
    drawn = {}
    for name in GENERATORS:
        generator = Generator.from_preset(name)
        drawn[name] = generator.generate(PROMPTS, seed=0, num_images=4)
        alone = [generator.generate(prompt, seed=4 * i) for i, prompt in enumerate(PROMPTS)]
        drawn[f"{name} alone"] = np.stack(alone)
    token_ids = preprocessor.generate_preprocess(PROMPTS * 2)
    codes = dual_encoder.predict_on_batch({"images": images, "token_ids": token_ids})
    np.savez(
        file,
        autoencoder=autoencoder.predict_on_batch(images),
        image_codes=codes["image_codes"],
        text_codes=codes["text_codes"],
        **drawn,
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.file:
        return outputs(args.file)
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for backend in BACKENDS:
            file = Path(folder) / f"{backend}.npz"
            environment = {**os.environ, "KERAS_BACKEND": backend}
            subprocess.run([sys.executable, __file__, "--file", str(file)], env=environment, check=True)
            found[backend] = dict(np.load(file))
    columns = ["autoencoder", "image codes", "text codes"]
    for name in GENERATORS:
        columns += [f"{name}: largest, share over 2/255", "alone against in a batch"]
    print(f"| backend | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for backend, of in found.items():
        far = {k: np.abs(v.astype("float64") - found["tensorflow"][k]) for k, v in of.items()}
        cells = [f"{far[k].max():.1e}" for k in ("autoencoder", "image_codes", "text_codes")]
        for name in GENERATORS:
            pictures = far[name]
            alone = np.abs(of[f"{name} alone"].astype(int) - of[name][::4].astype(int)).max()
            cells += [f"{pictures.max():.0f}/255, {(pictures > 2).mean():.2%}", f"{alone}/255"]
        print(f"| {backend} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
