"""How a generator's figures move with a setting of `generate`: guidance, steps, temperature, best of n."""

from keras_t2i.evaluation.metrics.distances import kid

SHOWN = ("r1_random", "r1_hard", "clip_score")


def curves(examination, candidate, sweeps):
    """One round of drawings for each value of each setting.

    Args:
        examination: `Examination`. Alignment is taken of its second set, which was not trained on, and KID
            of the first.
        candidate: as of `Examination.examine`, whose `generate` takes the settings.
        sweeps: dict of setting to values, such as `Generator.sweeps`.

    Returns:
        A report's curves: `{setting: {"values", "set", "scores": {metric: [float]}}}`.
    """
    trained, asked = examination.sets[:2]
    found = {}
    for setting, values in sweeps.items():
        scores = {key: [] for key in (*SHOWN, "kid")}
        for value in values:
            drawn = examination.draw(candidate, asked, 1, with_features=False, **{setting: value})
            cells = examination.alignment(drawn.codes, asked, 1)
            for key in SHOWN:
                scores[key].append(cells[key]["value"])
            drawn = examination.draw(candidate, trained, 1, **{setting: value})
            scores["kid"].append(kid(drawn.features, examination.reference_features).value)
        found[setting] = {
            "values": list(values),
            "set": f"{asked.name}, KID on {trained.name}",
            "scores": scores,
        }
    return found
