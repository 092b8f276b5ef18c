"""Words to a picture: the Task that a person uses."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import Literal
from typing import Self
from typing import TypeAlias
from typing import Unpack
from typing import overload

import keras
import keras_hub
import numpy as np
from PIL.Image import Image
from tqdm.auto import tqdm

from keras_t2i.models import editing
from keras_t2i.models.assemble import assemble
from keras_t2i.models.backbone import quantized_dtype
from keras_t2i.models.canvas import as_output
from keras_t2i.models.canvas import needs_upsampler
from keras_t2i.models.canvas import on_canvas
from keras_t2i.models.canvas import rendered
from keras_t2i.models.canvas import upsample
from keras_t2i.models.given_picture import given_picture
from keras_t2i.models.inputs import as_pictures
from keras_t2i.models.inputs import as_prompts
from keras_t2i.models.inputs import as_seeds
from keras_t2i.models.inputs import check_number
from keras_t2i.models.inputs import unwrap
from keras_t2i.models.options import FileOptions
from keras_t2i.models.options import FrameOptions
from keras_t2i.models.options import GenerateOptions
from keras_t2i.models.options import HubOptions
from keras_t2i.models.outputs import check_memory
from keras_t2i.models.stages.cascade import base_of
from keras_t2i.models.stages.cascade import resolve_settings
from keras_t2i.models.stages.cascade import sample_stages
from keras_t2i.models.stages.cascade import stage_of
from keras_t2i.models.stages.renderer import DEFAULT_SIZE
from keras_t2i.models.stages.renderer import Canvas
from keras_t2i.models.stages.renderer import RendererStage
from keras_t2i.models.stages.renderer import packaged_renderer
from keras_t2i.models.stages.sampling import Draw
from keras_t2i.models.stages.sampling import StepState
from keras_t2i.models.stages.sampling import sample_in_batches
from keras_t2i.models.stages.stage import Stage
from keras_t2i.models.text.preprocessor import TextToImagePreprocessor
from keras_t2i.models.text_to_image_backbone import TextToImageBackbone
from keras_t2i.models.words import Words
from keras_t2i.presets.hub import push_preset
from keras_t2i.presets.registry import check_options
from keras_t2i.presets.registry import opening
from keras_t2i.presets.saving import save_preset
from keras_t2i.utils.annotations import Array
from keras_t2i.utils.annotations import Background
from keras_t2i.utils.annotations import Captions
from keras_t2i.utils.annotations import Guidance
from keras_t2i.utils.annotations import Masks
from keras_t2i.utils.annotations import Picture
from keras_t2i.utils.annotations import Pictures
from keras_t2i.utils.annotations import Place
from keras_t2i.utils.annotations import Prompts
from keras_t2i.utils.annotations import Seed
from keras_t2i.utils.annotations import Size
from keras_t2i.utils.annotations import WeightsDtype
from keras_t2i.utils.batching import at_least_one
from keras_t2i.utils.batching import fitting_batch_size
from keras_t2i.utils.files import check_writable
from keras_t2i.utils.files import expanded
from keras_t2i.utils.files import write_bytes
from keras_t2i.utils.images import to_float
from keras_t2i.utils.streaming import check_target
from keras_t2i.utils.streaming import write_bands

Part: TypeAlias = Place | keras.Model  # a preset, a generator to take it from, a stage, or a network


@keras.saving.register_keras_serializable(package="keras_t2i")
class Generator(keras_hub.models.TextToImage):
    """Pictures from words, by a list of stages.

    Args:
        backbone: `TextToImageBackbone`, the stages.
        preprocessor: `TextToImagePreprocessor` of the text encoder's length.

    Example:

    ```python
    generator = Generator.from_preset("diffusion_emoji")  # Generator.presets lists the names
    picture = generator.generate("a red apple", seed=0)  # uint8 (64, 64, 3)
    ```
    """

    backbone_cls = TextToImageBackbone
    preprocessor_cls = TextToImagePreprocessor

    def __init__(
        self, backbone: TextToImageBackbone, preprocessor: TextToImagePreprocessor, **kwargs: Any
    ) -> None:
        self.backbone = backbone
        self.preprocessor = preprocessor
        super().__init__(inputs=backbone.input, outputs=backbone.output, **kwargs)
        length = self.stage("text").sequence_length
        if preprocessor.sequence_length != length:
            raise ValueError(
                f"The preprocessor makes captions of {preprocessor.sequence_length} pieces, "
                f"the text encoder takes {length}."
            )
        rows = self.stage("text").dual_encoder.text_encoder.vocabulary_size
        vocabulary = getattr(preprocessor.tokenizer, "vocabulary", None)  # `None` until it is loaded
        if vocabulary is not None and len(vocabulary) > rows:
            raise ValueError(
                f"The tokenizer has {len(vocabulary)} pieces, the text encoder has rows for {rows}."
            )

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to compile: the networks are trained one by one (`keras_t2i.objectives`)."""
        if args or kwargs:
            raise NotImplementedError("A Generator is not trained as a whole; see keras_t2i.objectives.")

    def quantize(self, mode: str | None = None, config: Any = None, **options: Any) -> None:
        """Quantize the dense layers of all networks: see `Backbone.quantize`."""
        self.backbone.quantize(mode, config, **options)

    @property
    def stages(self) -> list[Stage]:
        """list of `Stage`, in the order in which they draw."""
        return self.backbone.stages

    def stage(self, produces: str) -> Any:
        """The stage that produces "text", "image_embedding", "latent", "image", "large_image" or "rendering",
        or `None`."""
        return stage_of(self.stages, produces)

    @property
    def base(self) -> Stage:
        """The stage that noise goes into: the first that makes a latent or an image."""
        return base_of(self.stages)

    @property
    def base_stages(self) -> list[Stage]:
        """list of `Stage`: all but those that draw larger than the base."""
        return [stage for stage in self.stages if stage.produces not in ("large_image", "rendering")]

    @property
    def latent_shape(self) -> tuple[int | None, ...]:
        """Shape of the noise, `(None, ...)`."""
        return (None, *self.base.noise_shape)

    @property
    def image_size(self) -> int:
        """int, width and height of the pictures that the stage "image" makes."""
        return self.stage("image").image_size

    @property
    def renderer(self) -> RendererStage:
        """`RendererStage`, which draws at any size: this generator's own, else the packaged one, of emoji."""
        return self.stage("rendering") or packaged_renderer()

    @property
    def upsampled_size(self) -> int | None:
        """int, width and height of what the stage "large_image" makes, or `None` where there is no such."""
        stage = self.stage("large_image")
        return None if stage is None else self.image_size * stage.factor

    @property
    def support_negative_prompts(self) -> bool:
        return any(stage.guided for stage in self.stages)

    @property
    def sweeps(self) -> dict[str, Any]:
        """dict, settings of `generate` over which an evaluation draws curves: name to values."""
        return {name: values for stage in self.stages for name, values in stage.sweeps.items()}

    @classmethod
    def from_preset(cls, preset: Place, load_weights: bool = True, **options: Any) -> Self:
        """Open a preset.

        Args:
            preset: a name out of `Generator.presets` (packaged: no network), a folder (`str` or
                `pathlib.Path`), or `"hf://user/model"`, `"kaggle://user/model/keras/variant"`.
            load_weights: `False` leaves the weights as they are initialized.
            **options: `dtype`, of all networks, for example `"bfloat16"`; `name`.

        Raises:
            PresetError: a ValueError: no such preset (the message lists the known ones), it makes no
                pictures, or one of its files is damaged; it names the preset, the file and the reason.
            TypeError: an unknown option.
        """
        check_options(cls, options, allowed={"dtype", "name"})
        with opening(preset, cls, load_weights, options) as folder:
            quantized_dtype(preset, folder, options)
            task = super().from_preset(folder, load_weights, **options)
            if type(task) is cls:
                return task
            # A preset of 0.5: its stages, in a backbone of today.
            backbone = TextToImageBackbone(task.stages)
            return cls(backbone, task.preprocessor, name=options.get("name", task.name))

    @classmethod
    def from_stages(
        cls,
        *,
        decoder: Part,
        text_encoder: Part | None = None,
        prior: Part | None = None,
        upsampler: Part | None = None,
        renderer: Part | None = None,
        preprocessor: TextToImagePreprocessor | None = None,
    ) -> Self:
        """A generator of stages that were trained apart, or with one swapped: see `assemble.assemble`."""
        return cls(*assemble(decoder, text_encoder, prior, upsampler, renderer, preprocessor))

    def save_to_preset(
        self,
        preset_dir: Place,
        max_shard_size: float = 10,
        *,
        weights_dtype: WeightsDtype = "float32",
        card: str | None = None,
    ) -> None:
        """Save all networks and the tokenizer in a folder: see `keras_t2i.presets.saving.save_preset`."""
        save_preset(self, preset_dir, weights_dtype, card=card, max_shard_size=max_shard_size)

    def push_to_hub(
        self,
        repo: str,
        *,
        weights_dtype: WeightsDtype = "float32",
        card: str | None = None,
        **options: Unpack[HubOptions],
    ) -> str:
        """Send this generator to the Hugging Face Hub: `from_preset("hf://user/name")` opens it.

        Args:
            repo: `str`, "user/name".
            weights_dtype, card: as of `save_to_preset`. A card that is at the hub already stays for `None`.
            **options: `license`, `language`, `datasets`, `private`, `message`, `token`: see
                `keras_t2i.presets.hub.push_preset`.

        Returns:
            `str`, the address.

        Raises: as of `push_preset`.
        """
        with tempfile.TemporaryDirectory() as folder:
            preset = Path(folder) / "preset"
            self.save_to_preset(preset, weights_dtype=weights_dtype, card=card)
            return push_preset(preset, repo, **options)[0]

    @overload
    def generate(
        self, inputs: Prompts, *, output: Literal["array"] = "array", **options: Unpack[GenerateOptions]
    ) -> Picture: ...
    @overload
    def generate(
        self, inputs: Prompts, *, output: Literal["pil"], **options: Unpack[GenerateOptions]
    ) -> Image | list[Image]: ...
    @overload
    def generate(
        self, inputs: Prompts, *, output: Literal["svg"], **options: Unpack[GenerateOptions]
    ) -> str | list[str]: ...
    def generate(
        self,
        inputs: Prompts,
        *,
        seed: Seed = None,
        num_images: int = 1,
        size: Size = None,
        background: Background = "white",
        output: Literal["array", "pil", "svg"] = "array",
        num_steps: int | None = None,
        sampler: str | None = None,
        guidance_scale: Guidance = None,
        rescale: float | None = None,
        smoothing: float | None = None,
        temperature: float | None = None,
        image: Pictures | None = None,
        strength: float | None = None,
        mask: Masks | None = None,
        best_of: int = 1,
        batch_size: int = 16,
        progress: bool = False,
        callback: Callable[[StepState], object] | None = None,
    ) -> Picture | Image | list[Image] | str | list[str]:
        """Make pictures.

        A picture depends on its words, its seed and these settings alone: not on the others of the call, and,
        but for rounding, not on the backend. A setting that no stage of this generator has is an error.

        Args:
            inputs: a prompt, a list of prompts, or `{"prompts": ..., "negative_prompts": ...}`: what not to
                draw (diffusion), a `str` for all prompts or one for each, "" for none.
            seed: int, the first picture's; picture i has `seed + i`. Or one int per picture. `None`: new ones
                each time.
            num_images: pictures of each prompt.
            size: int, or (height, width), 1 to 65536 pixels: the picture is drawn as large as fits, in the
                middle of the background (see `render`): first by the upsampler, if there is one and it is
                larger than the base makes it, then by the renderer. `None`: as the base makes it, small.
            background: where `size` is given: a CSS name, "#rrggbb", three ints, or `None`: transparent.
            output: "array"; "pil": `PIL.Image.Image`, which a notebook shows, several as a grid; or "svg":
                documents of paths, `str` (needs contourpy, the extra `svg`). `size`, 512 for `None`, is what
                these say of their width and height; paths have none. No mask.
            num_steps: int, steps from noise to picture. This and the next two are the preset's for `None`.
            sampler: a name out of `diffusion.SAMPLERS`; some evaluate the network twice or more a step.
            guidance_scale: float: how far to go from what is drawn with no caption, or with the negative
                prompt, to what is drawn with it, and on (arXiv 2207.12598); 1 is the caption alone. A preset
                with a guide goes away from that, unless there are negative prompts. Or (float, lowest,
                highest): between these logSNR alone (arXiv 2404.07724).
            rescale: float in [0, 1], default 0: how much of the contrast that guidance adds is taken back
                (arXiv 2305.08891).
            smoothing: float in [0, 1], default the preset's, of a drawing as the base makes it: how far apart
                in color pixels are made one flat fill (see `DiffusionStage`). 0: as the network drew it.
            temperature: float, 0 or more, default 1, of a decoder in one pass: how far pictures of a prompt
                differ. 0: no chance at all.
            image: uint8 `(h, w, 3)`, for all, or one for each picture: where diffusion starts from (SDEdit,
                arXiv 2108.01073). One that is not of the base's size is brought to it, on white. With a
                `size`, what is drawn has its aspect.
            strength: float in (0, 1], the time at which to start from `image`: 1 leaves nothing of it.
                Default 0.6, and 1 with a mask.
            mask: bool `(h, w)`, or one for each picture: True where `image` is drawn anew. The rest stays as
                it is, pixel by pixel; with a `size`, at the full resolution of `image`.
            best_of: makes so many for each picture and keeps the one that `rank` puts first.
            batch_size: pictures that the networks see at once.
            progress: whether to show a progress bar, of network evaluations.
            callback: function of a `StepState`, called after every step of diffusion.

        Returns:
            uint8 array: `(s, s, 3)` for one prompt and `num_images=1`, else `(n, s, s, 3)`, n the prompts
            times `num_images`, all of the first prompt first. `(height, width, 3)` with a `size`, and 4
            channels where the background is transparent. With the output "pil" an image or a list of images,
            with "svg" a `str` or a list of `str`.

        Raises:
            TypeError: a prompt isn't text, a seed not an int, a setting that this generator has not.
            ValueError: an empty prompt (its position is named), another number of seeds than pictures, an
                unknown key or sampler, a number out of range, pictures or masks of another size.
            MemoryError: the drawings do not fit into memory: `render_to` streams one into a file.
        """
        num_images, best_of = at_least_one("num_images", num_images), at_least_one("best_of", best_of)
        settings = resolve_settings(
            self.base_stages,
            num_steps=num_steps,
            sampler=sampler,
            guidance_scale=guidance_scale,
            rescale=rescale,
            smoothing=smoothing,
            temperature=temperature,
        )
        keys = ("prompts", "negative_prompts") if self.support_negative_prompts else ("prompts",)
        inputs = unwrap(inputs, keys)
        prompts = as_prompts(inputs["prompts"])
        check_memory(self.image_size, self.image_size, 3, len(prompts) * num_images * best_of)
        seeds = as_seeds(seed, len(prompts) * num_images)
        canvas = Canvas.of(size, background, len(seeds), output)
        if output == "svg" and mask is not None:
            raise ValueError("output='svg' takes no mask: what a mask keeps is pixels, not paths")
        given = given_picture(self, image, mask, strength, len(seeds))
        draws = [Draw(seed, candidate) for seed in seeds for candidate in range(best_of)]
        owner = np.repeat(np.arange(len(prompts)), num_images * best_of)  # prompt of each drawing
        size = fitting_batch_size(len(draws), batch_size)
        words = Words.of(self, prompts, inputs.get("negative_prompts"), owner, draws, size)

        def sample_batch(batch):
            here = words.take(batch.rows)
            start = given and given.of(batch.rows // best_of)
            return sample_stages(self.base_stages, here.text, batch, settings, here.negative, start, callback)

        steps = sum(stage.num_steps_of(settings[stage.produces]) for stage in self.base_stages[1:])
        pictures = sample_in_batches(sample_batch, draws, size, steps, progress)
        if best_of > 1:  # of candidates, which lie in a row, the one that `rank` would put first is kept
            wanted = self.encode_text(prompts, batch_size)[owner]
            scores = np.sum(self.encode_image(pictures, batch_size) * wanted, axis=-1).reshape(-1, best_of)
            kept = np.arange(len(scores)) * best_of + scores.argmax(axis=-1)
            pictures, words = pictures[kept], words.take(kept)
        pictures = on_canvas(self, pictures, canvas, words, given, progress, output)
        return as_output(pictures, output, len(pictures) == 1 and isinstance(inputs["prompts"], str))

    @overload
    def render(
        self,
        pictures: Pictures,
        size: Size = None,
        background: Background = "white",
        noise_level: float = 0.0,
        progress: bool = False,
        output: Literal["array"] = "array",
    ) -> Picture: ...
    @overload
    def render(
        self,
        pictures: Pictures,
        size: Size = None,
        background: Background = "white",
        noise_level: float = 0.0,
        progress: bool = False,
        *,
        output: Literal["pil"],
    ) -> Image | list[Image]: ...
    @overload
    def render(
        self,
        pictures: Pictures,
        size: Size = None,
        background: Background = "white",
        noise_level: float = 0.0,
        progress: bool = False,
        *,
        output: Literal["svg"],
    ) -> str | list[str]: ...
    def render(
        self,
        pictures: Pictures,
        size: Size = None,
        background: Background = "white",
        noise_level: float = 0.0,
        progress: bool = False,
        output: Literal["array", "pil", "svg"] = "array",
    ) -> Picture | Image | list[Image] | str | list[str]:
        """Draw given pictures at any size, with sharp edges (see `RendererStage`).

        Args:
            pictures: uint8 `(n, h, w, 3)`, or one, `(h, w, 3)`, of any height and width.
            size, background, output: as of `generate`; 512 for no size.
            noise_level: float: 0 for clean pictures, up to 0.16 the standard deviation of the noise in them,
                in [-1, 1]; 0.2 for what a generator drew.
            progress: whether to show a progress bar, of rows.

        Returns:
            uint8 `(n, height, width, 3)`, or one; 4 channels, straight RGBA, where the background is `None`.
            With the output "pil" a list of images, or one; with "svg" a list of `str`, or one.

        Raises: as of `generate`, and ValueError for pictures of another kind.
        """
        found = as_pictures(pictures)
        noise_level = check_number("noise_level", noise_level, 0.0, 1.0)
        canvas = Canvas.of(DEFAULT_SIZE if size is None else size, background, len(found), output)
        drawn = rendered(self.renderer, found, canvas, noise_level, progress, output=output)
        return as_output(drawn, output, np.ndim(pictures) == 3)

    def upsample(
        self, pictures: Pictures, prompts: Captions | None = None, seed: Seed = None, **options: Any
    ) -> Picture:
        """Given pictures several times as large, by chance: see `models.canvas.upsample`."""
        return upsample(self, pictures, prompts, seed, **options)

    def render_to(
        self,
        file: Place,
        inputs: Prompts | Picture,
        size: Size,
        background: Background = "white",
        progress: bool = False,
        **options: Unpack[FileOptions],
    ) -> Path:
        """Draw one picture into a file, band by band: it is never held as a whole.

        Args:
            file: path that ends in .png, .tif, .tiff or .svg (see `output` of `generate`). What is there is
                replaced once the new one is whole.
            inputs: a prompt, or a given picture, uint8 `(h, w, 3)`.
            size, background, progress: as of `render`.
            **options: of `generate` (a prompt) or `noise_level` (a picture).

        Returns:
            `pathlib.Path`, absolute.

        Raises: as of `generate` and of `utils.streaming.check_target`, before anything is drawn.
        """
        vector = Path(file).suffix.lower() == ".svg"
        canvas = Canvas.of(size, background, output="svg" if vector else "array")
        if vector:
            file = expanded(file).absolute()
            check_writable(file, 2**16)
        else:
            check_target(file, *canvas.shape)
        if "output" in options:
            raise TypeError("render_to has no output=: the end of the file's name says what it is")
        if isinstance(inputs, str | dict):
            prompt = unwrap(inputs, ("prompts", "negative_prompts"))["prompts"]
            if not isinstance(prompt, str) or options.get("num_images", 1) != 1:
                raise TypeError("render_to draws one picture, of one prompt, a str")
            if options.get("image") is not None:
                raise TypeError("render_to streams no given picture: use generate(image=, size=)")
            level = self.renderer.noise_level
            size = self.upsampled_size if needs_upsampler(self, canvas) else None
            inputs = self.generate(inputs, progress=progress, size=size, **options)
        else:
            level = check_number("noise_level", options.pop("noise_level", 0.0), 0.0, 1.0)
            if options:
                raise TypeError(f"a given picture is drawn without {', '.join(sorted(options))}")
        pictures = as_pictures(inputs)
        if len(pictures) > 1:
            raise ValueError(f"render_to draws one picture, got {len(pictures)}")
        if vector:
            (document,) = rendered(self.renderer, pictures, canvas, level, False, output="svg")
            write_bytes(file, document.encode())
            return file
        bands = self.renderer.bands(to_float(pictures[0]), canvas, level)
        with tqdm(total=canvas.height, unit="row", disable=not progress) as bar:
            return write_bands(file, bands, *canvas.shape, progress=bar.update)

    def generate_frames(self, inputs: Prompts, **options: Unpack[FrameOptions]) -> Picture:
        """A picture as it evolves: what it would be by the estimate of every step (see `save_frames`).

        Args:
            inputs: one prompt, or a dict with one, as of `generate`.
            **options: of `generate`, without `num_images`, `best_of`, `output` and `callback`.

        Returns:
            uint8 `(num_steps, s, s, 3)`, or `(num_steps, height, width, 3 or 4)` with a size; the last is
            what `generate` returns.
        """
        canvas = Canvas.of(options.pop("size", None), options.pop("background", "white"))
        if not self.base.watchable:
            raise ValueError("this generator makes a picture in one step: there are no frames")
        if not isinstance(unwrap(inputs, ("prompts", "negative_prompts"))["prompts"], str):
            raise TypeError("generate_frames takes one prompt, a str")
        if wrong := {"num_images", "best_of", "output", "callback"} & set(options):
            raise TypeError(f"generate_frames makes one picture: it has no {', '.join(sorted(wrong))}")
        frames, options["seed"] = [], as_seeds(options.get("seed"), 1)
        picture = self.generate(inputs, callback=lambda state: frames.append(state.pictures[0]), **options)
        frames = np.stack([*frames[:-1], picture])
        prompts = unwrap(inputs, ("prompts", "negative_prompts"))
        prompts, negatives = as_prompts(prompts["prompts"]), prompts.get("negative_prompts")
        draws, owner = [Draw(*options["seed"])] * len(frames), np.zeros(len(frames), int)
        words = Words.of(self, prompts, negatives, owner, draws, 1) if needs_upsampler(self, canvas) else None
        given = [options.get(name) for name in ("image", "mask", "strength")]
        return on_canvas(self, frames, canvas, words, given_picture(self, *given, len(frames)))

    def rank(self, pictures: Pictures, prompt: str, batch_size: int = 16) -> tuple[Array, Array]:
        """Sort pictures by how well they fit a prompt, as the dual encoder sees it.

        Args:
            pictures: uint8 `(n, s, s, 3)`, or a list of such pictures.
            prompt: `str`.

        Returns:
            `(order, scores)`, best first: int array, `pictures[order[0]]` fits best, and float32
            array, the cosine between picture and prompt in [-1, 1], `scores[0]` the highest.
        """
        if not isinstance(prompt, str):
            raise TypeError(f"rank takes one prompt, a str, got {type(prompt).__name__}")
        scores = self.encode_image(pictures, batch_size) @ self.encode_text(prompt, batch_size)[0]
        order = np.argsort(-scores, kind="stable")
        return order, scores[order]

    def encode_text(self, prompts: Prompts, batch_size: int = 16) -> Array:
        """Concepts (text embeddings) of prompts (a `str` or a list): float32 `(n, code_dim)` of length 1."""
        token_ids = self.preprocessor.generate_preprocess(as_prompts(unwrap(prompts)["prompts"]))
        return self.stage("text").encode_text(token_ids, batch_size)

    def encode_image(self, pictures: Pictures, batch_size: int = 16) -> Array:
        """Concepts (image embeddings) of pictures, uint8 `(n, s, s, 3)`: as of `encode_text`.

        Raises: ValueError for another shape or dtype.
        """
        pictures, size = np.asarray(pictures), self.image_size
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (size, size, 3):
            raise ValueError(
                f"pictures must be uint8 (n, {size}, {size}, 3), got {pictures.dtype} {pictures.shape}"
            )
        return self.stage("text").encode_image(to_float(pictures), batch_size)

    def decode(self, concepts: Array, **options: Any) -> Picture:
        """Pictures of concepts, with no words: see `models.editing.decode`."""
        return editing.decode(self, concepts, **options)

    def variations(self, image: Picture, n: int = 4, seed: Seed = None, **options: Any) -> Picture:
        """Other pictures of what is in a picture: see `models.editing.variations`."""
        return editing.variations(self, image, n, seed, **options)

    def invert(self, image: Picture, **options: Any) -> Array:
        """The noise out of which a picture is drawn again: see `models.editing.invert`."""
        return editing.invert(self, image, **options)

    def interpolate(self, a: Picture, b: Picture, n: int = 8, **options: Any) -> Picture:
        """Pictures on the way from one to another: see `models.editing.interpolate`."""
        return editing.interpolate(self, a, b, n, **options)

    def text_diff(
        self, image: Picture, before: str, after: str, theta: float = 0.3, **options: Any
    ) -> Picture:
        """A picture changed as words change: see `models.editing.text_diff`."""
        return editing.text_diff(self, image, before, after, theta, **options)
