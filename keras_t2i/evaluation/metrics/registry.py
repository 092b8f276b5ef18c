"""Every metric that an evaluation takes: name, better side, source, and the protocol that takes it.

A new metric is one file with its function and protocol, and one entry of `METRICS`: the evaluation takes it,
and report, curves and leaderboard show it.
"""

from functools import partial

from keras_t2i.evaluation.metrics import protocols
from keras_t2i.evaluation.metrics.metric import Metric

ATTRIBUTES = "attributes"  # the group whose mean is one column of the leaderboard

_TELLS = "Share of drawings for which the judge puts the right caption"
_XU = "Xu et al. 2018, arXiv 1711.10485, with a judge outside of training"
_r_precision = partial(
    Metric,
    group="alignment",
    better="higher",
    source=_XU,
    protocol=protocols.alignment,
)


def _attribute(name, other):
    return Metric(
        name,
        ATTRIBUTES,
        "higher",
        f"The judge chooses between the caption and the same caption with another {other}.",
        "forced choice",
        protocols.attributes,
        leaderboard="unseen",
    )


_NEAREST = "nearest of 100 by cosine of features, each number of which is standardised"
_recognized = partial(
    Metric,
    group="recognised",
    better="higher",
    source=_NEAREST,
    protocol=protocols.recognition,
)
_NEARER = "Share of drawings nearer to the true picture of their caption than to 99 others of its design"
_BY_COUNT = "by pictures of the concept"
_OFTEN = {"once": "1", "few": "2 to 5", "many": "6 or more"}


def _by_count(key, name, text, source, protocol):
    """Three metrics: of concepts of which training has one picture, a few, or many."""
    return {
        f"{key}_{often}": Metric(
            f"{name}: {number}",
            _BY_COUNT,
            "higher",
            f"{text}; of prompts of whose concept training has {number} pictures, in all designs.",
            source,
            protocol,
        )
        for often, number in _OFTEN.items()
    }


_quality = partial(Metric, group="quality")
_manifold = partial(
    _quality, better="higher", source="Naeem et al. 2020, arXiv 2002.09797", protocol=protocols.manifold
)

# In the order of columns; the first is the main one.
METRICS = {
    "r1_random": _r_precision("R-precision@1", text=f"{_TELLS} first among 99 random ones.", in_curves=True),
    "r5_random": _r_precision("R-precision@5", text=f"{_TELLS} within the first five of 100."),
    "r1_hard": _r_precision(
        "R-precision@1, hard",
        text=f"{_TELLS} first among 99, those before all that differ in one attribute.",
        in_curves=True,
        leaderboard="unseen",
    ),
    "r5_hard": _r_precision("R-precision@5, hard", text=f"{_TELLS} within the first five, as in @1, hard."),
    "clip_score": Metric(
        "CLIP score",
        "alignment",
        "higher",
        "100 times the cosine of drawing and caption, 0 where it is negative. Depends on the judge.",
        "Hessel et al. 2021, arXiv 2104.08718, equation 1, with weight 100",
        protocols.alignment,
        format="{:.1f}",
        in_curves=True,
    ),
    "r1_colour": Metric(
        "by colours alone",
        "alignment",
        "neither",
        "R-precision@1 by a judge that sees a colour histogram and nothing else: so much is owed to colour.",
        "ridge regression from word counts",
        protocols.colors_alone,
    ),
    "recognized": _recognized(
        "recognised",
        text=f"{_NEARER}, in features of ImageNet at 128 pixels. Of the first draw.",
        leaderboard="things",
    ),
    "recognized_aside": _recognized(
        "recognised, kept aside", text=f"{_NEARER}. Of the second draw, by which nothing is chosen."
    ),
    "recognized_large": _recognized(
        "recognised at 224", text=f"{_NEARER}, in features of ImageNet at 224 pixels. Of the first draw."
    ),
    "recognized_tower": _recognized(
        "recognised by our tower",
        text=f"{_NEARER}, in features of the image tower of `dual_encoder_openmoji_32`. Of the first draw.",
    ),
    **_by_count("r1", "R@1", f"{_TELLS} first among 99 random ones", _XU, protocols.alignment_by_count),
    **_by_count("recognized", "recognised", f"{_NEARER}, of both draws", _NEAREST, protocols.recognition),
    "tone": _attribute("skin tone", "skin tone"),
    "colour": _attribute("colour", "colour"),
    "hair": _attribute("hair", "hair"),
    "style": _attribute("style", "style"),
    "hour": _attribute("hour", "hour on the clock"),
    "expression": _attribute("expression", "expression of the face"),
    "kid": _quality(
        "KID x1000",
        better="lower",
        text="Distance of the drawings' ImageNet features from those of real pictures that were not asked "
        "for; 0 is the same distribution, whatever the number of pictures.",
        source="Binkowski et al. 2018, arXiv 1801.01401; EfficientNet-Lite0 at 128 pixels",
        protocol=protocols.kid,
        format="{:.1f}",
        scale=1000,
        in_curves=True,
        leaderboard="trained",
    ),
    "frechet": _quality(
        "Frechet distance",
        better="lower",
        text="Of Gaussians fitted to the same features, always of as many pictures, for it depends on that.",
        source="Heusel et al. 2017, arXiv 1706.08500, equation 6",
        protocol=protocols.frechet,
        format="{:.0f}",
    ),
    "mind": _quality(
        "MIND",
        better="lower",
        text="Mean squared distance of the same features, sorted along random directions; of as many "
        "pictures, for it depends on that.",
        source="Berthet et al. 2026, arXiv 2605.06797",
        protocol=protocols.monge,
        format="{:.1f}",
    ),
    "cmmd": _quality(
        "CMMD",
        better="lower",
        text="Distance of the judges' codes of drawings from those of real pictures, under a Gaussian "
        "kernel.",
        source="Jayasumana et al. 2024, arXiv 2401.09603, with the judges' codes",
        protocol=protocols.cmmd,
    ),
    "precision": _manifold(
        "precision", text="Share of drawings that lie among real pictures.", leaderboard="trained"
    ),
    "recall": _manifold(
        "recall", text="Share of real pictures that lie among drawings.", leaderboard="trained"
    ),
    "density": _manifold(
        "density", text="How deep among real pictures the drawings lie; above 1 is possible."
    ),
    "coverage": _manifold("coverage", text="Share of real pictures that have a drawing near."),
    "copies": Metric(
        "copies",
        "memorisation",
        "lower",
        "Share of drawings nearer to a training picture than 5 % of real held-out pictures are. For training "
        "captions a copy is what was asked for.",
        "Carlini et al. 2023, arXiv 2301.13188, with a calibrated threshold",
        protocols.memorization,
        leaderboard="unseen",
    ),
    "nearer": Metric(
        "nearer than held-out",
        "memorisation",
        "neither",
        "Probability that a drawing is nearer to training than a real held-out picture is; 0.5: no copying.",
        "Meehan et al. 2020, arXiv 2004.05675",
        protocols.memorization,
    ),
    "diversity": Metric(
        "diversity",
        "diversity",
        "neither",
        "Mean distance (1 - cosine of ImageNet features) between drawings of one caption; noise has it too.",
        "pairwise distance among seeds",
        protocols.variety,
        format="{:.3f}",
    ),
    "vendi": Metric(
        "different drawings",
        "diversity",
        "neither",
        "How many of a caption's drawings count as different.",
        "Vendi score, Friedman and Dieng 2022, arXiv 2210.02410",
        protocols.variety,
    ),
}


def leaderboard_columns():
    """The leaderboard's metrics: list of (key, "unseen", "trained" or "things").

    The attributes are one column."""
    shown = ((key, metric) for key, metric in METRICS.items() if metric.leaderboard)
    columns = ((ATTRIBUTES if m.group == ATTRIBUTES else key, m.leaderboard) for key, m in shown)
    return list(dict.fromkeys(columns))
