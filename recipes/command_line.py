"""The options of the recipes, checked in one place. To import it is quick: it needs no Keras."""

import argparse
import math
import os
import shlex
import sys
import warnings
from pathlib import Path

DUAL_ENCODER = "preset of lesson 2: name or folder"
LOGS = ("tensorboard", "csv", "wandb", "mlflow")  # of keras_t2i.training.logs, which imports Keras
OUTPUT = "pictures/<prompt>.png"  # of a picture that is given no name
FORMER = {  # options up to 0.5 that no line of DEFAULTS has the name of, and what replaces them
    "diffusion": {
        "prediction": "it is DEFAULTS' parameterization in recipes/train_diffusion.py",
        "whiten": "change DEFAULTS' adapt in recipes/train_diffusion.py",
        "no-whiten": "change DEFAULTS' adapt in recipes/train_diffusion.py",
        "guide-at": "training.snapshots.reconstruct makes a guide of an earlier step: DiffusionStage(guide=)",
        "space": "run recipes/train_latent_diffusion.py",
        "autoencoder": "run recipes/train_latent_diffusion.py",
        "condition": "run recipes/train_image_decoder.py",
    },
    "prior": {"guidance": "change DEFAULTS' guidance_scale in recipes/train_prior.py"},
}


def command_of(parser, args):
    """The command that options stand for, to be shown to others: what is not the default, without places of
    this machine (`--output`, and all but the end of an absolute path)."""
    words = ["python", parser.page]
    for action in parser._actions:
        value, options = getattr(args, action.dest, None), action.option_strings
        hidden = action.help == argparse.SUPPRESS or action.dest in ("help", "output", "restart")
        if not options or hidden or value is None or value == parser.get_default(action.dest):
            continue
        values = () if value is True else value if isinstance(value, list | tuple) else (value,)
        words += [options[-1], *(_apart_from_here(str(one)) for one in values)]
    return shlex.join(words)


def _apart_from_here(text):
    path = Path(text).expanduser() if text.startswith("~") else Path(text)
    return "/".join(path.parts[-2:]) if path.is_absolute() else text


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Every option with its default, and the description as it was written."""


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` whose errors are one line, however long or strange what was given is."""

    def __init__(self, prog=None, **options):
        super().__init__(prog, **{"formatter_class": HelpFormatter, **options})
        self._greedy = []  # options of the line that take any words, as long as words come

    def error(self, message):
        if self._greedy and "are required" in message:
            taker = self._greedy[0]
            message += f" ({taker} takes all words after it: put other words before it)"
        super().error(sentence(message))

    def parse_known_args(self, args=None, namespace=None):
        args = self._lists_last(list(sys.argv[1:] if args is None else args))
        found, rest = super().parse_known_args(args, namespace)
        for action in self._actions:  # argparse takes "--epochs=--" for no value, and gives an empty list
            if action.nargs is None and getattr(found, action.dest, None) == []:
                self.error(f"argument {'/'.join(action.option_strings)}: expected one argument")
        return found, rest

    def _lists_last(self, words):
        """A line with its lists of choices at the end: in "--log csv my_folder" the folder is no log."""
        if not any(not action.option_strings for action in self._actions):
            return words
        # Behind "--", and behind an option that takes all the rest, nothing is moved.
        takers = [o for a in self._actions if a.nargs == argparse.REMAINDER for o in a.option_strings]
        end = min((words.index(word) for word in ("--", *takers) if word in words), default=len(words))
        others, lists, self._greedy, i = [], [], [], 0
        while i < end:
            word, i = words[i], i + 1
            option, given, _ = word.partition("=")
            known = self._option_string_actions
            taker = known.get(option) or next((known[o] for o in known if _short(option, o)), None)
            if taker is None or taker.nargs not in ("+", "*"):
                others.append(word)
            elif not taker.choices:
                others.append(word)
                self._greedy += [] if given else [word]
            elif given:
                lists.append(word)
            else:
                first, i = i, i + 1  # a first word that is no choice is one mistyped
                while i < end and words[i] in taker.choices:
                    i += 1
                i = min(i, end) if first < end and words[first][:1] != "-" else first
                lists += [word, *words[first:i]]
        return [*others, *lists, *words[end:]]


def _short(word, option):
    """Whether a word is the beginning of an option, as argparse takes it for the whole."""
    return len(word) > 2 and option.startswith(word)


def sentence(error, most=500):
    """What an error says as one line that every terminal can print, its middle left out if it is long."""
    text = " ".join(str(error).split())
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= most + 100 else f"{text[: most // 2]} [...] {text[-most // 2 :]}"


def plain_warnings():
    """From now on a warning is one line, without the place in the code that gave it."""
    warnings.formatwarning = lambda message, *place, **named: f"note: {sentence(message)}\n"


class Former(argparse.Action):
    """An option that there was: to give it is an error that says what replaces it."""

    def __call__(self, parser, namespace, values, option_string=None):
        parser.error(f"{option_string} went: {self.const}")


def number(kind, least=None, above=None, most=None):
    """A type for `add_argument`: finite numbers of this kind, at least, above and at most these (`None`: what
    32 bits hold, or for a float a million, beyond which its square may not be finite)."""
    most = {int: 2**31 - 1, float: 1e6}[kind] if most is None else most

    def read(text):
        value = kind(text)
        if kind is float and not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"must be finite, got {text}")
        if least is not None and value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {text}")
        if above is not None and value <= above:
            raise argparse.ArgumentTypeError(f"must be above {above}, got {text}")
        if most is not None and value > most:
            raise argparse.ArgumentTypeError(f"must be at most {most}, got {text}")
        return value

    read.__name__ = kind.__name__  # argparse: "invalid int value: 'x'"
    return read


def size(text):
    """A type for `add_argument`: pixels of a side, or of both: "512", "1080x1920" (height x width)."""
    sides = [int(side) for side in text.lower().split("x")]
    if len(sides) > 2 or min(sides) < 1:
        raise argparse.ArgumentTypeError(f"must be pixels, or HEIGHTxWIDTH, got {text}")
    return tuple(sides * 2)[:2]


def seed(text):
    """A type for `add_argument`: an int; "random": `None`, for which `new_seed` is taken."""
    return None if text == "random" else int(text)


def new_seed():
    """An int of 32 bits."""
    return int.from_bytes(os.urandom(4), "little")


def filled(text):
    """A type for `add_argument`: text that is not blank, such as "$MY_FOLDER" is where that is not set."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty")
    return text


def folder(text):
    """A type for `add_argument`: the path of a folder, there or not; "~" is the home also after a "="."""
    from keras_t2i.utils.files import expanded  # which imports Keras

    path = expanded(filled(text))
    if os.path.lexists(path) and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file: give a folder")
    return path


def existing_file(text):
    """A type for `add_argument`: the path of a file that is there."""
    try:
        if Path(text).is_file():
            return Path(text)
    except OSError:  # such as a name that is too long
        pass
    raise argparse.ArgumentTypeError(f"there is no file {text}")


def free_name(prompt, suffix=".png"):
    """A name for a picture of `prompt` that no file has: pictures/a-red-apple.png, ...-2.png, ..."""
    from keras_t2i.utils.files import slug  # which imports Keras

    count, file = 1, Path("pictures", f"{slug(prompt)}{suffix}")
    while file.exists():
        count += 1
        file = file.with_stem(f"{slug(prompt)}-{count}")
    return file


def training_parser(doc, name, defaults, changes=None):
    """The options that every training recipe has.

    Args:
        doc: str, shown by `--help`.
        name: str, the run's folder below `runs/`.
        defaults: dict, this recipe's: of the options `minutes`, `batch_size`, `learning_rate` (and perhaps
            `data`, `seed`), and of hyperparameters that are no options but stand on its page.
        changes: dict, other values for some of these, as `main` was given them.

    Returns:
        `argparse.ArgumentParser`. What it reads has the hyperparameters too.

    Raises: TypeError for a change of what has no default.
    """
    from keras_t2i.data.registry import describe_sources  # which imports Keras

    if unknown := sorted(set(changes or {}) - set(defaults)):
        raise TypeError(f"there is no {', '.join(unknown)}; there are {', '.join(defaults)}")
    options = {"data": "openmoji", "seed": 0, **defaults, **(changes or {})}
    parser = Parser(description=doc)
    parser.page = f"recipes/train_{name}.py"

    def add(name, *args, to=parser, default=None, **kwargs):
        to.add_argument(name, *args, default=options.pop(name[2:].replace("-", "_"), default), **kwargs)

    add("--data", type=filled, help=describe_sources())
    about = "the run's folder: preset, pictures, logs, state"
    add("--output", default=f"runs/{name}", type=folder, help=about)
    length = parser.add_mutually_exclusive_group()
    minutes = "how long to train: a step is timed, and as many epochs are made of them as fit"
    add("--minutes", to=length, type=number(float, above=0), help=minutes)
    passes = "the same in passes over the training pictures"
    add("--epochs", to=length, type=number(int, least=1), help=passes)
    add("--batch-size", type=number(int, least=1), help="pictures in a step")
    rate = "the largest; it rises, then falls to zero"
    add("--learning-rate", type=number(float, above=0), help=rate)
    precisions = {"default": "float32", "choices": ["float32", "mixed_bfloat16", "mixed_float16"]}
    add("--precision", **precisions, help="arithmetic inside the networks; float16 for older GPUs")
    mean = "steps whose gradients are averaged into one update"
    add("--accumulate", default=1, type=number(int, least=1), help=mean)
    add_distribute(add)
    add("--seed", type=number(int, least=0, most=2**32 - 1), help="of weights, order and noise")
    add("--log", nargs="+", default=["tensorboard"], choices=LOGS, help="where figures and pictures go")
    restart = "throw away an earlier run in --output instead of resuming it"
    parser.add_argument("--restart", action="store_true", help=restart)
    smoke = "a tiny model, a few pictures, seconds: does everything run?"
    parser.add_argument("--smoke", action="store_true", help=smoke)
    page = f"change DEFAULTS in recipes/train_{name}.py"
    former = {option.replace("_", "-"): page for option in options} | FORMER.get(name, {})
    for option, instead in former.items():
        hidden = {"default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
        parser.add_argument(f"--{option}", action=Former, nargs="*", const=instead, **hidden)
    parser.set_defaults(**options)
    return parser


def add_distribute(add):
    """Give a parser `--distribute`, by its `add_argument`, or by what has its arguments."""
    from keras_t2i.training.distribution import KINDS  # which imports Keras

    several = (
        "data: all devices, of all processes, share a batch; model: the weights; see docs/distribution.md"
    )
    add("--distribute", default="none", choices=KINDS, help=several)


def program(page):
    """What a page, a file's name, is called in its messages: the command that runs it, or its own name."""
    return sys.argv[0] if sys.argv[0].startswith("keras-t2i") else page


def generate_parser(doc, size_of_all):
    """The options of `generate.py`, of which `doc` is its description."""
    name = program("generate.py")
    parser = Parser(name, description=doc)
    add, count = parser.add_argument, {"type": number(int, least=1, most=10_000), "metavar": "N"}
    add("prompts", nargs="*", metavar="PROMPT", help="what to show, in quotes; several make a grid")
    lines = "in their place, a text file of them, a line each, of any length; --output is then a folder"
    add("--prompts", dest="prompt_file", type=filled, metavar="FILE", help=lines)
    add("--preset", default="diffusion_emoji", help="name of a preset, a folder, or hf://...")
    add("--seed", default="random", type=seed, help="whole number; the same seed makes the same picture")
    add("--num-images", default=1, **count, help="pictures of each prompt")
    add("--best-of", default=1, **count, help="make N for each picture, keep the best")
    differ = "how far pictures of a prompt differ; 0: not at all; of a preset that takes no steps"
    add("--temperature", default=1.0, type=float, metavar="T", help=differ)
    add("--num-steps", **count, help="steps from noise to picture; None: the preset's")
    add("--guidance-scale", type=float, metavar="G", help="how strictly words are followed; None: as above")
    add("--frames", metavar="FILE", help="how the first picture evolves in its steps: .gif, or .png, a strip")
    side = parser.add_mutually_exclusive_group()
    any_size = f"pixels of a picture's side, or height x width: any. Without --scale: {size_of_all}"
    side.add_argument("--size", type=size, metavar="N|HxW", help=any_size)
    pixels = "instead, the pixels that diffusion draws, each so many times larger: no renderer"
    side.add_argument("--scale", **count, help=pixels)
    add("--transparent", action="store_true", help="no white paper behind the picture")
    add("--svg", action="store_true", help="curves in place of pixels: an SVG file for each picture")
    add("--renderer", help="preset of lesson 8, which draws at --size; None: the generator's, or ours")
    add("--upsampler", help="preset of lesson 9, which draws larger before that; None: the generator's")
    replaced = "where the picture goes; a file you name is replaced, the default gets a number instead"
    add("--output", default=OUTPUT, metavar="FILE", help=replaced)
    add_beam(parser, "with --prompts: Apache Beam draws")
    return parser


def tell_drawn(made, folder, seconds):
    """Print what became of a file of prompts, `Generated`; returns the folder."""
    for line, why in made.problems.items():
        print(f"      left out: line {line} {why}")
    kept = f", {made.kept} of them kept" if made.kept else ""
    print(f"[3/3] {folder} ({made.pictures} pictures{kept}, seed {made.seed}, {seconds:.0f} s)")
    return folder


def add_beam(parser, about):
    """Give a parser `--beam`, which takes all that is behind it."""
    rest = f"{about}; all behind it are its own options, such as --runner; nothing: on this machine"
    parser.add_argument("--beam", nargs=argparse.REMAINDER, metavar="OPTION", help=rest)


def check_prompts(parser, options):
    """End with a sentence where the prompts, or what is asked of a file of them, are not whole."""
    if not options.prompts and not options.prompt_file:
        parser.error("the following arguments are required: PROMPT: what to show, in quotes")
    if options.prompts and options.prompt_file:
        parser.error("give one: PROMPT, in quotes, or --prompts FILE")
    if not options.prompt_file:
        if options.beam is not None:
            parser.error("--beam is for --prompts FILE")
        return
    if options.svg or options.frames:
        parser.error("--svg, --frames: not with --prompts, whose pictures are PNG files")
    try:
        existing_file(options.prompt_file)
    except argparse.ArgumentTypeError as error:
        parser.error(f"--prompts: {error}")
    if options.output == OUTPUT:
        parser.error("--prompts needs --output FOLDER, for its pictures")
