"""More words for a preset: those that no caption taught, or none alone, are read as what one did.

    python recipes/add_words.py diffusion_emoji with_words --vectors glove.6B.100d.txt --wordnet dict
    python recipes/generate.py "a sofa" --preset with_words   # "sofa" is read as "couch and lamp"

What a word means is known before any picture is: GloVe has learned it from billions of words of text, WordNet
has what is a kind of what. A noun that captions have only beside others, "norway" in "flag of Norway", is
read as the shortest phrase that has it. Nothing is trained here, and the table, which the preset keeps, is
text that a person can read and change: assets/tokenizer/nearest_words.json. Where they come from:
docs/words.md.
"""

import sys

from command_line import Parser
from command_line import filled
from command_line import folder
from command_line import number
from command_line import program
from command_line import sentence


def main(argv=None):
    """Write the preset that the command line asks for; returns the table of words."""
    parser = Parser(program("add_words.py"), description=__doc__)
    add = parser.add_argument
    add("preset", metavar="PRESET", type=filled, help="name of a generator's preset, a folder, or hf://...")
    add("folder", metavar="FOLDER", type=folder, help="of the new preset")
    add(
        "--data", default="emoji", type=filled, help="what the preset was trained on: a data set, or a folder"
    )
    add("--vectors", required=True, type=filled, help="file of GloVe: a word and its numbers a line")
    add(
        "--wordnet",
        type=filled,
        help="WordNet's folder dict; none: vectors alone, names of people too, no phrases",
    )
    least = "how similar, at most about 1, a word must be for another to be read in its place"
    add("--least", default=0.65, type=number(float, above=0), help=least)
    options = parser.parse_args(argv)
    from keras_t2i.data import load
    from keras_t2i.data.nearest_words import WordNet
    from keras_t2i.data.nearest_words import nearest_words
    from keras_t2i.data.nearest_words import read_vectors
    from keras_t2i.data.phrases import phrases
    from keras_t2i.models import Generator
    from keras_t2i.models import TextToImagePreprocessor

    try:
        generator = Generator.from_preset(options.preset)
        captions = load(options.data, "train", generator.image_size).captions
        wordnet, vectors = options.wordnet and WordNet(options.wordnet), read_vectors(options.vectors)
        found = nearest_words((c for own in captions for c in own), *vectors, wordnet, options.least)
        if wordnet:
            found |= phrases(captions, vectors[0], wordnet)
        preprocessor = generator.preprocessor
        tokenizer = preprocessor.tokenizer.with_nearest_words(found)
        preprocessor = TextToImagePreprocessor(tokenizer, preprocessor.sequence_length)
        Generator(generator.backbone, preprocessor).save_to_preset(options.folder)
    except (ValueError, TypeError, OSError) as error:
        parser.exit(2, f"{parser.prog}: error: {sentence(error)}\n")
    for word, other in list(found.items())[:: max(1, len(found) // 40)]:
        print(f"  {word} as {other}")
    print(f"{len(found):,} words more, such as these: {options.folder}")
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
