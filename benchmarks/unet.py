"""How long does a step of the diffusion U-Net take, in training and in sampling?

    python benchmarks/unet.py [--sizes tiny small] [--precisions float32 mixed_bfloat16] [--batch-size 64]
    KERAS_BACKEND=jax python benchmarks/unet.py

All networks take turns, and the median of each counts. Beside the time on the clock stand pictures per
core-second of training, from the processor time of all threads: on a busy machine, trust that figure.
TF_ENABLE_ONEDNN_OPTS=0 shows what TensorFlow's own convolutions take.
"""

import argparse
import os
import time

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `keras_t2i` does, which comes after Keras here

import keras
import numpy as np

from keras_t2i.models import DiffusionUNet
from keras_t2i.models.networks.unet import SIZES
from keras_t2i.utils.random_streams import random_stream


def example(network, n, tokens=16):
    """Inputs of noise, with captions of up to `tokens` word pieces, a tenth of them left out."""
    random = random_stream(0, "benchmark")
    inputs = {}
    for name, spec in network.input.items():
        shape = (n, *(tokens if size is None else size for size in spec.shape[1:]))
        inputs[name] = random.standard_normal(shape, dtype="float32")
    lengths = random.integers(2, tokens + 1, (n, 1))
    inputs["text_mask"] = (np.arange(tokens) < lengths).astype("float32")
    inputs["condition_mask"] = (random.random(n) > 0.1).astype("float32")
    return inputs


def measure(networks, batch_size, rounds):
    """Seconds on the clock and of the processor: `{name: {"train" or "sample": [(clock, processor)]}}`."""
    found = {name: {"train": [], "sample": []} for name in networks}
    inputs = {name: example(network, batch_size) for name, network in networks.items()}
    for i in range(rounds + 2):
        for name, network in networks.items():
            x = inputs[name]
            for kind in ("train", "sample"):
                clock, processor = time.perf_counter(), time.process_time()
                if kind == "train":
                    network.train_on_batch(x, x["images"])
                else:
                    network.predict_on_batch(x)
                if i > 1:  # the first two compile
                    took = (time.perf_counter() - clock, time.process_time() - processor)
                    found[name][kind].append(took)
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=["tiny", "small"], choices=SIZES)
    parser.add_argument("--precisions", nargs="+", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--channels", type=int, default=3, help="8 for latents: --image-size 8 --channels 8")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    networks = {}
    for size in args.sizes:
        for precision in args.precisions:
            network = DiffusionUNet.from_size(size, args.image_size, channels=args.channels, dtype=precision)
            network.compile(keras.optimizers.AdamW(1e-4), loss="mse")
            networks[size, precision] = network
    found = measure(networks, args.batch_size, args.rounds)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{keras.config.backend()}, {args.image_size} pixels, batches of {args.batch_size}, median of "
        f"{args.rounds}, load {load:.1f}\n\n"
        "| size | parameters, million | precision | training step, ms | pictures/s | per core-second "
        "| sampling step, ms | pictures/s |\n|---|---|---|---|---|---|---|---|"
    )
    for (size, precision), times in found.items():
        train, sample = (np.median(times[kind], axis=0) for kind in ("train", "sample"))
        n = args.batch_size
        print(
            f"| {size} | {networks[size, precision].count_params() / 1e6:.2f} | {precision} "
            f"| {1e3 * train[0]:.0f} | {n / train[0]:.0f} | {n / train[1]:.0f} "
            f"| {1e3 * sample[0]:.0f} | {n / sample[0]:.0f} |"
        )


if __name__ == "__main__":
    main()
