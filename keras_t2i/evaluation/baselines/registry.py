"""All pseudo-generators that a generator is measured against."""

from keras_t2i.evaluation.baselines.baselines import MeanPicture
from keras_t2i.evaluation.baselines.baselines import NearestCaption
from keras_t2i.evaluation.baselines.baselines import RealPictures
from keras_t2i.evaluation.baselines.damaged import DamagedPictures
from keras_t2i.evaluation.baselines.damaged import through_pixels
from keras_t2i.evaluation.baselines.empirical_denoiser import EmpiricalDenoiserBaseline


def all_baselines(sets, train, encode_text):
    """The ceiling, the same seen through 8x8 pixels, two that are easy, and a floor.

    Args:
        sets, train: of `prompt_sets.load_prompt_sets`.
        encode_text: of `NearestCaption`: a list of n str to float `(n, d)` of length 1.

    Returns:
        list of pseudo-generators.
    """
    every = sets[0].images
    for prompt_set in sets[1:]:
        every = every.joined(prompt_set.images)
    return [
        RealPictures(every),
        DamagedPictures(every, through_pixels, "through 8x8 pixels"),
        NearestCaption(train, encode_text),
        EmpiricalDenoiserBaseline(train),
        MeanPicture(train),
    ]
