"""How a generator's figures move with a setting of `generate`: guidance, steps, temperature, best of n."""

from keras_t2i.evaluation.metrics.registry import METRICS


def curves(evaluation, candidate, most=None):
    """One drawing of each prompt for each value of each setting.

    Args:
        evaluation: `Evaluation`. What `METRICS` marks for curves is taken of its first set that was not
            trained on; what does not apply there, as KID, of the very first.
        candidate: `Candidate`; the settings are its generator's `sweeps`.
        most: int, of each setting's values, the first; `None`: all.

    Returns:
        A report's curves: `{setting: {"values", "set", "scores": {metric: [float]}}}`.
    """
    trained, unseen = evaluation.sets[0], next(s for s in evaluation.sets if not s.trained)
    keys = [key for key, metric in METRICS.items() if metric.in_curves]
    found = {}
    for setting, values in candidate.generator.sweeps.items():
        values = values[:most]
        scores = {key: [] for key in keys}
        for value in values:
            drawings = evaluation.draw(candidate, unseen, 1, with_features=False, **{setting: value})
            estimates = evaluation.scores(drawings, unseen, keys)
            drawings = evaluation.draw(candidate, trained, 1, **{setting: value})
            missing = [key for key in keys if key not in estimates]
            estimates |= evaluation.scores(drawings, trained, missing)
            for key in keys:
                scores[key].append(estimates[key].value if key in estimates else None)
        found[setting] = {
            "values": list(values),
            "set": f"{unseen.name}, KID on {trained.name}",
            "scores": scores,
        }
    return found
