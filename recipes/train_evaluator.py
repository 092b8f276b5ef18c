"""Train a judge: an encoder of text and picture that only evaluates.

    python recipes/prepare_data.py                                      # once: emoji in six designs
    python recipes/train_evaluator.py                                   # convolutions and GRU, half 0
    python recipes/train_evaluator.py --architecture attentive --half 1 --seed 102 --output runs/evaluator_1
    python recipes/train_evaluator.py --data my_pictures                # for your own

Who marks an exam must not have written it. A judge has another architecture, another seed and other
pictures than any generator's encoders. Two are trained, each on one half of the pictures, of the held-out
ones too, so that each picture can be judged by the one that has never seen it. Nothing that trains, guides
or ranks may use a judge.
"""

from keras_t2i.data import Pipeline
from keras_t2i.data import augmentation
from keras_t2i.data import load
from keras_t2i.data.registry import splits_of
from keras_t2i.evaluation.judges.evaluator import HALVES
from keras_t2i.evaluation.judges.evaluator import TOWERS
from keras_t2i.evaluation.judges.evaluator import Evaluator
from keras_t2i.evaluation.judges.evaluator import half_of
from keras_t2i.evaluation.metrics import retrieval
from keras_t2i.models import CaptionTokenizer
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.objectives.contrastive import ContrastiveAlignment
from keras_t2i.presets.saving import save_preset
from keras_t2i.training.options import adamw
from keras_t2i.training.options import load_splits
from keras_t2i.training.options import prepare
from keras_t2i.training.options import print_table
from keras_t2i.training.options import training_parser
from keras_t2i.training.run import peak_memory
from keras_t2i.training.run import train
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png

WATCHED = 256  # pictures of the other half that validation looks at

CARD = """---
library_name: keras-hub
license: cc-by-sa-4.0
tags: [keras_t2i]
---
# {name}

A judge of text-to-image pictures at 32 pixels: text and image towers, {architecture} ({parameters:,}
parameters), trained by contrast on half {half} of the pictures
(`keras_t2i.evaluation.judges.evaluator.half_of`).

It only evaluates: never use it in a loss, in guidance, in ranking, or to choose a checkpoint.

```python
from keras_t2i.evaluation.judges.evaluator import Judge

judge = Judge.from_preset("{name}")
```

Among {candidates} captions of pictures of the other half, which it has never seen, the right one comes
first for {at_1:.2f}, within the first five for {at_5:.2f}. Made by `recipes/train_evaluator.py`.

## Data

{source}
"""


def main(argv=None):
    parser = training_parser(__doc__, "evaluator", epochs=30, batch_size=256, learning_rate=1.5e-3)
    parser.add_argument(
        "--architecture", default="convolutional", choices=sorted(TOWERS), help="of both towers"
    )
    parser.add_argument(
        "--half", default=0, type=int, choices=range(HALVES), help="of the pictures to learn from"
    )
    parser.add_argument(
        "--vocabulary-size", default=1536, type=int, help="word pieces that the tokenizer learns"
    )
    parser.add_argument("--sequence-length", default=32, type=int, help="word pieces of a caption")
    parser.set_defaults(data="emoji", seed=101)
    args = parser.parse_args(argv)
    settings = prepare(args)
    train_split, unseen = load_splits(args)
    every = train_split.joined(unseen)
    if "test" in splits_of(args.data) and not args.smoke:
        every = every.joined(load(args.data, "test"))
    halves = half_of(every)
    pictures, others = (every.take((halves == h).nonzero()[0]) for h in (args.half, 1 - args.half))
    others = others.take(range(0, len(others), max(1, len(others) // WATCHED)))

    captions = [caption for some in pictures.captions for caption in some]
    tokenizer = CaptionTokenizer.learn(captions, vocabulary_size=args.vocabulary_size)
    preprocessor = TextToImagePreprocessor(tokenizer, sequence_length=args.sequence_length)
    text_tower, image_tower = TOWERS[args.architecture]
    network = Evaluator(
        text_tower(tokenizer.vocabulary_size(), args.sequence_length, dtype=args.precision),
        image_tower(every.pictures.shape[1], dtype=args.precision),
        half=args.half,
    )
    objective = ContrastiveAlignment(network, "clip", seed=args.seed)
    pipeline = Pipeline(
        pictures, preprocessor, args.batch_size, seed=args.seed, augmentations=(augmentation.translate(3),)
    )
    objective.compile(optimizer=adamw(args, args.epochs * len(pipeline)))

    def draw(objective):  # a row for each of eight captions: its picture, then the seven found first
        shown = retrieval.found_first(objective.average, preprocessor, others, rows=8, columns=8)
        return make_grid(shown, 8, scale=2)

    logs = train(
        objective,
        pipeline,
        args.epochs,
        args.output,
        validation=Pipeline(others, preprocessor, args.batch_size, training=False),
        draw=draw,
        settings=settings,
        restart=args.restart,
    )

    best, name = objective.average, f"evaluator_{args.architecture}_{every.pictures.shape[1]}"
    found = retrieval.recall(best, preprocessor, others)
    card = CARD.format(
        name=name,
        architecture=args.architecture,
        parameters=best.count_params(),
        half=args.half,
        candidates=round(found.candidates) if found.trials else 0,
        at_1=found.at_1,
        at_5=found.at_5,
        source=every.source,
    )
    save_png(draw(objective), args.output / "retrieval.png")
    save_preset(best, args.output / "preset", weights_dtype="float16", card=card, preprocessor=preprocessor)
    print_table(
        [
            (f"captions of the other half whose picture is found first, of {found.candidates}", found.at_1),
            ("the same within the first five", found.at_5),
            ("minutes", logs["seconds"] / 60),
            ("peak memory, MiB", peak_memory()),
            ("picture", args.output / "retrieval.png"),
            ("preset", args.output / "preset"),
            ("logs (tensorboard --logdir)", args.output / "logs"),
        ]
    )


if __name__ == "__main__":
    main()
