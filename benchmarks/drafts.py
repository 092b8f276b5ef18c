"""What does a draft remember, and how much does it know of what it never saw?

    python recipes/train_concepts.py --data emoji --output runs/concepts
    python benchmarks/drafts.py --dual-encoder runs/concepts/preset --features 4096 8192 16384 --captions 1 3

A U-Net of size "draft" draws over what kernel regression on random features says of a caption
(`layers.KernelRegression`). For each number of features, ridge and captions a picture that it is found from:
PSNR in dB of single things by their plain captions, by their other captions, of held-out combinations of
words, and of unseen concepts; how often the drafts of single things are recognized (nearer to the true
picture than to 99 others of the design, ImageNet features); and what it costs. "No draft" is the mean
picture. A sheet of true pictures over drafts for each row of the table is written.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from keras_t2i.data import Pipeline
from keras_t2i.data import concept_shares
from keras_t2i.data import load
from keras_t2i.evaluation.judges.imagenet import ImageNetFeatures
from keras_t2i.evaluation.metrics.recognition import recognized
from keras_t2i.evaluation.single_things import designs_of
from keras_t2i.evaluation.single_things import draws_of
from keras_t2i.evaluation.single_things import single_things
from keras_t2i.models import DiffusionUNet
from keras_t2i.models import DualEncoder
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.training import encoding
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import psnr
from keras_t2i.utils.images import save_png
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8

SIZE, ASKED, OTHERS = 32, 300, 2000


def main():
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    add = parser.add_argument
    add("--data", default="emoji")
    add("--dual-encoder", required=True, help="preset of lesson 2, trained on that data")
    add("--features", type=int, nargs="+", default=[4096, 8192, 16384])
    add("--captions", type=int, nargs="+", default=[3])
    add("--ridges", type=float, nargs="+", default=[1e-3])
    add("--plain", type=float, default=1.0, help="what the plain caption counts, the others together 1")
    add("--output", type=Path, default=Path("runs/drafts"))
    args = parser.parse_args()
    dual_encoder = DualEncoder.from_preset(args.dual_encoder)
    preprocessor = TextToImagePreprocessor.from_preset(args.dual_encoder)
    data, unseen, held_out = (load(args.data, split, SIZE) for split in ("train", "validation", "test"))
    pipeline = Pipeline(data, preprocessor, shares=concept_shares(data))
    things = single_things(data)
    asked = data.take(draws_of(things, data.plain_captions, ASKED, draws=1)[0])
    others, features = data.take(np.flatnonzero(things)).spread(OTHERS), ImageNetFeatures(128)

    def codes_of(captions):
        token_ids = preprocessor.generate_preprocess(captions)
        return encoding.text_embeddings(dual_encoder.text_encoder, token_ids)

    shown = {  # captions and their pictures
        "plain": (codes_of(asked.plain_captions), asked.pictures),
        "other phrasing": (codes_of([captions[-1] for captions in asked.captions]), asked.pictures),
        "held-out": (codes_of(held_out.plain_captions), held_out.pictures),
        "unseen": (codes_of(unseen.plain_captions), unseen.pictures),
    }
    print(f"| features, captions, ridge | {' | '.join(shown)} | recognized | minutes | million numbers |")
    print("|---" * (len(shown) + 4) + "|")
    mean = to_float(data.pictures).mean(axis=0)
    floor = [f"{psnr(to_float(truths), mean).mean():.1f}" for _, truths in shown.values()]
    print(f"| no draft | {' | '.join(floor)} | | | |")
    sizes = {"code_dim": dual_encoder.code_dim, "token_dim": dual_encoder.text_encoder.filters}
    for count in args.features:
        unet = DiffusionUNet.from_size("draft", SIZE, draft_features=count, **sizes)
        encoding.adapt_conditions(unet, dual_encoder, pipeline.token_table, data.pictures)
        million = sum(weight.size for weight in unet.get_layer("draft").get_weights()) / 1e6
        for captions in args.captions:
            for ridge in args.ridges:
                start = time.perf_counter()
                encoding.adapt_draft(unet, dual_encoder, pipeline, captions, args.plain, ridge)
                minutes = (time.perf_counter() - start) / 60
                drafts = {name: unet.drafts(codes)[0] for name, (codes, _) in shown.items()}
                pairs = [(to_float(truths), drafts[name]) for name, (_, truths) in shown.items()]
                figures = [f"{psnr(*pair).mean():.1f}" for pair in pairs]
                drawn, truths = to_uint8(drafts["plain"]), asked.pictures
                beside = {"others": others.pictures, "other_designs": designs_of(others)}
                found = recognized(drawn, truths, designs_of(asked), features, **beside).value
                row = [f"{count}, {captions}, {ridge:g}", *figures, f"{found:.2f}"]
                print(f"| {' | '.join(row)} | {minutes:.1f} | {million:.1f} |", flush=True)
                rows = np.concatenate([to_uint8(pictures[:24]) for pair in pairs for pictures in pair])
                name = f"{count}_{captions}_{ridge:g}.png"
                save_png(make_grid(rows, columns=24, scale=2), args.output / name)


if __name__ == "__main__":
    main()
