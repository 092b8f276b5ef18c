"""One contestant of `peers.py`: a network in a process of its own, which waits for its turn.

    python benchmarks/contestant.py diffusers bfloat16
    KERAS_BACKEND=jax python benchmarks/contestant.py keras_t2i float32

Each line on standard input names some work ("train", "sample", "guided"); the answer is a line with the
seconds it took. "quit" is answered with the process's peak memory in MiB, "flops" with those of one look at
one picture.
"""

import argparse
import contextlib
import copy
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SIZE, TOKENS, CODE, WIDTH = 32, 16, 512, 128
TRAINED, SAMPLED, STEPS = 16, 4, 20  # pictures of a training step and of a drawing; steps of a drawing
# The same channels, attention on the same grids, numbers of parameters within 3 %. diffusers' attention has
# dense layers eight times as wide as its tokens, and its middle two more blocks; ours, more blocks instead.
CHANNELS = (64, 128, 224)
BLOCKS = (4, 4, 9)


class Diffusers:
    """diffusers' `UNet2DConditionModel` in PyTorch: float32, bfloat16 by autocast, or compiled."""

    def __init__(self, variant):
        import torch
        from diffusers import DDIMScheduler
        from diffusers import UNet2DConditionModel

        self.torch = torch
        torch.manual_seed(0)
        self.network = UNet2DConditionModel(
            sample_size=SIZE,
            in_channels=3,
            out_channels=3,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=CHANNELS,
            layers_per_block=1,
            cross_attention_dim=WIDTH,
            attention_head_dim=32,
            class_embed_type="projection",
            projection_class_embeddings_input_dim=CODE,
        ).to(memory_format=torch.channels_last)
        self.parameters = sum(p.numel() for p in self.network.parameters())
        self.half, self.compiled = "bfloat16" in variant, "compiled" in variant
        self.run = torch.compile(self.network) if self.compiled else self.network
        self.drawer = None
        self.scheduler = DDIMScheduler(prediction_type="sample")
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4, fused=True)
        self.x = torch.randn(TRAINED, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
        self.tokens, self.code = torch.randn(TRAINED, TOKENS, WIDTH), torch.randn(TRAINED, CODE)

    def arithmetic(self):
        if not self.half:
            return contextlib.nullcontext()
        return self.torch.autocast("cpu", self.torch.bfloat16)

    def train(self):
        torch = self.torch
        noise, t = torch.randn_like(self.x), torch.randint(0, 1000, (TRAINED,))
        noisy = self.scheduler.add_noise(self.x, noise, t)
        with self.arithmetic():
            output = self.run(noisy, t, self.tokens, class_labels=self.code).sample
        torch.nn.functional.mse_loss(output.float(), self.x).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def opened_to_draw(self):
        """The network as one opens it to draw: in bfloat16 its weights are stored so, and never cast."""
        if not self.half:
            return self.run
        network = copy.deepcopy(self.network).to(self.torch.bfloat16)
        return self.torch.compile(network) if self.compiled else network

    def sample(self, guided=False, n=SAMPLED):
        torch = self.torch
        if self.drawer is None:
            self.drawer = self.opened_to_draw()
        dtype = torch.bfloat16 if self.half else torch.float32
        self.scheduler.set_timesteps(STEPS)
        x = torch.randn(n, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
        tokens, code = self.tokens[:n].to(dtype), self.code[:n].to(dtype)
        if guided:
            tokens, code = (torch.cat([v, torch.zeros_like(v)]) for v in (tokens, code))
        with torch.inference_mode():
            for t in self.scheduler.timesteps:
                given = (torch.cat([x, x]) if guided else x).to(dtype)
                output = self.drawer(given, t, tokens, class_labels=code).sample.float()
                if guided:
                    conditional, unconditional = output.chunk(2)
                    output = unconditional + 2.0 * (conditional - unconditional)
                x = self.scheduler.step(output, t, x).prev_sample
        return x.numpy()

    def flops(self):
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter, self.torch.inference_mode():
            self.network(self.x[:1], 0, self.tokens[:1], class_labels=self.code[:1])
        return counter.get_total_flops()


class Ours:
    """`DiffusionUNet` on the backend of `KERAS_BACKEND`, trained by `Denoising`, drawing by a generator.

    More is counted here than there: the text encoder, the noise and the metrics too.
    """

    def __init__(self, variant):
        import keras

        if "devices" in variant:  # JAX's own way to give each core a part of the batch
            import jax

            jax.config.update("jax_num_cpu_devices", os.cpu_count())
            keras.distribution.set_distribution(keras.distribution.DataParallel())
        from keras_t2i.models import DiffusionStage
        from keras_t2i.models import DiffusionUNet
        from keras_t2i.models import DualEncoder
        from keras_t2i.models import Generator
        from keras_t2i.models import TextStage
        from keras_t2i.models import TextToImageBackbone
        from keras_t2i.models import TextToImagePreprocessor
        from keras_t2i.objectives.denoising import Denoising

        half = "mixed_bfloat16" if "bfloat16" in variant else "float32"
        preset = "dual_encoder_openmoji_32"
        dual_encoder = DualEncoder.from_preset(preset)
        preprocessor = TextToImagePreprocessor.from_preset(preset)
        if "base" in variant:
            network = DiffusionUNet.from_size("base", SIZE, code_dim=CODE, token_dim=WIDTH, dtype=half)
        else:
            options = {"filters": CHANNELS, "blocks": BLOCKS, "attention_size": 16, "condition_dim": 256}
            network = DiffusionUNet(SIZE, patch_size=1, code_dim=CODE, token_dim=WIDTH, dtype=half, **options)
        self.network, self.parameters = network, network.count_params()
        self.objective = Denoising(network, dual_encoder.text_encoder, averages=None)
        self.objective.compile(optimizer=keras.optimizers.AdamW(1e-4, global_clipnorm=1.0))
        self.objective.optimizer.build(self.objective.trainable_variables)  # as `training.run.train` does
        if "bfloat16" in variant:  # as `from_preset(..., dtype="bfloat16")` opens it
            drawer = type(network).from_config({**network.get_config(), "dtype": "bfloat16"})
            drawer.set_weights(network.get_weights())
            network = drawer
        stages = [TextStage(dual_encoder), DiffusionStage(network, process="cosine")]
        self.generator = Generator(TextToImageBackbone(stages), preprocessor)
        random = np.random.default_rng(0)
        self.captions = ["a picture of a red apple beside a green pear and some cheese"] * TRAINED
        self.batch = {
            "images": random.integers(0, 256, (TRAINED, SIZE, SIZE, 3), "uint8"),
            "token_ids": np.asarray(preprocessor.generate_preprocess(self.captions)),
        }

    def train(self):
        self.objective.train_on_batch(self.batch)

    def sample(self, guided=False, n=SAMPLED):
        scale = 2.0 if guided else 1.0
        options = {"num_steps": STEPS, "sampler": "ddim", "guidance_scale": scale, "batch_size": n}
        return self.generator.generate(self.captions[:n], seed=0, **options)

    def flops(self):
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        inputs = {}
        for name, tensor in self.network.input.items():
            inputs[name] = np.ones([1, *(TOKENS if s is None else s for s in tensor.shape[1:])], "float32")
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            self.network(inputs)
        return counter.get_total_flops()


class MatrixProduct:
    """The machine's limit: the product of two matrices of 2048 x 2048, ten times."""

    parameters = 0

    def __init__(self, variant):
        import torch

        self.a = torch.randn(2048, 2048, dtype=getattr(torch, variant))

    def train(self):
        for _ in range(10):
            self.a @ self.a

    def sample(self, guided=False, n=1):
        self.a @ self.a

    def flops(self):
        return 2 * 2048**3


KINDS = {"diffusers": Diffusers, "keras_t2i": Ours, "product": MatrixProduct}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument(
        "variant",
        help="float32, bfloat16; compiled for diffusers; for keras_t2i base_..., and on JAX ..._devices",
    )
    args = parser.parse_args()
    contestant = KINDS[args.kind](args.variant)
    contestant.sample(n=1)
    print("first picture", contestant.parameters, flush=True)
    for line in sys.stdin:
        work = line.strip()
        if work == "flops":
            print(contestant.flops(), flush=True)
        elif work == "quit":
            import resource  # Unix alone

            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
            return
        else:
            start = time.perf_counter()
            contestant.train() if work == "train" else contestant.sample(guided=work == "guided")
            print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
