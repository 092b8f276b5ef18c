"""The evaluation of a generator: it draws every prompt, and every metric is taken of what it drew."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.evaluation.drawings import Drawings
from keras_t2i.evaluation.drawings import at_size
from keras_t2i.evaluation.drawings import grid
from keras_t2i.evaluation.judges.color_histogram import ColorHistogramEncoder
from keras_t2i.evaluation.judges.evaluator import Judges
from keras_t2i.evaluation.judges.imagenet import ImageNetFeatures
from keras_t2i.evaluation.metrics import protocols
from keras_t2i.evaluation.metrics.memorization import Memorization
from keras_t2i.evaluation.metrics.registry import METRICS
from keras_t2i.evaluation.prompt_sets import PromptSet
from keras_t2i.evaluation.recognition import ImageTowerFeatures
from keras_t2i.evaluation.recognition import Recognition
from keras_t2i.evaluation.single_things import pictures_of_concept
from keras_t2i.utils.random_streams import random_stream

SEED_STRIDE = 1000  # the next drawing of a prompt has a seed so much larger: no two drawings share one
# What the floor of permuted captions is taken of: what looks at a caption.
PERMUTED = (
    *(protocols.alignment, protocols.alignment_by_count),
    *(protocols.recognition, protocols.attributes),
)
PAIRS = 20  # of drawing and nearest training picture that a report shows


class Evaluation:
    """All that is the same for everybody who is evaluated.

    Args:
        sets, train: of `prompt_sets.load_prompt_sets`; the first set is that of training captions.
        judges: `Judges`.
        seeds_per_prompt: int, drawings of each prompt.
        references: int, real pictures that quality is measured against; none of them is asked for.
        image_size: int, at which ImageNet's features are taken. 128, four times the pictures', is three
            times as fast as 224.
        large_size: int, at which they are taken once more of single things.
        progress: bool, whether to show bars.
    """

    def __init__(
        self,
        sets: Sequence[PromptSet],
        train: CaptionedImages,
        judges: Judges,
        seeds_per_prompt: int = 4,
        references: int = 2000,
        image_size: int = 128,
        large_size: int = 224,
        progress: bool = True,
    ) -> None:
        self.sets, self.train, self.judges, self.seeds_per_prompt = sets, train, judges, seeds_per_prompt
        self.progress = progress
        self.size = train.pictures.shape[1]
        self.features = ImageNetFeatures(image_size)
        self.judge_of = {s.name: judges.unseen_by(s.images) for s in sets}
        self.pool_codes = {s.name: judges.encode_text(s.trials.pool_captions) for s in sets}
        self.question_codes = {
            s.name: judges.encode_text(s.questions.captions) for s in sets if s.questions.captions
        }
        preprocessor = judges.judges[0].preprocessor
        self.color_judge = ColorHistogramEncoder.fit(train.pictures, train.plain_captions, preprocessor)
        self.pool_colors = {s.name: self.color_judge.encode_text(s.trials.pool_captions) for s in sets}
        unseen = [s.images for s in sets if not s.trained]
        self.memorization = Memorization(
            train.pictures,
            np.concatenate([data.pictures for data in unseen]),
            np.concatenate(
                [np.unique(data.groups, return_inverse=True)[1] + 10**6 * i for i, data in enumerate(unseen)]
            ),
        )
        others = np.flatnonzero(~np.isin(train.groups, sets[0].images.groups))
        order = random_stream(0, "reference").permutation(len(others))[:references]
        self.reference = train.pictures[others[np.sort(order)]]
        self.reference_features = self.features(self.reference, progress=progress)
        self.reference_codes = self.all_codes(self.reference)
        self.concept_counts = {s.name: pictures_of_concept(s.images, train) for s in sets}
        self.recognition = {}
        for s in sets:
            if s.draws:
                features = {"small": self.features, "large": ImageNetFeatures(large_size)}
                self.recognition[s.name] = Recognition(s, features | {"tower": ImageTowerFeatures()})

    def seeds_of(self, prompt_set: PromptSet) -> int:
        """How many drawings of each prompt there are: one where there are enough prompts of one kind."""
        return 1 if prompt_set.draws else self.seeds_per_prompt

    def draw(
        self,
        candidate: Any,
        prompt_set: PromptSet,
        seeds_per_prompt: int,
        with_features: bool = True,
        **options: Any,
    ) -> Drawings:
        """`Drawings`: `candidate.generate` is asked for every prompt of the set, so many times."""
        pictures = []
        title = f"{candidate.name}: {prompt_set.name}"
        for i in tqdm(range(seeds_per_prompt), desc=title, disable=not self.progress):
            drawn = candidate.generate(prompt_set.prompts, seed=SEED_STRIDE * i, batch_size=64, **options)
            pictures.append(at_size(drawn, self.size))
        pictures = np.concatenate(pictures)
        judge = np.tile(self.judge_of[prompt_set.name], seeds_per_prompt)
        features = self.features(pictures, progress=self.progress) if with_features else None
        return Drawings(pictures, self.judges.encode_image(pictures, judge), features, seeds_per_prompt)

    def evaluate(self, candidate: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Drawings]]:
        """Everything about one candidate.

        Args:
            candidate: has `name`, `kind`, `text` and `generate`; where it has `deterministic` (True), it
                draws each prompt once; perhaps `facts`, a dict of what the entry says beside its scores.

        Returns:
            `(entry, pictures, drawings)`: the entry of a report, the pictures that it names, and a dict of
            `Drawings` by set.
        """
        entry = {"name": candidate.name, "kind": candidate.kind, "text": candidate.text}
        entry |= {"scores": {}, "grid": {}, "curves": {}, "worst": [], **getattr(candidate, "facts", {})}
        pictures, of_sets = {}, {}
        for prompt_set in self.sets:
            seeds = 1 if getattr(candidate, "deterministic", False) else self.seeds_of(prompt_set)
            drawings = self.draw(candidate, prompt_set, seeds)
            of_sets[prompt_set.name] = drawings
            entry["scores"][prompt_set.name] = as_dicts(self.scores(drawings, prompt_set))
            path = f"grids/{_file_name(candidate.name)}_{_file_name(prompt_set.name)}.png"
            entry["grid"][prompt_set.name] = path
            pictures[path] = grid(drawings, prompt_set)
        start, few = time.perf_counter(), self.sets[-1].prompts[:64]
        candidate.generate(few, seed=0, batch_size=64)
        seconds = (time.perf_counter() - start) / len(few)
        if candidate.kind == "generator":
            entry["seconds_per_picture"] = seconds
            worst, of_worst = self.worst(of_sets, _file_name(candidate.name))
            entry["worst"] = worst
            pictures |= of_worst
        return entry, pictures, of_sets

    def scores(self, drawings, prompt_set, keys=None):
        """dict of metric's key to `Estimate`: all of `METRICS` that apply, or those of `keys`."""
        keys = [key for key in METRICS if keys is None or key in keys]
        found = {}
        for protocol in dict.fromkeys(METRICS[key].protocol for key in keys):
            found |= protocol(self, drawings, prompt_set)
        return {key: found[key] for key in keys if key in found}

    def permuted(self, name, of_sets):
        """The entry of the floor: the drawings of `of_sets`, judged as if each were for another prompt."""
        entry = {
            "name": f"{name}, captions permuted",
            "kind": "floor",
            "text": f"Drawings by {name}, each judged by the caption of another.",
            "scores": {},
        }
        for prompt_set in self.sets:
            drawings, n = of_sets[prompt_set.name], len(prompt_set)
            # One cycle through all of them has no fixed point.
            order = random_stream(1, "permuted").permutation(n)
            other = np.empty(n, dtype="int64")
            other[order] = np.roll(order, 1)
            rows = (np.arange(drawings.seeds_per_prompt)[:, None] * n + other).ravel()
            judge = np.tile(self.judge_of[prompt_set.name], drawings.seeds_per_prompt)
            pictures = drawings.pictures[rows]
            codes = self.judges.encode_image(pictures, judge)
            features = None if drawings.features is None else drawings.features[rows]
            exchanged = Drawings(pictures, codes, features, drawings.seeds_per_prompt)
            found = {}
            for protocol in PERMUTED:
                found |= protocol(self, exchanged, prompt_set)
            entry["scores"][prompt_set.name] = as_dicts(found)
        return entry

    def worst(self, of_sets, file_name):
        """Drawings nearest to training, of prompts not trained on: a report's pairs, and their pictures."""
        found, pictures = [], {}
        for prompt_set in self.sets:
            if prompt_set.trained:
                continue
            beside = self.memorization.compare(of_sets[prompt_set.name].pictures)
            found += [(beside.distances[i], prompt_set, i, beside.nearest[i]) for i in beside.worst(PAIRS)]
        pairs = []
        for k, (distance, prompt_set, i, nearest) in enumerate(sorted(found, key=lambda f: f[0])[:PAIRS]):
            number, prompt = divmod(int(i), len(prompt_set))
            path = f"worst/{file_name}_{k:02}"
            pictures[f"{path}.png"] = of_sets[prompt_set.name].pictures[i]
            pictures[f"{path}_nearest.png"] = self.train.pictures[nearest]
            pairs.append(
                {
                    "prompt": prompt_set.prompts[prompt],
                    "set": prompt_set.name,
                    "seed": SEED_STRIDE * number + prompt,
                    "distance": float(distance),
                    "caption": self.train.captions[nearest][0],
                    "drawing": f"{path}.png",
                    "nearest": f"{path}_nearest.png",
                }
            )
        return pairs, pictures

    def all_codes(self, pictures):
        """By every judge, side by side, of length 1: for distances between sets of pictures."""
        return self.judges.encode_image(pictures) / np.sqrt(len(self.judges.judges))


def as_dicts(estimates):
    """A dict of `Estimate` as reports hold it."""
    return {key: estimate.as_dict() for key, estimate in estimates.items()}


def _file_name(name):
    return "".join(c if c.isalnum() else "_" for c in name)[-60:].strip("_")
