"""The evaluation of drawings at a size: are they near the true picture, sharp, and still the same picture?"""

import numpy as np
from tqdm.auto import tqdm

from keras_t2i.data.registry import DATA_SETS
from keras_t2i.data.registry import load_truths
from keras_t2i.evaluation.baselines.enlarging import enlargers
from keras_t2i.evaluation.drawings import at_size
from keras_t2i.evaluation.judges.imagenet import ImageNetFeatures
from keras_t2i.evaluation.metrics.distances import kid
from keras_t2i.evaluation.metrics.rendering import edge_width
from keras_t2i.evaluation.metrics.rendering import rendering_figures
from keras_t2i.models.stages.renderer import Canvas
from keras_t2i.utils.batching import spread
from keras_t2i.utils.images import psnr
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8
from keras_t2i.utils.random_streams import random_stream

TILES = (64, 96, 200)  # pixels of a tile's side, by which a drawing must not differ
FINEST = 16  # of a picture's width: how far from an edge its two sides are looked for

ENLARGED = """Held-out pictures at the generators' size are drawn large. PSNR against the true large
picture in dB / energy of edges as a share of its: 1 is as sharp."""
DRAWN = f"""KID of crops of 224 pixels, one to one, against those of real pictures that were not asked
for, with its 95 % interval; how many pixels wide an edge is; a drawing, its pixels averaged to the
generator's size, against what the generator drew; the largest difference, of 255, between drawings in
tiles of {", ".join(map(str, TILES))} pixels."""


def designs_of(source, data):
    """The design of each picture of a data set by name: array of str; "all" for all of another source."""
    if str(source) not in DATA_SETS:
        return np.full(len(data), "all")
    return np.array([name.split(" ", 1)[1] for name in data.names])


def evenly(data, designs, count):
    """About `count` pictures, as many of each design: `CaptionedImages`, and the designs."""
    kinds, chosen = sorted(set(designs)), []
    for kind in kinds:
        places = np.flatnonzero(designs == kind)
        chosen += list(places[spread(len(places), max(1, count // len(kinds)))])
    return data.take(chosen), designs[chosen]


def enlarged(source, split, data, stage, sizes=(128, 256, 512), count=96, sample=False):
    """True pictures made small, and large again: by filters, by a tracer (where vtracer is installed), by a
    renderer.

    Args:
        source, split, sample: as of `data.registry.load_truths`.
        data: `CaptionedImages` of the split, none of which the renderer has learned from.
        stage: `RendererStage`.
        sizes: ints, pixels of the large pictures' sides.
        count: int, how many pictures.

    Returns:
        A table of a report, a dict of `title`, `text`, `header` and `rows`: a row for each size and design.
    """
    data, designs = evenly(data, designs_of(source, data), count)
    truths, known, rows = load_truths(source, split, data, sample), enlargers(), []
    for size in sizes:
        kept = [i for i, truth in enumerate(truths) if truth.detail >= size]
        if not kept:
            continue
        true = np.stack([truths[i].window(0, 0, 1, size)[..., :3] for i in kept])
        small = data.pictures[kept]
        drawn = {name: enlarge(small, size) for name, enlarge in known.items()}
        drawn["renderer"] = stage.render(small, Canvas.of(size, "white"))
        figures = {name: rendering_figures(true, to_float(pictures)) for name, pictures in drawn.items()}
        groups = dict.fromkeys(["all", *sorted(set(designs[kept]))])
        for design in groups:
            of = (designs[kept] == design) | (design == "all")
            cells = [f"{p[of].mean():.2f} / {e[of].mean():.2f}" for p, e in figures.values()]
            rows.append([str(size), design, str(of.sum()), *cells])
    return {
        "title": "True pictures, small, and large again",
        "text": " ".join(ENLARGED.split()),
        "header": ["pixels", "design", "pictures", *known, "renderer"],
        "rows": rows,
    }


class DrawingsAtSize:
    """What drawings at some sizes are measured beside: windows of real pictures at those sizes.

    KID compares crops of 224 pixels, one to one, at a random place of each picture: at such a size ImageNet's
    features see an edge as it is.

    Args:
        source, split, sample: as of `data.registry.load_truths`.
        asked: `CaptionedImages`, the pictures whose captions are the prompts.
        others: `CaptionedImages`, real pictures that are not asked for.
        sizes: ints, of which those below a crop are compared whole.
        crop: int, pixels.
        progress: bool.
    """

    def __init__(self, source, split, asked, others, sizes=(256, 512), crop=224, sample=False, progress=True):
        self.sizes, self.crop, self.progress = sizes, crop, progress
        self.features = ImageNetFeatures(crop)
        self.asked = asked
        real, reference = (load_truths(source, split, data, sample) for data in (asked, others))
        self.reference = {size: self.features(self.windows(reference, size)) for size in sizes}
        self.rows = [["real pictures", *self.cells(lambda size: self.true(real, size), None)]]

    def true(self, truths, size):
        """Yield the pictures of truths, uint8 `(size, size, 3)`."""
        for truth in truths:
            yield to_uint8(truth.window(0, 0, 1, size)[..., :3])

    def windows(self, truths, size):
        """The crops of truths, uint8 `(n, crop, crop, 3)`."""
        return np.stack([self.cropped(p, i) for i, p in enumerate(self.true(truths, size))])

    def cropped(self, picture, place):
        """A window of a picture at a random place: of picture i of any entry at the same one."""
        most = max(0, len(picture) - self.crop)
        top, left = random_stream(0, "crop", place).integers(most + 1, size=2)
        return picture[top : top + self.crop, left : left + self.crop]

    def cells(self, pictures_at, small):
        """The figures of pictures, `pictures_at(size)` an iterable of uint8 `(size, size, 3)`, drawn from
        `small`, uint8 `(n, s, s, 3)` or `None`: strings."""
        found = []
        for size in self.sizes:
            crops, widths, same = [], [], []
            bar = tqdm(pictures_at(size), desc=f"{size} pixels", disable=not self.progress, leave=False)
            for i, picture in enumerate(bar):
                crops.append(self.cropped(picture, i))
                widths.append(edge_width(to_float(picture), size // FINEST))
                if small is not None:
                    means = at_size(picture[None], small.shape[1])
                    same.append(psnr(to_float(small[i : i + 1]), to_float(means))[0])
            distance = kid(self.features(np.stack(crops)), self.reference[size])
            widths = [width for width in widths if not np.isnan(width)]
            value, low, high = (1000 * v for v in (distance.value, distance.low, distance.high))
            found += [
                f"{value:.0f} ({low:.0f} to {high:.0f})",
                f"{np.median(widths):.1f}" if widths else "-",
                f"{np.mean(same):.1f}" if same else "-",
            ]
        return found

    def add(self, name, stage, small, noise_level=None):
        """Measure pictures that a renderer draws.

        Args:
            name: str, of the row.
            stage: `RendererStage`.
            small: uint8 `(n, s, s, 3)`, what it is given.
            noise_level: float; `None`: the stage's, that of a generator's drawings.
        """
        level = stage.noise_level if noise_level is None else noise_level

        def pictures_at(size):
            for picture in small:
                yield stage.render(picture[None], Canvas.of(size, "white"), level)[0]

        seams = [str(self.seams(stage, small[:4], level, size)) for size in self.sizes]
        cells = self.cells(pictures_at, small)
        self.rows.append([name, *cells, " / ".join(seams)])

    def add_enlarged(self, name, enlarge, small):
        """Measure pictures made large by a function `(pictures, size)`, out of `enlargers()`."""
        self.rows.append([name, *self.cells(lambda size: (enlarge(p[None], size)[0] for p in small), small)])

    def seams(self, stage, small, noise_level, size):
        """By how much, of 255, drawings differ that are drawn in tiles of other sizes, at most."""
        most = 0
        for picture in to_float(small):
            drawn = [
                np.concatenate(list(stage.bands(picture, Canvas.of(size, "white"), noise_level, tile)))
                for tile in TILES
            ]
            most = max(most, *(int(np.abs(drawn[0] - other.astype(int)).max()) for other in drawn[1:]))
        return most

    def table(self):
        """A table of a report: a row for each `add`, after that of the real pictures."""
        columns = ["KID x1000, crops", "edge width", "shrunk, dB"]
        header = ["drawn by", *(f"{size}: {column}" for size in self.sizes for column in columns), "seams"]
        return {
            "title": "Drawings at size",
            "text": " ".join(DRAWN.split()),
            "header": header,
            "rows": [[*row, *["-"] * (len(header) - len(row))] for row in self.rows],
        }


def at_sizes(source, candidates, sets, train, sizes, smoke=False):
    """Tables of a report: drawings at some sizes beside real pictures, and true pictures made large.

    Args:
        source: as of `data.load`.
        candidates: list of `Candidate`. Pictures that nobody drew are made large by the first one's renderer.
        sets, train: of `prompt_sets.load_prompt_sets`.
        sizes: ints, pixels; none: there are no such tables.
        smoke: bool.
    """
    if not sizes:
        return []
    count, renderer = (4 if smoke else 200), candidates[0].generator.renderer
    others = train.take(np.flatnonzero(~np.isin(train.groups, sets[0].images.groups)))
    asked, others = (data.spread(n) for data, n in ((sets[0].images, count), (others, 2 * count)))
    drawings = DrawingsAtSize(source, "train", asked, others, sizes, sample=smoke)
    drawings.add("real pictures, small, and drawn large", renderer, asked.pictures, noise_level=0.0)
    for candidate in candidates:
        small = candidate.generate(asked.plain_captions, seed=0, batch_size=64)
        drawings.add(candidate.name, candidate.generator.renderer, small)
    drawings.add_enlarged(f"{candidates[-1].name}, by Lanczos", enlargers()["Lanczos"], small)
    unseen = sets[-1].images
    true = enlarged(source, "validation", unseen, renderer, sizes, 16 if smoke else 96, sample=smoke)
    return [drawings.table(), true]
