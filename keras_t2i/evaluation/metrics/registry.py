"""Every figure that an evaluation gives: its name, which way is better, and where it comes from."""


def _metric(name, group, better, text, source, form="{:.2f}", scale=1):
    return {
        "name": name,
        "group": group,
        "better": better,
        "format": form,
        "scale": scale,
        "text": text,
        "source": source,
    }


_TELLS = "Share of drawings for which the judge puts the right caption"
_XU = "Xu et al. 2018, arXiv 1711.10485, with a judge outside of training"
_FORCED = "The judge chooses between the caption and the same caption with another"
_PRDC = "Naeem et al. 2020, arXiv 2002.09797"

# In the order of columns; the first is the main one.
METRICS = {
    "r1_random": _metric(
        "R-precision@1", "alignment", "higher", f"{_TELLS} first among 99 random ones.", _XU
    ),
    "r5_random": _metric(
        "R-precision@5", "alignment", "higher", f"{_TELLS} within the first five of 100.", _XU
    ),
    "r1_hard": _metric(
        "R-precision@1, hard",
        "alignment",
        "higher",
        f"{_TELLS} first among 99, those before all that differ in one attribute.",
        _XU,
    ),
    "r5_hard": _metric(
        "R-precision@5, hard", "alignment", "higher", f"{_TELLS} within the first five, as in @1, hard.", _XU
    ),
    "clip_score": _metric(
        "CLIP score",
        "alignment",
        "higher",
        "100 times the cosine of drawing and caption, 0 where it is negative. Depends on the judge.",
        "Hessel et al. 2021, arXiv 2104.08718, equation 1, with weight 100",
        "{:.1f}",
    ),
    "r1_colour": _metric(
        "by colours alone",
        "alignment",
        "neither",
        "R-precision@1 by a judge that sees a colour histogram and nothing else: so much is owed to colour.",
        "ridge regression from word counts",
    ),
    "tone": _metric("skin tone", "attributes", "higher", f"{_FORCED} skin tone.", "forced choice"),
    "colour": _metric("colour", "attributes", "higher", f"{_FORCED} colour.", "forced choice"),
    "hair": _metric("hair", "attributes", "higher", f"{_FORCED} hair.", "forced choice"),
    "style": _metric("style", "attributes", "higher", f"{_FORCED} style.", "forced choice"),
    "hour": _metric("hour", "attributes", "higher", f"{_FORCED} hour on the clock.", "forced choice"),
    "expression": _metric(
        "expression", "attributes", "higher", f"{_FORCED} expression of the face.", "forced choice"
    ),
    "kid": _metric(
        "KID x1000",
        "quality",
        "lower",
        "Distance of the drawings' ImageNet features from those of real pictures that were not asked for; "
        "0 is the same distribution, whatever the number of pictures.",
        "Binkowski et al. 2018, arXiv 1801.01401; EfficientNet-Lite0 at 128 pixels",
        "{:.1f}",
        1000,
    ),
    "frechet": _metric(
        "Frechet distance",
        "quality",
        "lower",
        "Of Gaussians fitted to the same features, always of as many pictures, for it depends on that.",
        "Heusel et al. 2017, arXiv 1706.08500, equation 6",
        "{:.0f}",
    ),
    "cmmd": _metric(
        "CMMD",
        "quality",
        "lower",
        "Distance of the judges' codes of drawings from those of real pictures, under a Gaussian kernel.",
        "Jayasumana et al. 2024, arXiv 2401.09603, with the judges' codes",
        "{:.2f}",
    ),
    "precision": _metric(
        "precision", "quality", "higher", "Share of drawings that lie among real pictures.", _PRDC
    ),
    "recall": _metric(
        "recall", "quality", "higher", "Share of real pictures that lie among drawings.", _PRDC
    ),
    "density": _metric(
        "density",
        "quality",
        "higher",
        "How deep among real pictures the drawings lie; above 1 is possible.",
        _PRDC,
    ),
    "coverage": _metric(
        "coverage", "quality", "higher", "Share of real pictures that have a drawing near.", _PRDC
    ),
    "copies": _metric(
        "copies",
        "memorisation",
        "lower",
        "Share of drawings nearer to a training picture than 5 % of real held-out pictures are. For training "
        "captions a copy is what was asked for.",
        "Carlini et al. 2023, arXiv 2301.13188, with a calibrated threshold",
    ),
    "nearer": _metric(
        "nearer than held-out",
        "memorisation",
        "neither",
        "Probability that a drawing is nearer to training than a real held-out picture is; 0.5: no copying.",
        "Meehan et al. 2020, arXiv 2004.05675",
    ),
    "diversity": _metric(
        "diversity",
        "diversity",
        "neither",
        "Mean distance (1 - cosine of ImageNet features) between drawings of one caption; noise has it too.",
        "pairwise distance among seeds",
        "{:.3f}",
    ),
    "vendi": _metric(
        "different drawings",
        "diversity",
        "neither",
        "How many of a caption's drawings count as different.",
        "Vendi score, Friedman and Dieng 2022, arXiv 2210.02410",
    ),
}
