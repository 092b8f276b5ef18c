"""What a figure means: KID, MIND and the share recognised of real pictures with known damage."""

from functools import partial

import numpy as np

from keras_t2i.evaluation.baselines.damaged import blurred
from keras_t2i.evaluation.baselines.damaged import grained
from keras_t2i.evaluation.baselines.damaged import shifted
from keras_t2i.evaluation.baselines.damaged import through_pixels
from keras_t2i.evaluation.metrics.distances import kid
from keras_t2i.evaluation.metrics.monge import monge_inception_distance
from keras_t2i.models import ConvAutoencoder
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8

AUTOENCODER = "autoencoder_openmoji_32"
TEXT = """Real pictures, damaged on purpose: KID x1000 and MIND of those that the training captions ask for,
against the reference that drawings are measured against; and how many of the single things are recognised
(first draw, ImageNet's features). In brackets 95 % intervals. A generator whose KID is that of grain of 4 may
draw well and leave grain of 4."""


def damages(image_size):
    """dict of name to a function of uint8 pictures `(n, s, s, 3)` to the same."""
    found = {"none": lambda pictures: pictures}
    found |= {f"grain of {level} of 255": partial(grained, level=level) for level in (2, 4, 8, 25)}
    found["blur of half a pixel"] = blurred
    found["moved by a pixel"] = shifted
    autoencoder = ConvAutoencoder.from_preset(AUTOENCODER)
    if autoencoder.encoder.image_size == image_size:
        found[f"through {AUTOENCODER}"] = lambda p: to_uint8(predict_in_batches(autoencoder, to_float(p), 64))
    return found | {f"through {n}x{n} pixels": partial(through_pixels, size=n) for n in (16, 8)}


def calibration(evaluation):
    """A table of a report: a row for each damage, the same for all who are evaluated.

    Args:
        evaluation: `Evaluation`.
    """
    trained, rows = evaluation.sets[0].images.pictures, []
    things = [s for s in evaluation.sets if s.draws]
    for name, damage in damages(evaluation.size).items():
        features = evaluation.features(damage(trained))
        distance = kid(features, evaluation.reference_features)
        value, low, high = (1000 * v for v in (distance.value, distance.low, distance.high))
        monge = monge_inception_distance(features, evaluation.reference_features)
        cells = [f"{value:.1f} ({low:.1f} to {high:.1f})", f"{monge.value:.1f}"]
        cells[1] += f" ({monge.low:.1f} to {monge.high:.1f})"
        for s in things:
            known, first = evaluation.recognition[s.name], s.draws[0]
            drawn = np.zeros((len(s), features.shape[1]), "float32")
            drawn[first] = evaluation.features(damage(s.images.pictures[first]))
            found = known.estimate(known.hits("small", drawn), first)
            cells.append(f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})")
        rows.append([name, *cells])
    header = ["damage", "KID x1000", "MIND", *("recognised" for _ in things)]
    return {"title": "What a figure means", "text": " ".join(TEXT.split()), "header": header, "rows": rows}
