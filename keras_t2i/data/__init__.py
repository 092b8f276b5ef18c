from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.emoji.designs import load_emoji
from keras_t2i.data.emoji.openmoji import load_openmoji
from keras_t2i.data.folder.captioned_folder import load_captioned_folder
from keras_t2i.data.pipeline import Pipeline
from keras_t2i.data.pipeline import SetPipelineEpoch

__all__ = [
    "CaptionedImages",
    "Pipeline",
    "SetPipelineEpoch",
    "load",
    "load_captioned_folder",
    "load_emoji",
    "load_openmoji",
]


def load(source, split, size=32):
    """Captioned pictures of a data set that is known by name, or of a person's own folder.

    Args:
        source: "openmoji" (default set, needs nothing but the installed packages), "emoji" (larger set,
            prepared by `recipes/prepare_data.py`), or a folder as `load_captioned_folder` reads it.
        split: "train" or "validation"; the two sets by name have "test" too.
        size: int, pixels of a picture's side.

    Returns:
        `CaptionedImages`.
    """
    named = {"openmoji": load_openmoji, "emoji": load_emoji}
    return named.get(str(source), lambda split, size: load_captioned_folder(source, split, size))(
        split, size=size
    )
