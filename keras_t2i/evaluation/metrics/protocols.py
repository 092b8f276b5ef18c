"""How each metric is taken of drawings: of which of them, on which sets, beside what.

A protocol is a function `(evaluation, drawings, prompt_set)` -> dict of a metric's key to its `Estimate`.
What does not apply to the set, or to these drawings, is left out.

    evaluation: `Evaluation`, what is the same for all who are evaluated.
    drawings: `Drawings` of the set.
    prompt_set: `PromptSet`.
"""

import numpy as np

from keras_t2i.evaluation.metrics import distances
from keras_t2i.evaluation.metrics.alignment import clip_score
from keras_t2i.evaluation.metrics.alignment import r_precision
from keras_t2i.evaluation.metrics.diversity import diversity
from keras_t2i.evaluation.metrics.estimate import Estimate
from keras_t2i.evaluation.metrics.estimate import mean_estimate
from keras_t2i.evaluation.metrics.manifold import precision_recall_density_coverage
from keras_t2i.evaluation.metrics.monge import monge_inception_distance

NEIGHBORS = 5  # of precision and recall
# How many training pictures there are of what is asked: from, and below.
COUNTS = {"once": (1, 2), "few": (2, 6), "many": (6, np.inf)}


def alignment(evaluation, drawings, prompt_set):
    """By the judges' codes of the drawings, which is all that it looks at: is its caption the nearest?"""
    trials, seeds = prompt_set.trials, drawings.seeds_per_prompt
    pool_codes = evaluation.pool_codes[prompt_set.name]
    found = r_precision(drawings.codes, pool_codes, trials, seeds)
    own = pool_codes[np.tile(trials.positions, seeds)]
    return found | {"clip_score": mean_estimate(clip_score(drawings.codes, own), seeds)}


def alignment_by_count(evaluation, drawings, prompt_set):
    """Alignment, of the prompts apart whose concept training has once, a few times, or often."""
    if not prompt_set.trained:
        return {}
    seeds, found = drawings.seeds_per_prompt, {}
    codes = drawings.codes.reshape(seeds, len(prompt_set), -1)
    for key, rows in _by_count(evaluation, prompt_set).items():
        of = codes[:, rows].reshape(seeds * len(rows), -1)
        trials = prompt_set.trials.take(rows)
        found[f"r1_{key}"] = r_precision(of, evaluation.pool_codes[prompt_set.name], trials, seeds)[
            "r1_random"
        ]
    return found


def _by_count(evaluation, prompt_set):
    """dict of a key of `COUNTS` to the positions of such prompts, where there are any."""
    counts = evaluation.concept_counts[prompt_set.name]
    rows = {key: np.flatnonzero((counts >= low) & (counts < high)) for key, (low, high) in COUNTS.items()}
    return {key: found for key, found in rows.items() if len(found)}


def recognition(evaluation, drawings, prompt_set):
    """Of the first draw, and what is named so of the second; by how often training has it, of both."""
    known = evaluation.recognition.get(prompt_set.name)
    if known is None or drawings.features is None:
        return {}
    first, second = prompt_set.draws
    hits = known.hits("small", drawings.features)
    found = {"recognized": known.estimate(hits, first), "recognized_aside": known.estimate(hits, second)}
    for key in ("large", "tower"):
        found[f"recognized_{key}"] = known.estimate(
            known.hits(key, known.features[key](drawings.pictures)), first
        )
    for key, rows in _by_count(evaluation, prompt_set).items():
        found[f"recognized_{key}"] = known.estimate(hits, rows)
    return found


def attributes(evaluation, drawings, prompt_set):
    """By the judges' codes of the drawings, too: forced choices between captions."""
    if prompt_set.name not in evaluation.question_codes:
        return {}
    text_codes = evaluation.question_codes[prompt_set.name]
    return prompt_set.questions.accuracy(drawings.codes, text_codes, drawings.seeds_per_prompt)


def colors_alone(evaluation, drawings, prompt_set):
    """Alignment by a judge that sees nothing but colours."""
    codes = evaluation.color_judge.encode_image(drawings.pictures)
    pool_codes = evaluation.pool_colors[prompt_set.name]
    found = r_precision(codes, pool_codes, prompt_set.trials, drawings.seeds_per_prompt)
    return {"r1_colour": found["r1_random"]}


def memorization(evaluation, drawings, prompt_set):
    """Beside the nearest training pictures, and those of real pictures that training has not seen."""
    # Where training has not seen the real pictures of these very prompts, those are what to compare with.
    real = None if prompt_set.trained else prompt_set.images.pictures
    return evaluation.memorization.compare(drawings.pictures, real).estimates(drawings.seeds_per_prompt)


def variety(evaluation, drawings, prompt_set):
    """Among the drawings of each prompt, where it was drawn by two seeds or more."""
    if drawings.features is None or drawings.seeds_per_prompt < 2:
        return {}
    found = diversity(drawings.features, drawings.seeds_per_prompt)
    return {"diversity": found["distance"], "vendi": found["vendi"]}


def _compares_with_reference(drawings, prompt_set):
    """Whether real pictures of the same kind, which were not asked for, are there to compare with."""
    return drawings.features is not None and prompt_set.trained and not prompt_set.draws


def kid(evaluation, drawings, prompt_set):
    """All drawings beside the reference pictures."""
    if not _compares_with_reference(drawings, prompt_set):
        return {}
    reference = evaluation.reference_features
    return {"kid": distances.kid(drawings.features, reference, drawings.seeds_per_prompt)}


def frechet(evaluation, drawings, prompt_set):
    """One drawing of each prompt beside as many reference pictures."""
    if not _compares_with_reference(drawings, prompt_set):
        return {}
    first, reference = drawings.first(drawings.features), evaluation.reference_features
    n = min(len(first), len(reference))
    return {"frechet": Estimate(distances.frechet_at(first, reference, n), n=n)}


def monge(evaluation, drawings, prompt_set):
    """One drawing of each prompt beside as many reference pictures, as of `frechet`."""
    if not _compares_with_reference(drawings, prompt_set):
        return {}
    return {
        "mind": monge_inception_distance(drawings.first(drawings.features), evaluation.reference_features)
    }


def cmmd(evaluation, drawings, prompt_set):
    """One drawing of each prompt beside the reference pictures, by the codes of all judges."""
    if not _compares_with_reference(drawings, prompt_set):
        return {}
    codes = evaluation.all_codes(drawings.first(drawings.pictures))
    return {"cmmd": distances.cmmd(codes, evaluation.reference_codes)}


def manifold(evaluation, drawings, prompt_set):
    """One drawing of each prompt among the reference pictures, and they among the drawings."""
    if not _compares_with_reference(drawings, prompt_set):
        return {}
    first = drawings.first(drawings.features)
    found = precision_recall_density_coverage(first, evaluation.reference_features, NEIGHBORS)
    return {key: Estimate(value, n=len(first)) for key, value in found.items()}
