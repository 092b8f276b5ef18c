"""Batches of captioned pictures as a pure function of (seed, step)."""

import functools
import hashlib
import itertools
import json
import math
import operator
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_t2i.data.ahead import Ahead
from keras_t2i.data.pictures import StoredPictures
from keras_t2i.data.pictures import identity_of
from keras_t2i.utils.annotations import Array
from keras_t2i.utils.random_streams import random_stream

WORKERS = 2  # threads that read pictures out of files
# Batches larger than the data hold repeats, each with a caption and augmentation of its own. More of each
# picture than this take memory and teach nothing.
LARGEST_REPETITION = 4
ALWAYS_FITTING = 4096  # pictures of a batch, of however few
DISTINCT = 2**17  # captions among which equal ones are made word pieces of once


def fitting_batch(batch_size, pictures):
    """`batch_size`, or what so many pictures allow where it is more; warns then."""
    largest = max(ALWAYS_FITTING, LARGEST_REPETITION * pictures)
    if batch_size <= largest:
        return batch_size
    warnings.warn(
        f"A batch of {batch_size} of {pictures} pictures would hold each many times: it has {largest}",
        stacklevel=3,
    )
    return largest


def _json_of(captions):
    """Iterator of bytes: JSON of a list of lists of str, a picture at a time."""
    before = b"["
    for of_picture in captions:
        yield before + json.dumps(of_picture).encode()
        before = b", "
    yield b"]"


def check_shares(shares, pictures):
    """Raises: ValueError where `shares` is not a finite number above 0 for each picture."""
    if shares.shape != (pictures,) or not np.all(np.isfinite(shares) & (shares > 0)):
        raise ValueError(
            f"`shares` must hold a finite number above 0 for each of the {pictures} pictures, received "
            f"{'some that are not' if shares.shape == (pictures,) else f'shape {shares.shape}'}"
        )


class Pipeline(keras.utils.PyDataset):
    """Feeds `fit` and custom loops; batch `n` can be had without those before it.

    Training batches are always full: passes over the data, each in an order of its own, run into each
    other. Order, caption and augmentation depend on (seed, step) alone, so a run that is interrupted
    and resumed sees what an uninterrupted one sees, on every backend.

    `fit` tells a data set nothing about the number of the epoch and shuffles its batches by default.
    So for the batches of epoch `e` to be steps `e * len(pipeline)` and on, in order, call

    ```python
    model.fit(pipeline, shuffle=False, callbacks=[SetPipelineEpoch(pipeline)])
    ```

    Args:
        data: a `CaptionedImages` with uint8 pictures `(n, s, s, 3)`, in memory or in shards.
        preprocessor: optional, has `generate_preprocess(list of n strings)` -> int `(n, length)`. Called
            once, here, with all captions; without it batches have no `token_ids`.
        batch_size: int. More than 4096 and than 4 times the pictures are made as many, with a warning.
        seed: int, `0 <= seed < 2**64`.
        steps_per_epoch: int, by default as many as one pass over the data takes.
        augmentations: functions `(images, rng) -> images` on uint8 batches, applied in order.
        image_features: dict of arrays with a row for each picture, such as its latent; their rows join the
            batches under these names, whatever augmentations do to the picture.
        caption_features: the same with a row for each caption, all of the first picture first.
        shares: float array `(n,)` above 0, or `None`: a pass then shows each picture in proportion to its
            share, some more than once and some not at all, in place of each once. In training alone.
        training: `False` for validation: in the data's order, each picture once per epoch with its first
            caption and as it is, the last batch perhaps smaller, the same in every epoch.
        workers: int, threads that make the batches of `self[i]` ahead, which are the same with any number; 0:
            none does. `None`: `WORKERS` where the pictures are in shards, none where they are in memory.

    Raises:
        ValueError: if there is no picture, a picture has no caption, or shapes do not fit.
    """

    def __init__(
        self,
        data: Any,
        preprocessor: Any = None,
        batch_size: int = 64,
        seed: int = 0,
        steps_per_epoch: int | None = None,
        augmentations: Sequence[Callable[[Array, np.random.Generator], Array]] = (),
        image_features: Mapping[str, Array] | None = None,
        caption_features: Mapping[str, Array] | None = None,
        shares: Array | None = None,
        training: bool = True,
        workers: int | None = None,
    ) -> None:
        super().__init__()  # without its `workers`: see `Ahead`
        self.data, self.preprocessor = data, preprocessor
        self.batch_size = fitting_batch(int(batch_size), len(data))
        self.seed = seed
        self.augmentations = tuple(augmentations)
        self.image_features, self.caption_features = dict(image_features or {}), dict(caption_features or {})
        self.shares = None if shares is None else np.asarray(shares, "float64")
        self.training = bool(training)
        stored = isinstance(data.pictures, StoredPictures)
        workers = (WORKERS if stored else 0) if workers is None else operator.index(workers)
        self.ahead = Ahead(lambda step: self.batch(step), workers) if workers > 0 else None
        self._check(steps_per_epoch)
        one_pass = math.ceil(len(data) / self.batch_size)
        self.steps_per_epoch = steps_per_epoch or one_pass
        self.start_at(0)
        self.groups = np.asarray(data.groups, dtype="int32")
        self._order = functools.lru_cache(maxsize=4)(self._compute_order)
        # The captions of all pictures, one after the other: picture i owns rows first_captions[i] and on.
        counts = [len(captions) for captions in data.captions]
        self.caption_counts = np.array(counts)
        self.first_captions = np.cumsum([0, *counts[:-1]])
        self.token_table = None if preprocessor is None else self._tokenize(preprocessor)

    def _check(self, steps_per_epoch):
        data = self.data
        shape, dtype = data.pictures.shape, data.pictures.dtype
        if len(data) == 0:
            raise ValueError("The data holds no picture")
        if dtype != "uint8" or len(shape) != 4 or shape[3] != 3:
            raise ValueError(f"Pictures must be uint8 (n, s, s, 3), received {dtype} {shape}")
        for name, captions in zip(data.names, data.captions, strict=True):
            if not captions:
                raise ValueError(f"Picture {name!r} has no caption: give one or leave the picture out")
        if self.batch_size < 1 or (steps_per_epoch is not None and steps_per_epoch < 1):
            raise ValueError(
                "`batch_size` and `steps_per_epoch` must be at least 1, "
                f"received {self.batch_size} and {steps_per_epoch}"
            )
        if not self.training and (self.augmentations or steps_per_epoch or self.shares is not None):
            raise ValueError("training=False takes no augmentations, steps_per_epoch or shares")
        if self.shares is not None:
            check_shares(self.shares, len(data))

        taken = {"images", "groups", "token_ids"}
        num_captions = sum(len(captions) for captions in data.captions)
        for kind, tables, count in (
            ("pictures", self.image_features, len(data)),
            ("captions", self.caption_features, num_captions),
        ):
            for name, rows in tables.items():
                if len(rows) != count or name in taken:
                    raise ValueError(
                        "`image_features` and `caption_features` must hold a row for each of the "
                        f"{count} {kind}, under a name that batches do not have, received {len(rows)} rows "
                        f"of {name!r}"
                    )
            taken |= set(tables)

    def add_image_features(self, features: Mapping[str, Array]) -> None:
        """Let batches have more `image_features`, found after the pipeline was made.

        Raises: ValueError where they have no row for each picture.
        """
        self.image_features |= dict(features)
        if self.ahead:
            self.ahead.forget()
        self._check(None)

    def _tokenize(self, preprocessor):
        captions, table = itertools.chain.from_iterable(self.data.captions), None
        count, first = int(self.caption_counts.sum()), 0
        while some := list(itertools.islice(captions, DISTINCT)):
            distinct = list(dict.fromkeys(some))
            rows = {caption: row for row, caption in enumerate(distinct)}
            token_ids = np.asarray(preprocessor.generate_preprocess(distinct), dtype="int32")
            if table is None:
                table = np.empty((count, token_ids.shape[1]), "int32")
            table[first : first + len(some)] = token_ids[[rows[caption] for caption in some]]
            first += len(some)
        return table

    def _compute_order(self, number):
        stream, n = random_stream(self.seed, "order", number), len(self.data)
        order = stream.permutation(n)
        if self.shares is None:
            return order
        # Systematic sampling: each picture comes as often as its share says, rounded up or down by chance.
        ends = np.cumsum(self.shares[order])
        return stream.permutation(
            order[np.searchsorted(ends / ends[-1], (np.arange(n) + stream.random()) / n)]
        )

    def indices(self, step: int) -> Array:
        """Which pictures the batch of `step` shows: int64 `(b,)`."""
        n, first = len(self.data), step * self.batch_size
        if not self.training:
            first %= len(self) * self.batch_size
            return np.arange(first, min(first + self.batch_size, n))
        passes, places = np.divmod(np.arange(first, first + self.batch_size), n)
        parts = [self._order(int(p))[places[passes == p]] for p in np.unique(passes)]
        return np.concatenate(parts)

    def batch(self, step: int) -> dict[str, Array]:
        """The batch of `step`, counted from 0 over all epochs.

        Returns:
            A dict of NumPy arrays: `images`, uint8 `(b, s, s, 3)`; `groups`, int32 `(b,)`, equal where
            pictures are equal; with a preprocessor `token_ids`, int32 `(b, length)`; rows of `image_features`
            and `caption_features`.
        """
        step = int(step)
        indices = self.indices(step)
        images = self.data.pictures[indices]
        if self.augmentations:
            rng = random_stream(self.seed, "augmentation", step)
            for augment in self.augmentations:
                images = augment(images, rng)
        batch = {"images": images, "groups": self.groups[indices]}
        batch |= {name: rows[indices] for name, rows in self.image_features.items()}
        tables = dict(self.caption_features)
        if self.token_table is not None:
            tables["token_ids"] = self.token_table
        if tables:
            rows_drawn = self.first_captions[indices]
            if self.training:
                draws = random_stream(self.seed, "phrasing", step).random(len(indices))
                rows_drawn = rows_drawn + (draws * self.caption_counts[indices]).astype("int64")
            batch |= {name: rows[rows_drawn] for name, rows in tables.items()}
        return batch

    def fingerprint(self) -> dict[str, str]:
        """Digests of the pictures, captions and word pieces: what a resumed run must find the same.

        Of `image_features` and `caption_features` the names and shapes count: networks computed them, and not
        to the last bit the same at each start.

        Returns:
            dict of strings.
        """
        features = {**self.image_features, **self.caption_features}
        shapes = sorted((name, rows.shape) for name, rows in features.items())
        parts = {
            "pictures": [identity_of(self.data.pictures), self.groups],
            "captions": [_json_of(self.data.captions)],
            "features": [json.dumps(shapes).encode()],
            "word pieces": [] if self.token_table is None else [self.token_table],
        }
        if self.shares is not None:
            parts["shares"] = [self.shares]
        digests = {}
        for name, values in parts.items():
            digest = hashlib.blake2b(digest_size=16)
            for value in values:
                digest.update(b"()" if isinstance(value, Iterator) else str(np.shape(value)).encode())
                for part in value if isinstance(value, Iterator) else [value]:
                    digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
            digests[name] = digest.hexdigest()
        return digests

    def start_at(self, epoch: int) -> None:
        """Makes `self[i]` the batch of step `epoch * len(self) + i`."""
        self.first_step = int(epoch) * len(self)
        self._rounds = 0

    def on_epoch_begin(self):
        # Keras calls this before each epoch and, once per fit, before it looks at the shapes.
        self._rounds += 1
        if self._rounds == 3 and self.training:
            warnings.warn(
                f"These are again the batches of steps {self.first_step} and on. For new ones in each epoch, "
                "call fit(pipeline, shuffle=False, callbacks=[SetPipelineEpoch(pipeline)])",
                stacklevel=2,
            )

    def __len__(self) -> int:
        return self.steps_per_epoch

    def __getitem__(self, index):
        step = self.first_step + int(index)
        if self.ahead is None:
            return self.batch(step)
        # Behind a training epoch the next one follows; validation ends.
        last = step + self.ahead.most if self.training else self.first_step + len(self) - 1
        return self.ahead(step, last)


class SetPipelineEpoch(keras.callbacks.Callback):
    """Tells a `Pipeline` which epoch begins, so that each epoch of `fit` goes on where the last ended.

    It needs no state: `fit(initial_epoch=k)`, and a resume that sets the epoch, get the steps of epoch k.
    `fit` asks for an epoch's first batch only after this callback, on every backend; what it peeked at
    before, to learn shapes, it throws away.

    Args:
        pipeline: the `Pipeline` that `fit` is given as its `x`.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__()
        self.pipeline = pipeline

    def on_train_begin(self, logs=None):
        steps = self.params.get("steps")
        if steps != len(self.pipeline):
            # Keras would carry the rest of one epoch's batches over into the next.
            raise ValueError(
                f"`fit` runs {steps} steps per epoch and the pipeline has {len(self.pipeline)}: "
                "give `steps_per_epoch` to the Pipeline, not to `fit`"
            )

    def on_epoch_begin(self, epoch, logs=None):
        self.pipeline.start_at(epoch)
