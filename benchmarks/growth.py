"""How seconds and memory grow: with the picture's size, the batch, steps, parameters, devices.

    python benchmarks/growth.py                        # every curve, on a machine that does nothing else
    python benchmarks/growth.py --only batch steps
    KERAS_BACKEND=jax python benchmarks/growth.py --only devices
    python benchmarks/growth.py --quick                # whether it runs: two small points of each curve

Each point is a process of its own, for the peak of memory is that of a process. "MB peak" is its resident
memory, of which "work" came after the imports of Keras and the backend. "power" is p where seconds of the
processor, which other work beside changes least, have grown as x^p since the row before: 0 is free, 1 in
proportion. Below each table the line through its points, their seconds = a + b x; where x is a / b,
what is fixed and what grows are equal: there the curve bends. Curves against the number of pictures:
`benchmarks/sharded.py`.
"""

import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TINY = "tiny"  # the network of all curves but "parameters"
STEPS = 8  # of a drawing, as `recipes/train_diffusion.py` draws; guided, so each looks at a picture twice
LEAST_SECONDS, MOST_ROUNDS = 6.0, 20  # of a point, after what warms it up
FILTERS = {k: tuple(round(k * c) for c in (64, 128, 192)) for k in (0.5, 1, 1.5, 2, 3, 4)}
# Dense products of 16 bits a second, as NVIDIA's data sheets say, in FLOP. What a network reaches of it is
# the assumption that `cost` names.
MACHINES = {"T4": 65e12, "A100": 312e12, "H100 SXM": 989e12}
SHARES = (0.05, 0.3)  # of that rate, at worst and at best: assumed
DATA_SETS = (1_000_000, 10_000_000, 100_000_000)


# The work of a point: a function of its settings to a function that is timed.


def opened_generator(network, dual_encoder, preprocessor):
    """A generator around an untrained network: what it draws takes as long as of a trained one."""
    from keras_t2i.models import DiffusionStage
    from keras_t2i.models import Generator
    from keras_t2i.models import TextStage
    from keras_t2i.models import TextToImageBackbone

    stage = DiffusionStage(network, process="rectified_flow", guidance_scale=2.0)
    return Generator(TextToImageBackbone([TextStage(dual_encoder), stage]), preprocessor)


def unet_work(kind, pixels=32, batch=16, scale=None, size=TINY, devices=1):
    """A training step of lesson 4, or a drawing of `STEPS` steps: (function, parameters)."""
    import keras

    if devices > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    from keras_t2i.models import DiffusionUNet
    from keras_t2i.models import DualEncoder
    from keras_t2i.models import TextToImagePreprocessor
    from keras_t2i.objectives.denoising import Denoising

    encoder = DualEncoder.from_preset("dual_encoder_openmoji_32")
    preprocessor = TextToImagePreprocessor.from_preset("dual_encoder_openmoji_32")
    options = {} if scale is None else {"filters": FILTERS[scale], "condition_dim": round(128 * scale)}
    options |= {"code_dim": encoder.code_dim, "token_dim": encoder.text_encoder.filters}
    network = DiffusionUNet.from_size(size, pixels, **options)
    captions = [f"a picture of {i} red apples beside a green pear and some cheese" for i in range(batch)]
    if kind == "draw":
        generator = opened_generator(network, encoder, preprocessor)
        options = {"num_steps": STEPS, "batch_size": batch, "seed": 0}
        return lambda: generator.generate(captions, **options), network.count_params()
    objective = Denoising(network, encoder.text_encoder)
    objective.compile(optimizer=keras.optimizers.AdamW(1e-3, global_clipnorm=1.0))
    data = {
        "images": np.random.default_rng(0).integers(0, 256, (batch, pixels, pixels, 3), "uint8"),
        "token_ids": np.asarray(preprocessor.generate_preprocess(captions)),
    }
    return lambda: objective.train_on_batch(data), network.count_params()


def preset_work(num_steps, batch=4):
    """A drawing of some pictures by a packaged preset, in so many steps."""
    from keras_t2i.models import Generator

    generator = Generator.from_preset("diffusion_emoji_32")
    prompts = ["a red apple", "a green pear", "flag of France", "three o'clock"][:batch]
    return lambda: generator.generate(prompts, num_steps=num_steps, batch_size=batch, seed=0), None


def rendering_work(pixels, streamed=True):
    """A picture of 32 pixels drawn at a size, into a file by bands or into an array."""
    from keras_t2i.models import Generator

    generator = Generator.from_preset("diffusion_emoji_32")
    picture = generator.generate("a red apple", num_steps=2, seed=0)
    file = Path(tempfile.mkdtemp(), "apple.png")
    if streamed:
        return lambda: generator.render_to(file, picture, size=pixels), None
    return lambda: generator.render(picture, size=pixels), None


def product_work(side=2048):
    """Ten products of two square matrices: what the machine can do."""
    import keras

    a = keras.ops.convert_to_tensor(np.random.default_rng(0).standard_normal((side, side), "float32"))

    def work():
        for _ in range(10):
            found = keras.ops.matmul(a, a)
        return keras.ops.convert_to_numpy(found[0, 0])

    return work, None


WORK = {"unet": unet_work, "preset": preset_work, "rendering": rendering_work, "product": product_work}


def resident():
    """MB that this process has held at most."""
    from keras_t2i.utils.memory import peak_memory

    return peak_memory() * 2**20 / 1e6


def measure(work, settings, quick):
    """What one point takes, in this process: dict."""
    import keras  # noqa: F401  counted as imports

    import keras_t2i.models
    import keras_t2i.objectives.denoising  # noqa: F401

    imported = resident()
    start = time.perf_counter()
    function, parameters = WORK[work](**settings)
    function()
    first = time.perf_counter() - start  # opens, compiles
    clocks, processors, begun = [], [], time.perf_counter()
    if not quick:
        function()
    while len(clocks) < (1 if quick else 3) or (
        not quick and len(clocks) < MOST_ROUNDS and time.perf_counter() - begun < LEAST_SECONDS
    ):
        clock, processor = time.perf_counter(), time.process_time()
        function()
        clocks.append(time.perf_counter() - clock)
        processors.append(time.process_time() - processor)
    return {
        "seconds": statistics.median(clocks),
        "processor": statistics.median(processors),
        "first": first,
        "peak": resident(),
        "work": resident() - imported,
        "parameters": parameters,
    }


def point(work, settings, quick):
    """The same in a process of its own; `None` where it failed, which is said."""
    command = [sys.executable, __file__, "--point", json.dumps([work, settings])] + ["--quick"] * quick
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if devices := settings.get("devices"):
        environment["JAX_NUM_CPU_DEVICES"] = str(devices)
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["no words"])[-1]
        print(f"{work} {settings}: {last} (exit {run.returncode})", file=sys.stderr, flush=True)
        return None
    return json.loads(run.stdout.splitlines()[-1])


# The curves: what grows, and what each row is called.

SIDES = (32, 64, 128, 256)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CURVES = {
    "rendering": ("pixels of a side, into a file", "pixels", (256, 512, 1024, 2048, 4096, 8192, 16384)),
    "in_memory": ("pixels of a side, into an array", "pixels", (256, 512, 1024, 2048, 4096)),
    "pixels": ("pixels of a side, by the U-Net, 4 pictures", "pixels", SIDES),
    "batch": ("pictures of a batch, 32 pixels", "batch", BATCHES),
    "steps": ("steps of a drawing of 4 pictures", "num_steps", (1, 2, 4, 8, 16, 32, 64)),
    "parameters": ("width of the U-Net, batch of 16", "scale", tuple(FILTERS)),
    "devices": ("devices, JAX on one processor, batch of 64", "devices", (1, 2, 4)),
}
KINDS = {"train": "training step", "draw": f"drawing of {STEPS} steps"}


def parts_of(name):
    """(title, work, settings that all points share) of each table of a curve."""
    if name in ("rendering", "in_memory"):
        return [("rendering", "rendering", {"streamed": name == "rendering"})]
    if name == "steps":
        return [("drawing", "preset", {})]
    shared = {"pixels": {"batch": 4}, "batch": {}, "parameters": {"batch": 16}, "devices": {"batch": 64}}[
        name
    ]
    return [(title, "unet", {"kind": kind, **shared}) for kind, title in KINDS.items()]


def grown(name, value, found):
    """What seconds are a function of: pixels, not sides; parameters, not widths."""
    if name in ("rendering", "in_memory", "pixels"):
        return value**2
    return found["parameters"] if name == "parameters" else value


def line(x, y):
    """`(a, b, worst)`: y = a + b x, a and b at least 0, of least relative errors, and the worst of them."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    weighed = np.stack([1 / y, x / y], axis=1)
    best = None
    for kept in ([0, 1], [1], [0]):
        found = np.zeros(2)
        found[kept] = np.linalg.lstsq(weighed[:, kept], np.ones(len(y)), rcond=None)[0]
        error = np.abs(weighed @ found - 1)
        if found.min() >= 0 and (best is None or (error**2).sum() < best[3]):
            best = (*found, error.max(), (error**2).sum())
    return best[:3]


def show(name, quick):
    """Measure one curve and print its tables."""
    about, key, values = CURVES[name]
    if name == "devices":
        values = [v for v in values if v <= (os.cpu_count() or 1)]
    if quick:
        values = values[:2]
    for title, work, shared in parts_of(name):
        shared |= {"batch": 4} if quick and "batch" in shared else {}
        print(f"\n### {name}: {title}\n\n| {about} ", end="")
        print("| parameters, million " if name == "parameters" else "", end="")
        print("| s | of the processor, s | power | first, s | MB peak | of it work |")
        print("|" + "---|" * (8 if name == "parameters" else 7))
        rows = []
        for value in values:
            found = point(work, {**shared, key: value}, quick)
            if found is None:
                continue
            x = grown(name, value, found)
            power = "-"
            if rows:
                power = f"{math.log(found['processor'] / rows[-1][1]) / math.log(x / rows[-1][0]):.2f}"
            rows.append((x, found["processor"], found["work"]))
            cells = [f"{value:g}"] + [f"{x / 1e6:.2f}"] * (name == "parameters")
            cells += [f"{found['seconds']:.3g}", f"{found['processor']:.3g}", power, f"{found['first']:.1f}"]
            cells += [f"{found['peak']:.0f}", f"{found['work']:.0f}"]
            print(f"| {' | '.join(cells)} |", flush=True)
        if len(rows) > 2 and name != "devices":
            x, seconds, memory = zip(*rows, strict=True)
            unit = {"rendering": "pixel", "in_memory": "pixel", "pixels": "pixel", "parameters": "parameter"}
            unit = unit.get(name, {"batch": "picture", "steps": "step"}.get(name))
            for what, y, form in (("of the processor", seconds, "s"), ("memory", memory, "MB")):
                a, b, worst = line(x, y)
                bend = f", equal at {a / b:.3g}" if a and b else ""
                print(f"\n{what}: {a:.3g} {form} + {b:.3g} {form} a {unit}{bend}; off by {worst:.0%} at most")


def cost(quick):
    """What a pass over a large data set would cost: measured here, and extrapolated from that."""
    product = point("product", {"side": 512 if quick else 2048}, quick)
    rate = 10 * 2 * (512 if quick else 2048) ** 3 / product["seconds"]
    low, high = SHARES
    print(
        f"""
### cost: one pass over so many pictures, extrapolated

Here: {rate / 1e9:.0f} GFLOP/s of float32 products. "GFLOP" is what they do in the time of one picture's
training. By it other machines are scaled: they are assumed to go at {low:.0%} to {high:.0%} of the rate of
their data sheets (16 bits, dense).
"""
    )
    print("| network, pixels | ms a picture here | GFLOP | pictures | here, hours ", end="")
    print("".join(f"| {name}, hours " for name in MACHINES) + "|")
    print("|" + "---|" * (5 + len(MACHINES)))
    networks = ((TINY, 32),) if quick else ((TINY, 32), ("wide", 32), (TINY, 64), ("wide", 64))
    for size, pixels in networks:
        batch = 4 if quick else 64
        found = point("unet", {"kind": "train", "size": size, "pixels": pixels, "batch": batch}, quick)
        if found is None:
            continue
        seconds = found["seconds"] / batch
        for count in DATA_SETS:
            cells = [f"{size}, {pixels}", f"{1e3 * seconds:.2f}", f"{seconds * rate / 1e9:.2f}", f"{count:,}"]
            cells.append(f"{count * seconds / 3600:.3g}")
            for peak in MACHINES.values():
                hours = [count * seconds * rate / (peak * share) / 3600 for share in (high, low)]
                cells.append(f"{hours[0]:.2g} to {hours[1]:.2g}")
            print(f"| {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*CURVES, "cost"]
    parser.add_argument(
        "--only", nargs="+", default=names, choices=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument(
        "--quick", action="store_true", help="two small points of each, once: whether it runs"
    )
    parser.add_argument("--point", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.point:
        work, settings = json.loads(args.point)
        with contextlib.redirect_stdout(sys.stderr):
            found = measure(work, settings, args.quick)
        print(json.dumps(found))
        return
    import keras

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{keras.config.backend()}, {os.cpu_count()} processors, load {load:.1f} before", flush=True)
    for name in args.only:
        if name == "devices" and keras.config.backend() != "jax":
            print("\ndevices: with KERAS_BACKEND=jax alone", file=sys.stderr)
            continue
        cost(args.quick) if name == "cost" else show(name, args.quick)


if __name__ == "__main__":
    main()
