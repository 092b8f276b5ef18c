"""From the start of a process to the first picture's file: the exported generator, Keras, and diffusers.

    python recipes/export.py diffusion_emoji_32 exported
    python benchmarks/cold_start.py exported --preset diffusion_emoji_32
    python benchmarks/cold_start.py exported --diffusers --wheel    # the first needs the extra "peers"

Each draws in processes of its own, the first of which warms the disk's cache and is not counted; the same for
what only imports. Then how far the pictures of the folder are from those that Keras draws here.

diffusers opens a pipeline that is saved on disk and draws pictures of the same size, in the same number of
steps, by an untrained U-Net of about as many parameters. It has less to do: no words, no text encoder, and so
no guidance, for which a U-Net looks twice. Then the same without a pipeline, by network and scheduler alone.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from bisect import bisect
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np

KERAS = (
    "import sys; from keras_t2i import Generator; "
    "Generator.from_preset(sys.argv[1]).generate(sys.argv[2], seed=0, output='pil').save(sys.argv[3])"
)
PIPELINE = (
    "import sys; from diffusers import DDIMPipeline; "
    "pipeline = DDIMPipeline.from_pretrained(sys.argv[1]); pipeline.set_progress_bar_config(disable=True); "
    "pipeline(num_inference_steps=int(sys.argv[2])).images[0].save(sys.argv[3])"
)
NETWORK = """
import sys, torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from PIL import Image
network = UNet2DModel.from_pretrained(sys.argv[1], subfolder="unet").eval()
scheduler = DDIMScheduler.from_pretrained(sys.argv[1], subfolder="scheduler")
scheduler.set_timesteps(int(sys.argv[2]))
size = network.config.sample_size
x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
with torch.inference_mode():
    for t in scheduler.timesteps:
        x = scheduler.step(network(x, t).sample, t, x).prev_sample
pixels = x[0].permute(1, 2, 0).mul(127.5).add(128).clamp(0, 255).byte()
Image.fromarray(pixels.numpy()).save(sys.argv[3])
"""
PROMPT = "a red apple"
PROMPTS = [PROMPT, "green apple", "flag of France", "three o'clock", "pizza", "blue heart"]


def measured(command, environment):
    """(seconds, processor seconds, peak MB) of a process."""
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ | environment)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"{command} failed")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def parameters_of(preset):
    """int, of a preset's U-Net."""
    os.environ["KERAS_BACKEND"] = "torch"
    from keras_t2i import Generator

    return Generator.from_preset(preset).base.unet.count_params()


def save_pipeline(folder, parameters, size):
    """Write a pipeline of an untrained U-Net of about that many parameters; returns how many it has."""
    import torch
    from diffusers import DDIMPipeline
    from diffusers import DDIMScheduler
    from diffusers import UNet2DModel

    def network(width, last=None):
        return UNet2DModel(
            sample_size=size,
            block_out_channels=(width, 2 * width, last or 2 * width),
            down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            norm_num_groups=8,
        )

    def count(*channels):
        with torch.device("meta"):
            return network(*channels).num_parameters()

    widths = range(16, 257, 8)
    width = widths[bisect(widths, parameters, key=count) - 1]
    last = min(range(2 * width, 3 * width + 1, 8), key=lambda last: abs(count(width, last) - parameters))
    DDIMPipeline(network(width, last), DDIMScheduler()).save_pretrained(folder)
    return count(width, last)


def elsewhere(function, *args):
    """What a function of this file returns in a process of its own: the memory that this one has touched
    would count as its children's, on Linux."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(function, args)


def wheel_size():
    """MB of the wheel that pip makes of a copy of this repository: setuptools packs earlier builds too."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        ignored = shutil.ignore_patterns(".*", "build", "runs", "*.egg-info")
        shutil.copytree(Path(__file__).parents[1], source, ignore=ignored)
        make = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source]
        subprocess.run(make, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        return wheel.stat().st_size / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="what export.py wrote")
    parser.add_argument("--preset", default="diffusion_emoji_32", help="what it was written from")
    parser.add_argument("--backends", nargs="*", default=["tensorflow", "torch"])
    parser.add_argument("--diffusers", action="store_true", help="measure it too")
    parser.add_argument("--wheel", action="store_true", help="say how large the package's wheel is")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    if args.diffusers and not (find_spec("diffusers") and find_spec("torch")):
        parser.error('diffusers is not installed: pip install "keras-t2i[peers]"')
    made = tempfile.TemporaryDirectory()
    file = str(Path(made.name) / "picture.png")
    python = [sys.executable, "-m", "keras_t2i_runtime", args.folder, PROMPT, file]
    commands = {"keras_t2i_runtime": (python, {})}
    on = {backend: {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"} for backend in args.backends}
    for backend in args.backends:
        command = [sys.executable, "-c", KERAS, args.preset, PROMPT, file]
        commands[f"Keras on {backend}"] = command, on[backend]
    if args.diffusers:
        settings = json.loads(Path(args.folder, "settings.json").read_text("utf-8"))
        size, steps = settings["image_size"], settings["defaults"]["num_steps"]
        ours, pipeline = elsewhere(parameters_of, args.preset), str(Path(made.name) / "pipeline")
        theirs = elsewhere(save_pipeline, pipeline, ours, size)
        counts = f"{ours / 1e6:.2f} million parameters, of diffusers {theirs / 1e6:.2f}"
        print(f"{steps} steps, {size} pixels, U-Nets of {counts}\n")
        for name, code in {"its pipeline": PIPELINE, "network and scheduler": NETWORK}.items():
            commands[f"diffusers, {name}"] = [sys.executable, "-c", code, pipeline, str(steps), file], {}
    alone = [sys.executable, "-c"]
    commands["`import keras_t2i_runtime`"] = [*alone, "import keras_t2i_runtime"], {}
    for backend in args.backends:
        commands[f"`import keras_t2i` on {backend}"] = [*alone, "import keras_t2i"], on[backend]
    if args.diffusers:
        commands["`import diffusers`"] = [*alone, "import diffusers"], {}
    print("| | seconds to the first picture | of the processor | peak memory |\n|---|---|---|---|")
    for name, command in commands.items():
        rows = [measured(*command) for _ in range(args.repeats + 1)][1:]
        wall, processor, memory = np.median(rows, axis=0)
        print(f"| {name} | {wall:.1f} | {processor:.1f} | {memory:.0f} MB |", flush=True)
    if args.wheel:
        print(f"\nThe wheel: {wheel_size():.1f} MB")

    from keras_t2i import Generator
    from keras_t2i_runtime import Runtime

    generator, runtime = Generator.from_preset(args.preset), Runtime.open(args.folder)
    wanted, found = (one.generate(PROMPTS, seed=0).astype("int16") for one in (generator, runtime))
    token_ids = generator.preprocessor.generate_preprocess(PROMPTS)
    text = generator.stage("text").encode(token_ids)
    said = runtime.text({"token_ids": token_ids})
    off = max(float(np.abs(values - text[name]).max()) for name, values in said.items())
    print(f"\ntext features: {off:.1e}; pictures: {np.abs(wanted - found).max()}/255")


if __name__ == "__main__":
    main()
