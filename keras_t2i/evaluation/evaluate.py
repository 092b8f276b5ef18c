"""The examination of a generator: it draws every prompt, and every measure is taken of what it drew."""

import time
from dataclasses import dataclass

import numpy as np
from PIL import Image
from tqdm import tqdm

from keras_t2i.evaluation.judges.colour_histogram import ColourHistogramEncoder
from keras_t2i.evaluation.judges.imagenet import ImageNetFeatures
from keras_t2i.evaluation.metrics.alignment import clip_score
from keras_t2i.evaluation.metrics.alignment import r_precision
from keras_t2i.evaluation.metrics.distances import cmmd
from keras_t2i.evaluation.metrics.distances import frechet_at
from keras_t2i.evaluation.metrics.distances import kid
from keras_t2i.evaluation.metrics.diversity import diversity
from keras_t2i.evaluation.metrics.manifold import precision_recall_density_coverage
from keras_t2i.evaluation.metrics.memorisation import Memorisation
from keras_t2i.evaluation.metrics.retrieval import cell
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.random_streams import random_stream

SEED = 1000  # a round of drawings starts this far after the one before: no two share a seed
COLUMNS = 16  # prompts that a grid shows
NEIGHBOURS = 5  # of precision and recall
PAIRS = 20  # of drawing and nearest training picture that a report shows


@dataclass
class Drawn:
    """What a generator drew of a set: in whole rounds (seeds), one after another.

    Attributes:
        pictures: uint8 `(rounds * n, s, s, 3)`. features: float32 `(rounds * n, 1280)` or None.
        codes: float32 `(rounds * n, d)`, each by the judge that has not seen the picture asked for.
    """

    pictures: np.ndarray
    codes: np.ndarray
    features: np.ndarray | None
    rounds: int


class Examination:
    """All that is the same for everybody who is examined.

    Args:
        sets, train: of `prompts.load_prompt_sets`; the first set is that of training captions.
        judges: `Judges`.
        rounds: int, drawings of each prompt.
        references: int, real pictures that quality is measured against; none of them is asked for.
        image_size: int, at which ImageNet's features are taken. 128, four times the pictures', is three
            times as fast as 224.
        progress: bool, whether to show bars.
    """

    def __init__(self, sets, train, judges, rounds=4, references=2000, image_size=128, progress=True):
        self.sets, self.train, self.judges, self.rounds = sets, train, judges, rounds
        self.progress = progress
        self.size = train.pictures.shape[1]
        self.features = ImageNetFeatures(image_size)
        self.judge_of = {s.name: judges.unseen_by(s.asked) for s in sets}
        self.pool_codes = {s.name: judges.encode_text(s.trials.pool_captions) for s in sets}
        self.question_codes = {
            s.name: judges.encode_text(s.questions.captions) for s in sets if s.questions.captions
        }
        plain = [phrasings[0] for phrasings in train.captions]
        self.colours = ColourHistogramEncoder.fit(train.pictures, plain, judges.judges[0].preprocessor)
        self.pool_colours = {s.name: self.colours.encode_text(s.trials.pool_captions) for s in sets}
        unseen = [s.asked for s in sets if not s.trained]
        self.memorisation = Memorisation(
            train.pictures,
            np.concatenate([data.pictures for data in unseen]),
            np.concatenate(
                [np.unique(data.groups, return_inverse=True)[1] + 10**6 * i for i, data in enumerate(unseen)]
            ),
        )
        others = np.flatnonzero(~np.isin(train.groups, sets[0].asked.groups))
        order = random_stream(0, "reference").permutation(len(others))[:references]
        self.reference = train.pictures[others[np.sort(order)]]
        self.reference_features = self.features(self.reference, progress=progress)
        self.reference_codes = self._all_codes(self.reference)

    def draw(self, candidate, prompt_set, rounds, with_features=True, **options):
        """`Drawn`: `candidate.generate` is asked for every prompt of the set, `rounds` times."""
        pictures = []
        bar = tqdm(range(rounds), desc=f"{candidate.name}: {prompt_set.name}", disable=not self.progress)
        for i in bar:
            drawn = candidate.generate(prompt_set.prompts, seed=SEED * i, batch_size=64, **options)
            pictures.append(at_size(drawn, self.size))
        pictures = np.concatenate(pictures)
        judge = np.tile(self.judge_of[prompt_set.name], rounds)
        features = self.features(pictures, progress=self.progress) if with_features else None
        return Drawn(pictures, self.judges.encode_image(pictures, judge), features, rounds)

    def examine(self, candidate):
        """Everything about one candidate.

        Args:
            candidate: has `name`, `kind`, `text` and `generate`; where it has `deterministic` (True), it
                draws each prompt once.

        Returns:
            `(entry, pictures, drawn)`: the entry of a report, the pictures that it names, and a dict of
            `Drawn` by set.
        """
        rounds = 1 if getattr(candidate, "deterministic", False) else self.rounds
        entry = {"name": candidate.name, "kind": candidate.kind, "text": candidate.text}
        entry |= {"scores": {}, "grid": {}, "curves": {}, "worst": []}
        pictures, of_sets = {}, {}
        for prompt_set in self.sets:
            drawn = self.draw(candidate, prompt_set, rounds)
            of_sets[prompt_set.name] = drawn
            entry["scores"][prompt_set.name] = self.scores(drawn, prompt_set)
            path = f"grids/{_file_name(candidate.name)}_{_file_name(prompt_set.name)}.png"
            entry["grid"][prompt_set.name] = path
            pictures[path] = grid(drawn, prompt_set)
        start, few = time.perf_counter(), self.sets[-1].prompts[:64]
        candidate.generate(few, seed=0, batch_size=64)
        seconds = (time.perf_counter() - start) / len(few)
        if candidate.kind == "generator":
            entry["seconds_per_picture"] = seconds
            worst, of_worst = self.worst(of_sets, _file_name(candidate.name))
            entry["worst"] = worst
            pictures |= of_worst
        return entry, pictures, of_sets

    def scores(self, drawn, prompt_set):
        """dict of metric to cell `{"value", "low", "high", "n"}`: all of `METRICS` that apply."""
        name, rounds = prompt_set.name, drawn.rounds
        found = self.alignment(drawn.codes, prompt_set, rounds)
        colours = r_precision(
            self.colours.encode_image(drawn.pictures), self.pool_colours[name], prompt_set.trials, rounds
        )
        found["r1_colour"] = colours["r1_random"]
        # Where training has not seen the real pictures of these very prompts, those are what to compare with.
        real = None if prompt_set.trained else prompt_set.asked.pictures
        memorised = self.memorisation.judge(drawn.pictures, real).cells(rounds)
        found["copies"], found["nearer"] = memorised["copies"], memorised["rank_statistic"]
        if drawn.features is not None and rounds > 1:
            varied = diversity(drawn.features, rounds)
            found["diversity"], found["vendi"] = varied["distance"], varied["vendi"]
        if drawn.features is not None and prompt_set.trained:
            found |= self.quality(drawn)
        return found

    def alignment(self, codes, prompt_set, rounds):
        """The part of `scores` that the judges' codes of drawings tell."""
        name, trials = prompt_set.name, prompt_set.trials
        found = r_precision(codes, self.pool_codes[name], trials, rounds)
        own = self.pool_codes[name][np.tile(trials.positions, rounds)]
        found["clip_score"] = cell(clip_score(codes, own), rounds)
        if name in self.question_codes:
            found |= prompt_set.questions.accuracy(codes, self.question_codes[name], rounds)
        return found

    def quality(self, drawn):
        """The part of `scores` that compares distributions with real pictures that were not asked for."""
        first = drawn.features[: len(drawn.features) // drawn.rounds]  # one round: n is the same for all
        n = min(len(first), len(self.reference_features))
        found = {
            "kid": _of_estimate(kid(drawn.features, self.reference_features, drawn.rounds)),
            "frechet": {"value": frechet_at(first, self.reference_features, n), "n": n},
            "cmmd": _of_estimate(cmmd(self._all_codes(drawn.pictures[: len(first)]), self.reference_codes)),
        }
        manifold = precision_recall_density_coverage(first, self.reference_features, NEIGHBOURS)
        return found | {key: {"value": value, "n": len(first)} for key, value in manifold.items()}

    def permuted(self, name, of_sets):
        """The entry of the floor: the drawings of `of_sets`, judged as if each were for another prompt."""
        entry = {
            "name": f"{name}, captions permuted",
            "kind": "floor",
            "text": f"Drawings by {name}, each judged by the caption of another.",
            "scores": {},
        }
        for prompt_set in self.sets:
            drawn, n = of_sets[prompt_set.name], len(prompt_set)
            # One cycle through all of them has no fixed point.
            order = random_stream(1, "permuted").permutation(n)
            other = np.empty(n, dtype="int64")
            other[order] = np.roll(order, 1)
            rows = (np.arange(drawn.rounds)[:, None] * n + other).ravel()
            judge = np.tile(self.judge_of[prompt_set.name], drawn.rounds)
            codes = self.judges.encode_image(drawn.pictures[rows], judge)
            entry["scores"][prompt_set.name] = self.alignment(codes, prompt_set, drawn.rounds)
        return entry

    def worst(self, of_sets, file_name):
        """Drawings nearest to training, of prompts not trained on: a report's pairs, and their pictures."""
        found, pictures = [], {}
        for prompt_set in self.sets:
            if prompt_set.trained:
                continue
            drawn = of_sets[prompt_set.name]
            verdict = self.memorisation.judge(drawn.pictures)
            found += [(verdict.distances[i], prompt_set, i, verdict.nearest[i]) for i in verdict.worst(PAIRS)]
        pairs = []
        for k, (distance, prompt_set, i, nearest) in enumerate(sorted(found, key=lambda f: f[0])[:PAIRS]):
            a_round, prompt = divmod(int(i), len(prompt_set))
            path = f"worst/{file_name}_{k:02}"
            pictures[f"{path}.png"] = of_sets[prompt_set.name].pictures[i]
            pictures[f"{path}_nearest.png"] = self.train.pictures[nearest]
            pairs.append(
                {
                    "prompt": prompt_set.prompts[prompt],
                    "set": prompt_set.name,
                    "seed": SEED * a_round + prompt,
                    "distance": float(distance),
                    "caption": self.train.captions[nearest][0],
                    "drawing": f"{path}.png",
                    "nearest": f"{path}_nearest.png",
                }
            )
        return pairs, pictures

    def _all_codes(self, pictures):
        return self.judges.encode_image(pictures) / np.sqrt(len(self.judges.judges))


def at_size(pictures, size):
    """uint8 `(n, s, s, 3)` brought to `(n, size, size, 3)`: means of what falls together."""
    if pictures.shape[1] == size:
        return pictures
    resized = [Image.fromarray(p).resize((size, size), Image.Resampling.BOX) for p in pictures]
    return np.stack([np.asarray(p) for p in resized])


def shown(prompt_set):
    """Positions of the prompts that a grid shows: spread evenly."""
    return np.linspace(0, len(prompt_set) - 1, min(COLUMNS, len(prompt_set))).astype("int64")


def grid(drawn, prompt_set):
    """Real pictures over those drawn in up to two rounds: uint8 `(h, w, 3)`."""
    few = shown(prompt_set)
    rows = [prompt_set.asked.pictures[few]]
    rows += [drawn.pictures[i * len(prompt_set) + few] for i in range(min(2, drawn.rounds))]
    return make_grid(np.concatenate(rows), columns=len(few), scale=2)


def _of_estimate(estimate):
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}


def _file_name(name):
    return "".join(c if c.isalnum() else "_" for c in name)[-60:].strip("_")
