"""Prepares data: pictures as shards, where they are more than memory holds; or the larger emoji set.

    python recipes/prepare_data.py my_pictures shards     # then train by --data shards
    python recipes/prepare_data.py                        # then train by --data emoji

Shards: decoded, checked, shrunk to --size, written to a folder of which training reads what a batch needs.
What cannot be used is named, with its reason. Killed, it goes on by the same command.
"emoji": OpenMoji in two styles and eight more designs, fetched once by npm, drawn once at each size.
"""

import sys
import time

from command_line import Parser
from command_line import add_beam
from command_line import folder
from command_line import number
from command_line import sentence

from keras_t2i.data.emoji.design_drawings import STYLE_WORDS
from keras_t2i.data.emoji.designs import check_designs
from keras_t2i.data.emoji.designs import count_emoji
from keras_t2i.data.emoji.designs import emoji_cost
from keras_t2i.data.emoji.designs import prepare_emoji
from keras_t2i.data.emoji.packages import DESIGNS
from keras_t2i.data.emoji.splits import SPLITS
from keras_t2i.data.emoji.tfds_cache import cache_folder
from keras_t2i.data.sharded.preparing import prepare_shards
from keras_t2i.data.sources.opening import SOURCES


def parse_arguments(arguments=None):
    parser = Parser(description=__doc__)
    add, designs = parser.add_argument, {"choices": list(DESIGNS), "default": list(DESIGNS)}
    add("source", nargs="?", help=f"{SOURCES}, see docs/your_pictures.md; none: emoji")
    add("shards", nargs="?", type=folder, help="the folder that shards of them are written to")
    add("--split", help="of a source that has splits; None: train")
    add("--columns", nargs=2, metavar=("IMAGE", "CAPTION"), help="of a table; None: those named as usual")
    add("--size", type=number(int, least=1, most=4096), help="pixels a side; None: 64 of shards, 32 of emoji")
    add("--designs", nargs="*", **designs, metavar="DESIGN", help=f"besides OpenMoji: {', '.join(DESIGNS)}")
    add("--data-dir", default=str(cache_folder()), type=folder, help="of prepared data sets and packages")
    add("--smoke", action="store_true", help="some emoji of OpenMoji alone, without a network, in seconds")
    add_beam(parser, "of shards: Apache Beam writes them, the same")
    options = parser.parse_args(arguments)
    if options.source and not options.shards:
        parser.error(f"where to? Name the folder of the shards: prepare_data.py {options.source} shards")
    if not options.source and (options.split or options.columns or options.beam is not None):
        parser.error("--split, --columns, --beam are of a source: name one, and the folder of the shards")
    options.size = options.size or (64 if options.shards else 32)
    return options


def shard(options):
    start, meant = time.perf_counter(), {"split": options.split, "columns": options.columns}
    report = prepare_shards(options.source, options.shards, options.size, **meant, beam=options.beam)
    megabytes = sum(file.stat().st_size for file in options.shards.iterdir()) / 1e6
    seconds = time.perf_counter() - start
    print(f"{report}\n\nReady after {seconds:.0f} s, {megabytes:.0f} MB. Train by --data {options.shards}")


def prepare(options):
    """The data set "emoji"."""
    designs, limit = (() if options.smoke else check_designs(options.designs)), 40 * options.smoke
    pictures, minutes, megabytes = emoji_cost(options.size, designs, limit)
    print(f"Data set emoji at {options.size}x{options.size} pixels, in {options.data_dir}")
    print(f"  styles      openmoji, black line{''.join(', ' + design for design in designs)}")
    print(f"  to fetch    {f'{megabytes} MB by npm' if designs else 'nothing'}")
    print(f"  to draw     about {pictures} pictures, {max(minutes, 0.1):.1f} minutes on one core")
    start = time.perf_counter()
    prepare_emoji(options.size, options.data_dir, designs, limit)
    table, kinds = count_emoji(options.size, options.data_dir, designs, limit)
    print(f"\nReady after {time.perf_counter() - start:.0f} s.\n")
    print(f"{'style':12}" + "".join(f"{split:>12}" for split in SPLITS))
    for style in [*(style for style in STYLE_WORDS if (style, "train") in table), "all"]:
        print(f"{style:12}" + "".join(f"{table[style, split]:12}" for split in SPLITS))
    print("\nHeld out for the test:", ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items())))
    print(f"\nIt lies in {cache_folder(options.data_dir) / 'emoji'}. Train on it by --data emoji.")


def main(arguments=None):
    options = parse_arguments(arguments)
    try:
        (shard if options.source else prepare)(options)
    except (RuntimeError, ValueError, OSError, ImportError) as error:
        print(f"prepare_data.py: error: {sentence(error)}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
