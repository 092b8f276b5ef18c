import numpy as np
import pytest
from tiny import tiny_dual_encoder
from tiny import tiny_generator
from tiny_diffusion import filled
from tiny_diffusion import tiny_diffusion_generator
from tiny_diffusion import tiny_unclip_generator

from keras_t2i.models import CNNTextEncoder
from keras_t2i.models import ConceptDecoder
from keras_t2i.models import DiffusionStage
from keras_t2i.models import Generator
from keras_t2i.models import OnePassStage
from keras_t2i.models import Prior
from keras_t2i.presets.saving import save_preset

PROMPT = "a red apple"


def nearly(found, expected):
    assert found.shape == expected.shape and np.abs(found.astype(int) - expected).max() <= 1


@pytest.fixture(scope="module")
def unclip():
    return tiny_unclip_generator()


def tiny_prior(code_dim=32, seed=8):
    return filled(Prior(code_dim, width=16, blocks=1, condition_dim=16, whitened_dim=8, num_steps=2), seed)


def text_encoder(tokens, filters=8, code_dim=32):
    return CNNTextEncoder(tokens, 8, 8, filters, blocks=0, hidden_dim=16, code_dim=code_dim)


def test_stages_out_of_presets(unclip, tmp_path):
    """Decoder, prior and text encoder saved apart: together they draw what they did, and are a preset."""
    alone = tiny_unclip_generator(prior=False)
    alone.save_to_preset(tmp_path / "decoder")
    unclip.stage("image_embedding").prior.save_to_preset(tmp_path / "prior")
    unclip.stage("image_embedding").save_to_preset(tmp_path / "prior_stage")
    save_preset(unclip.backbone.dual_encoder, tmp_path / "text", preprocessor=unclip.preprocessor)
    expected = unclip.generate(PROMPT, seed=0)
    assert (alone.generate(PROMPT, seed=0) != expected).any()
    for text, prior in ((None, str(tmp_path / "prior")), (tmp_path / "text", tmp_path / "prior_stage")):
        generator = Generator.from_stages(decoder=tmp_path / "decoder", text_encoder=text, prior=prior)
        kinds = [stage.produces for stage in generator.stages]
        assert kinds == ["text", "image_embedding", "image"]
        nearly(generator.generate(PROMPT, seed=0), expected)
    generator.save_to_preset(tmp_path / "whole")
    nearly(Generator.from_preset(tmp_path / "whole").generate(PROMPT, seed=0), expected)


def test_one_stage_is_swapped(unclip):
    swapped = Generator.from_stages(decoder=unclip, prior=tiny_prior())
    assert swapped.base is unclip.base
    assert (swapped.generate(PROMPT, seed=0) != unclip.generate(PROMPT, seed=0)).any()
    nearly(
        Generator.from_stages(decoder=swapped, prior=unclip).generate(PROMPT, seed=0),
        unclip.generate(PROMPT, seed=0),
    )
    words = text_encoder(unclip.preprocessor.tokenizer.vocabulary_size())
    other = Generator.from_stages(decoder=unclip, text_encoder=words, preprocessor=unclip.preprocessor)
    own = unclip.backbone.dual_encoder
    assert other.backbone.dual_encoder.text_encoder is words
    assert other.backbone.dual_encoder.image_encoder is own.image_encoder


def test_decoders_without_a_prior():
    generator, diffusion = tiny_generator(), tiny_diffusion_generator()
    again = Generator.from_stages(decoder=generator.base.decoder, text_encoder=generator)
    assert type(again.base) is OnePassStage
    nearly(again.generate(PROMPT, seed=0), generator.generate(PROMPT, seed=0))
    assert Generator.from_stages(decoder=generator).base.noise_scale == generator.base.noise_scale
    again = Generator.from_stages(decoder=diffusion)
    assert type(again.base) is DiffusionStage
    nearly(again.generate(PROMPT, seed=0), diffusion.generate(PROMPT, seed=0))
    for decoder in (generator, diffusion):
        with pytest.raises(ValueError, match="a prior makes image concepts, and this"):
            Generator.from_stages(decoder=decoder, prior=tiny_prior())


def test_a_mismatch_names_both_sizes(unclip):
    tokens = unclip.preprocessor.tokenizer.vocabulary_size()
    tools = {"preprocessor": unclip.preprocessor}
    with pytest.raises(ValueError, match="prior's concepts have 16 numbers, the dual encoder's 32"):
        Generator.from_stages(decoder=unclip, prior=tiny_prior(16))
    with pytest.raises(ValueError, match="text encoder ends in 16 numbers, the image encoder in 32"):
        Generator.from_stages(decoder=unclip, text_encoder=text_encoder(tokens, code_dim=16), **tools)
    with pytest.raises(ValueError, match=r"have \(32, 16\) numbers, those that the U-Net takes \(32, 8\)"):
        Generator.from_stages(decoder=unclip, text_encoder=text_encoder(tokens, 16), **tools)
    decoder = ConceptDecoder(8, filters=(8,), blocks=(1,), code_dim=16)
    with pytest.raises(ValueError, match="concepts have 32 numbers, the decoder takes 16"):
        Generator.from_stages(decoder=decoder, text_encoder=unclip)


def test_wrong_stages_are_named(unclip):
    with pytest.raises(ValueError, match=r"upsampler must be .* that makes large_image, got a Generator"):
        Generator.from_stages(decoder=unclip, upsampler=unclip)
    with pytest.raises(ValueError, match=r"decoder must be a preset .* got a Prior"):
        Generator.from_stages(decoder=tiny_prior())
    with pytest.raises(ValueError, match=r"prior must be .* got a DualEncoder"):
        Generator.from_stages(decoder=unclip, prior=tiny_dual_encoder())
    with pytest.raises(ValueError, match="brings no tokenizer"):
        Generator.from_stages(decoder=unclip, text_encoder=tiny_dual_encoder())
    with pytest.raises(ValueError, match="alone needs a DualEncoder"):
        Generator.from_stages(decoder=ConceptDecoder(8, (8,), (1,), 32), preprocessor=unclip.preprocessor)
    with pytest.raises(ValueError, match="no preset 'nowhere'"):
        Generator.from_stages(decoder="nowhere")
