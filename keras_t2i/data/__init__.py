from keras_t2i.data.balance import concept_shares
from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.emoji.designs import load_emoji
from keras_t2i.data.emoji.openmoji import load_openmoji
from keras_t2i.data.folder.captioned_folder import load_captioned_folder
from keras_t2i.data.leaving_out import leave_out_groups
from keras_t2i.data.pipeline import Pipeline
from keras_t2i.data.pipeline import SetPipelineEpoch
from keras_t2i.data.registry import load
from keras_t2i.data.sharded.preparing import prepare_shards

__all__ = [
    "CaptionedImages",
    "Pipeline",
    "SetPipelineEpoch",
    "concept_shares",
    "leave_out_groups",
    "load",
    "load_captioned_folder",
    "load_emoji",
    "load_openmoji",
    "prepare_shards",
]
