"""What an exported folder draws."""

import json
from functools import cached_property
from pathlib import Path

import numpy as np

from keras_t2i_runtime.captions import Tokenizer
from keras_t2i_runtime.diffusion import diffuse
from keras_t2i_runtime.diffusion import image_codes
from keras_t2i_runtime.drawing import Drawer
from keras_t2i_runtime.networks import open_network
from keras_t2i_runtime.pixels import to_float
from keras_t2i_runtime.pixels import to_uint8
from keras_t2i_runtime.random_streams import random_stream
from keras_t2i_runtime.tiling import framed_bands

FORMAT, UNFINISHED = 1, 0  # of the folder: another is not read


class Runtime:
    """A generator that `keras-t2i export` wrote.

    Args:
        folder: path.

    Raises: ValueError where the folder is no such, or of another version; ImportError where what computes its
        format is not installed.

    Example:

    ```
    runtime = Runtime.open("exported")
    picture = runtime.generate("a red apple", seed=0)  # uint8 (32, 32, 3)
    ```
    """

    def __init__(self, folder):
        folder = Path(folder)
        try:
            self.settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        except OSError:
            raise ValueError(f"{folder} was not written by keras-t2i export: no settings.json") from None
        if self.settings.get("format") == UNFINISHED:
            raise ValueError(f"the export to {folder} was not finished: run keras-t2i export again")
        if self.settings.get("format") != FORMAT:
            raise ValueError(f"{folder} has format {self.settings.get('format')}, this reads {FORMAT}")
        self.tokenizer = Tokenizer(folder / "tokenizer", self.settings["sequence_length"])
        self.folder = folder
        self.text, self.base = self._network("text_encoder"), self._network("base")
        self.draft = self._network("draft", seldom=True) if self.settings.get("draft") else None
        self.prior = self._network("prior") if self.settings.get("prior") else None

    def _network(self, name, seldom=False):
        return open_network(self.folder, name, self.settings.get("files", "onnx"), seldom)

    @classmethod
    def open(cls, folder):
        """The same as `Runtime(folder)`."""
        return cls(folder)

    def generate(
        self,
        prompts,
        seed=0,
        num_steps=None,
        guidance_scale=None,
        size=None,
        temperature=None,
        background=(255, 255, 255),
        batch_size=16,
    ):
        """Pictures: those of `Generator.generate` of the same prompts, seed and settings, but for rounding.

        Args:
            prompts: `str`, or a list of n.
            seed: int, the first picture's; picture i has `seed + i`.
            num_steps, guidance_scale: of diffusion; `None`: the preset's.
            size: int, or (height, width): the picture is drawn as large as fits, in the middle of the
                background; `None`: small.
            temperature: of a decoder in one pass; `None`: 1.
            background: three ints, or `None`: transparent; with a size.
            batch_size: int, pictures that the networks see at once.

        Returns:
            uint8 `(n, s, s, 3)`, or `(s, s, 3)` for a `str`; 4 channels where it is transparent.

        Raises: TypeError, ValueError for what is no prompt or was not exported.
        """
        found = [prompts] if isinstance(prompts, str) else list(prompts)
        if not found:
            raise ValueError("There is no prompt: the list is empty.")
        given = {"num_steps": num_steps, "guidance_scale": guidance_scale, "temperature": temperature}
        draw = self._drawer(**{name: value for name, value in given.items() if value is not None})
        draw_large = self._large_drawer(size, background)
        token_ids = self.tokenizer(found)
        parts = []
        for start in range(0, len(found), batch_size):
            text = self.text({"token_ids": token_ids[start : start + batch_size]})
            seeds = range(seed + start, seed + start + len(text["text_code"]))
            if self.prior is not None:
                text["image_code"] = self._image_codes(text["text_code"], seeds)
            shape = self.settings["noise_shape"]
            noise = np.stack([normal(one, self.settings["purpose"], shape) for one in seeds])
            parts.append(to_uint8(draw(text, noise)))
        pictures = draw_large(np.concatenate(parts))
        return pictures[0] if isinstance(prompts, str) else pictures

    def _image_codes(self, text_code, seeds):
        """What the prior draws, float32 `(n, d)`."""
        told, d = self.settings["prior"], text_code.shape[-1]
        numbers = range(told["best_of"])
        noise = [[normal(one, told["purpose"], d, number) for number in numbers] for one in seeds]
        return image_codes(self.prior.only, text_code, np.stack(noise), told)

    def _drawer(self, **given):
        """A function of text and noise to pictures, float32 in [-1, 1]."""
        if unknown := set(given) - set(self.settings["defaults"]):
            raise ValueError(f"this generator has no {', '.join(sorted(unknown))}")
        chosen = {**self.settings["defaults"], **given}
        if "num_steps" not in chosen:
            return lambda text, noise: self.base.only(
                {**text, "noise": noise * np.float32(chosen["temperature"])}
            )
        schedule = self.settings["schedules"].get(str(chosen["num_steps"]))
        if schedule is None:
            known = ", ".join(self.settings["schedules"])
            raise ValueError(f"num_steps={chosen['num_steps']!r} was not exported; there are {known}")
        scale = float(chosen["guidance_scale"])
        return lambda text, noise: diffuse(
            self.base.only, text, noise, schedule, scale, self.settings, self.draft
        )

    @cached_property
    def drawer(self):
        """`Drawer` of the renderer, and the noise level that it is told."""
        if "renderer" not in self.settings:
            raise ValueError("a size needs a renderer, which was not exported: keras-t2i export --renderer")
        told = self.settings["renderer"]
        return Drawer(self._network("renderer"), told["slots"], told["nodes"]), told["noise_level"]

    def _large_drawer(self, size, background):
        """A function of pictures, uint8 `(n, s, s, 3)`, to the same at a size."""
        if size is None:
            return lambda pictures: pictures
        height, width = (size, size) if np.ndim(size) == 0 else size
        smallest = self.settings["image_size"]
        if min(height, width) < smallest:
            raise ValueError(f"size must be {smallest} or more, got {size}: smaller ones are not exported")
        drawer, level = self.drawer

        def draw(picture):
            bands = drawer.placed_bands(to_float(picture), height, width, level)
            return np.concatenate(list(framed_bands(*bands, height, width, background)))

        return lambda pictures: np.stack([draw(picture) for picture in pictures])


def normal(seed, purpose, shape, number=0):
    """Standard normal noise of one picture, float32 of that shape."""
    return random_stream(seed, purpose, number).standard_normal(shape, dtype="float32")
