"""Pictures of many prompts, a file of them, in a folder; drawing goes on where it was killed.

    generated.json                 what all pictures depend on besides their prompts; written first
    00000/0000000-a-red-apple.png  a picture of line 0
    00000/metadata.jsonl           this part's pictures and captions; written last, so it proves them

Such a folder is one of captioned pictures, of which shards can be made and recipes train. A part is `PART`
lines, drawn by one worker; what it writes depends on these lines and `generated.json` alone.
"""

import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import NamedTuple

from tqdm.auto import tqdm

from keras_t2i.models.generator import Generator
from keras_t2i.models.inputs import as_seeds
from keras_t2i.presets.registry import preset_fingerprint
from keras_t2i.utils.annotations import Place
from keras_t2i.utils.batching import at_least_one
from keras_t2i.utils.beam import pipeline_options
from keras_t2i.utils.beam import run_on_beam
from keras_t2i.utils.files import digest
from keras_t2i.utils.files import expanded
from keras_t2i.utils.files import slug
from keras_t2i.utils.files import write_text
from keras_t2i.utils.folders import check_ours
from keras_t2i.utils.images import save_png

FORMAT, OF_ALL, OF_PART = 1, "generated.json", "metadata.jsonl"
PART = 64  # lines
BATCH = 16  # pictures that the networks see at once


class Generated(NamedTuple):
    """What became of a file of prompts.

    pictures: int, in the folder; kept: int, of these from earlier calls; seed: int; problems: dict of line,
    from 1, to why it was left out.
    """

    pictures: int
    kept: int
    seed: int
    problems: dict[int, str]


def read_prompts(file: Place) -> tuple[list[tuple[int, str]], dict[int, str]]:
    """The prompts in a text file, a line each.

    Args:
        file: path, UTF-8.

    Returns:
        list of (index, prompt): index is the line's, from 0; and a dict of the other lines, from 1, to why
        they are left out.

    Raises: OSError where it cannot be read; ValueError where no line is a prompt.
    """
    prompts, problems = [], {}
    lines = expanded(file).read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for index, line in enumerate(lines[:-1] if not lines[-1].strip() else lines):
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            problems[index + 1] = f"is not UTF-8 (byte {line[error.start]:#04x})"
            continue
        if any(sign.isprintable() and not sign.isspace() for sign in text):
            prompts.append((index, text))
        else:
            problems[index + 1] = "is blank"
    if not prompts:
        raise ValueError(f"There is no prompt in {file}: write one on each line")
    return prompts, problems


def generate_file(
    prompts: Place,
    folder: Place,
    preset: Place,
    num_images: int = 1,
    parts: dict[str, Place] | None = None,
    seed: int | None = None,
    beam: Sequence[str] | None = None,
    progress: bool = False,
    **settings: Any,
) -> Generated:
    """Draw pictures of every line of a file into a folder, which has their captions too.

    Picture j of line i, both from 0, has the seed `seed + i * num_images + j`, and depends on its prompt and
    seed (and the settings) alone. A call that was killed goes on by the same call: pictures that are there,
    whole, are kept.

    Args:
        prompts: path of a text file, a prompt on each line; with `beam`, as the folder, on a disk that all
            workers see.
        folder: path, new or of an earlier call.
        preset: name or folder of a `Generator`.
        num_images: int, pictures of each prompt.
        parts: dict of "renderer" and "upsampler" to presets that replace the generator's.
        seed: int; `None`: that of the earlier call, or a new one.
        beam: list of str, options of Apache Beam, which then runs it (the extra `beam`); `None`: a loop.
        progress: bool, whether to show a progress bar (Beam has its own).
        **settings: as of `draw_prompts`.

    Returns:
        `Generated`.

    Raises:
        FileExistsError: the folder holds something else.
        ValueError: it holds pictures of another call, there is no prompt, or a setting is wrong.
        OSError, ImportError, RuntimeError: a file cannot be read or written, Beam is not there, or failed.
    """
    if beam is not None:
        pipeline_options(beam)  # before any work
    found, problems = read_prompts(prompts)
    folder, parts = expanded(folder), parts or {}
    check_ours(folder, OF_ALL, lambda held: held["format"] == FORMAT)
    held = json.loads((folder / OF_ALL).read_text("utf-8")) if (folder / OF_ALL).exists() else None
    if seed is None:
        seed = held["seed"] if held else as_seeds(None, 1)[0]
    meant = {
        "format": FORMAT,
        **_drawn_from(found, preset, parts),
        "seed": seed,
        "num_images": at_least_one("num_images", num_images),
        "settings": settings,
    }
    meant = json.loads(json.dumps(meant))  # tuples are lists there
    other = [name for name in meant if held is None or held.get(name) != meant[name]]
    if other and not any(folder.glob("*/*")):
        write_text(folder / OF_ALL, json.dumps(meant, indent=1))
    elif other:
        raise ValueError(
            f"{folder} holds pictures of another call: {', '.join(other)} differ. Choose another folder, or "
            "remove it"
        )
    of_part = _in_parts(found)

    def undrawn(numbers):
        return [n for n in numbers if not is_drawn(folder / f"{n:05}", of_part[n], seed, num_images)]

    missing = undrawn(of_part)
    total, left = (num_images * sum(len(of_part[n]) for n in some) for some in (of_part, missing))
    options = {"seed": seed, "num_images": num_images, **settings}
    if beam is not None and missing:
        places = [expanded(prompts).absolute(), meant, folder.absolute(), _place(preset)]
        of_worker = [*places, {name: _place(one) for name, one in parts.items()}, options]
        run_on_beam(missing, functools.partial(_open_worker, *of_worker), beam)
        if lost := undrawn(missing):
            raise RuntimeError(
                f"{folder} has no part {lost[0]:05}, which a worker drew: the folder must be where all see it"
            )
    elif missing:
        generator = open_generator(preset, **parts)
        with tqdm(total=total, initial=total - left, unit="picture", disable=not progress) as bar:
            for n in missing:
                draw_prompts(generator, of_part[n], folder / f"{n:05}", update=bar.update, **options)
    return Generated(total, total - left, seed, problems)


def open_generator(preset, renderer=None, upsampler=None):
    """The generator of a preset, with these of its parts replaced. Raises: as `Generator.from_preset`."""
    generator = Generator.from_preset(preset)
    parts = {k: v for k, v in {"renderer": renderer, "upsampler": upsampler}.items() if v}
    return Generator.from_stages(decoder=generator, **parts) if parts else generator


def _drawn_from(prompts, preset, parts):
    """What tells these prompts and presets from others: a dict, as `generated.json` has it."""
    presets = {name: preset_fingerprint(one) for name, one in {"preset": preset, **parts}.items()}
    return {"preset": presets, "prompts": digest(json.dumps(prompts).encode())}


def _place(preset):
    """A preset as workers find it, wherever they were started."""
    return expanded(preset).absolute() if expanded(preset).is_dir() else preset


def _in_parts(prompts):
    """Parts of a list of (index, prompt): dict of number to those in it, in order."""
    parts = {}
    for index, prompt in prompts:
        parts.setdefault(index // PART, []).append((index, prompt))
    return parts


def _open_worker(file, meant, folder, preset, parts, options):
    """What a worker of Beam does with the number of a part.

    Raises: ValueError where it reads other prompts, or another preset, than who called.
    """
    prompts, _ = read_prompts(file)
    if any(meant[name] != found for name, found in _drawn_from(prompts, preset, parts).items()):
        raise ValueError(
            f"A worker sees another {file} or another preset: put both where all workers see them"
        )
    generator, of_part = open_generator(preset, **parts), _in_parts(prompts)

    def draw(number):
        draw_prompts(generator, of_part[number], folder / f"{number:05}", **options)

    return draw


def pictures_of(prompts, seed, num_images):
    """What is drawn of prompts, list of (index, prompt): list of (name of the file, prompt, seed)."""
    names = []
    for index, prompt in prompts:
        for j in range(num_images):
            name = f"{index:07}-{f'{j}-' if num_images > 1 else ''}{slug(prompt)}.png"
            names.append((name, prompt, seed + index * num_images + j))
    return names


def draw_prompts(
    generator: Generator,
    prompts: Sequence[tuple[int, str]],
    folder: Path,
    seed: int = 0,
    num_images: int = 1,
    scale: int = 1,
    batch_size: int = BATCH,
    update: Any = None,
    **settings: Any,
) -> None:
    """Draw the pictures of some prompts into a folder: a part of `generate_file`, and all that a worker does.

    Args:
        generator: `Generator`.
        prompts: list of (index, prompt), of which each picture's name and seed come.
        folder: path.
        seed: int, and `num_images`: as of `generate_file`.
        scale: int, how many times a drawn pixel is repeated.
        batch_size: int, pictures that the networks see at once. A last batch is filled up, so that all are
            drawn by the same arithmetic, whatever is drawn with them.
        update: function of a number of pictures, called as they are there; or `None`.
        **settings: `size`, `background`, `best_of`, `num_steps` and others of `Generator.generate`.

    Raises: as `Generator.generate`; OSError.
    """
    rows, whole = [], pictures_of(prompts, seed, num_images)
    for first in range(0, len(whole), at_least_one("batch_size", batch_size)):
        batch = whole[first : first + batch_size]
        _, texts, seeds = zip(*(batch + [batch[0]] * (batch_size - len(batch))), strict=True)
        pictures = generator.generate(list(texts), seed=list(seeds), batch_size=batch_size, **settings)
        for (name, prompt, its_seed), picture in zip(batch, pictures, strict=False):
            file = save_png(picture.repeat(scale, axis=0).repeat(scale, axis=1), folder / name)
            row = {"file_name": name, "text": prompt, "seed": its_seed, "sha256": digest(file.read_bytes())}
            rows.append(json.dumps(row, ensure_ascii=False) + "\n")
        if update is not None:
            update(len(batch))
    write_text(folder / OF_PART, "".join(rows))


def is_drawn(folder: Path, prompts: Sequence[tuple[int, str]], seed: int, num_images: int) -> bool:
    """Whether a part is there: all its pictures, byte for byte as `draw_prompts` wrote them."""
    try:
        lines = (folder / OF_PART).read_text("utf-8").split("\n")[:-1]
        rows = [json.loads(line) for line in lines]
        told = [(row["file_name"], row["text"], row["seed"]) for row in rows]
        if told != pictures_of(prompts, seed, num_images):
            return False
        for row in rows:
            with (folder / row["file_name"]).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != row["sha256"]:
                    return False
        return True
    except (OSError, ValueError, LookupError, TypeError):
        return False
