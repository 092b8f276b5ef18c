"""All networks that turn words into a picture, as a list of stages."""

import keras

from keras_t2i.models.backbone import Backbone
from keras_t2i.models.stages.cascade import stage_of


@keras.saving.register_keras_serializable(package="keras_t2i")
class TextToImageBackbone(Backbone):
    """Stages one after the other: each takes what earlier ones made, and adds one thing.

    Args:
        stages: list of `Stage`: a `TextStage` first, perhaps a `PriorStage`, then what makes an image, and
            perhaps an `UpsamplerStage` and a `RendererStage`, which draw it larger and at any size.

    Call: one evaluation of every stage, each on its own inputs: `{"text_token_ids": ...}`, keys being what a
    stage produces and its input's name, to a dict of outputs by what stages produce.

    Raises: ValueError where stages do not fit to each other, or none makes an image.
    """

    nested = ("stages",)

    def __init__(self, stages, dtype=None, **kwargs):
        stages = list(stages)
        check_stages(stages)
        # === Functional model ===
        inputs, outputs = {}, {}
        for stage in stages:
            own = keras.tree.map_structure(
                lambda x, stage=stage: keras.Input(
                    x.shape[1:], dtype=x.dtype, name=f"{stage.produces}_{x.name}"
                ),
                stage.input,
            )
            outputs[stage.produces] = stage(own)
            inputs |= {tensor.name: tensor for tensor in keras.tree.flatten(own)}
        super().__init__(inputs=inputs, outputs=outputs, dtype=dtype, **kwargs)

        # === Config ===
        self.stages = stages

    @property
    def dual_encoder(self):
        return stage_of(self.stages, "text").dual_encoder


def check_stages(stages):
    """Raise a ValueError, which names both, where a stage does not fit to those before it."""
    before = {}
    for stage in stages:
        stage.check(before)
        before[stage.produces] = stage
    if "image" not in before:
        raise ValueError("the last stage must make an image")
