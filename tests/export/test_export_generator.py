"""A generator as a folder: what is drawn from it without Keras is what the generator draws."""

import contextlib

import keras
import numpy as np
import pytest
from PIL import Image
from tiny import tiny_generator
from tiny_diffusion import tiny_diffusion_generator
from tiny_renderer import tiny_stage
from verbs import difference
from verbs import example
from verbs import made
from verbs import said

import keras_t2i_cli
from keras_t2i.export import export_generator
from keras_t2i.export.network import export_network
from keras_t2i.export.packing import pack_weights
from keras_t2i_runtime import Runtime
from keras_t2i_runtime.__main__ import main
from keras_t2i_runtime.networks import Onnx

BACKEND = keras.config.backend()
tensorflow_only = pytest.mark.skipif(BACKEND != "tensorflow", reason="its exporter is the faster one")
PROMPTS = ["a red apple", "a green apple", "clock face"]


@pytest.fixture(scope="module", autouse=True)
def exporters():
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    pytest.importorskip({"torch": "onnxscript", "tensorflow": "tf2onnx"}.get(BACKEND, "no_exporter_of_jax"))


def assert_near(found, wanted):
    assert found.shape == wanted.shape and found.dtype == wanted.dtype == np.uint8
    assert np.abs(found.astype(int) - wanted).max() <= 2


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A generator by diffusion and its renderer, and the same as a `Runtime`."""
    generator, renderer = tiny_diffusion_generator(threshold=0.9), tiny_stage()
    generator = type(generator).from_stages(decoder=generator, renderer=renderer)
    folder = export_generator(generator, tmp_path_factory.mktemp("exported"), renderer, most_steps=4)
    return generator, Runtime.open(folder)


@tensorflow_only
@pytest.mark.parametrize("settings", [{}, {"num_steps": 4, "guidance_scale": 3.0}, {"guidance_scale": 1.0}])
def test_diffusion_is_the_same(exported, settings):
    generator, runtime = exported
    assert_near(
        runtime.generate(PROMPTS, seed=3, **settings), generator.generate(PROMPTS, seed=3, **settings)
    )
    assert_near(runtime.generate(PROMPTS[2], seed=5), generator.generate(PROMPTS[2], seed=5))


@tensorflow_only
@pytest.mark.parametrize("options", [{"size": 40}, {"size": (19, 33), "background": None}])
def test_drawings_at_size_are_the_same(exported, options):
    generator, runtime = exported
    assert_near(
        runtime.generate("a red apple", **options), generator.generate("a red apple", seed=0, **options)
    )


@tensorflow_only
def test_fills_are_as_flat(tmp_path):
    generator = tiny_diffusion_generator(threshold=0.9, smoothing=0.4)
    runtime = Runtime.open(export_generator(generator, tmp_path, most_steps=3))
    wanted = generator.generate(PROMPTS, seed=3)
    assert_near(runtime.generate(PROMPTS, seed=3), wanted)
    runtime.settings["smoothing"] = 0.0
    assert np.abs(runtime.generate(PROMPTS, seed=3).astype(int) - wanted).max() > 9  # it matters


@pytest.mark.parametrize("sizes", [{}, {"detail_filters": 6, "patch_size": 2, "image_size": 16}])
def test_a_draft_is_drawn_once_and_the_same(sizes, tmp_path):
    sizes = {"draft_features": 30, "draft_components": 8, **sizes}
    generator = tiny_diffusion_generator(sizes=sizes, parameterization="x0")
    unet = generator.base.unet
    unet.get_layer("draft_variance").curve.assign([0.05, 0.2, 0.7, 0.1])
    runtime = Runtime.open(export_generator(generator, tmp_path, most_steps=3))
    assert "draft" in runtime.base.dtypes and "text_code" in runtime.draft.dtypes
    seen, draft = [], runtime.draft
    runtime.draft = lambda inputs: seen.append(draft(inputs)) or seen[-1]
    for settings in ({}, {"guidance_scale": 1.0}):
        wanted = generator.generate(PROMPTS, seed=3, **settings)
        assert_near(runtime.generate(PROMPTS, seed=3, **settings), wanted)
    assert len(seen) == 2 and seen[0]["draft"][:3].std() > 0.1 and not seen[0]["draft"][3:].any()
    runtime.draft = lambda inputs: {name: said + 0.5 for name, said in draft(inputs).items()}
    other = runtime.generate(PROMPTS, seed=3, guidance_scale=1.0)
    assert np.abs(other.astype(int) - wanted).max() > 9  # it matters


@tensorflow_only
@pytest.mark.parametrize(
    "options, said",
    [
        ({"num_steps": 5}, "num_steps=5 was not exported; there are 1, 2, 3, 4"),
        ({"temperature": 0.5}, "this generator has no temperature"),
        ({"size": 7}, "size must be 8 or more"),
    ],
)
def test_what_is_not_exported_is_said(exported, options, said):
    with pytest.raises(ValueError, match=said):
        exported[1].generate("a red apple", **options)


@tensorflow_only
def test_a_stage_that_is_not_exported_is_named(tmp_path):
    with pytest.raises(ValueError, match="a LatentDecoder is not exported"):
        export_generator(tiny_diffusion_generator(latent=True), tmp_path)
    with pytest.raises(ValueError, match="a generator with a guide is not exported"):
        export_generator(tiny_diffusion_generator(guide=True), tmp_path)


@tensorflow_only
def test_the_command_writes_what_the_runtime_draws(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [*keras_t2i_cli.sys.path])
    monkeypatch.setattr("sys.argv", ["keras-t2i"])
    generator, folder, file = tiny_generator(), tmp_path / "exported", tmp_path / "apple.png"
    generator.save_to_preset(tmp_path / "preset")
    assert keras_t2i_cli.main(["export", str(tmp_path / "preset"), str(folder)]) == 0
    main([str(folder), "a red apple", str(file), "--seed", "4"])
    assert_near(np.asarray(Image.open(file)), generator.generate("a red apple", seed=4))
    with contextlib.suppress(SystemExit):
        main([str(folder), "a red apple", str(file), "--size", "64"])
        raise AssertionError("there is no renderer")


@pytest.mark.once
@pytest.mark.parametrize("name", ["DiffusionUNet", "Renderer"])
def test_torch_exports_the_same(name, tmp_path):
    import torch

    network = made(name)
    with torch.no_grad():  # a network that was exported so still draws
        export_network(network, tmp_path / "x.onnx", 8)
        wanted = said(network)
    found = Onnx(tmp_path / "x.onnx")(example(network))
    found = [found[key] for key in sorted(found)]
    assert difference(found, wanted) < 1e-4


@pytest.mark.once
def test_weights_take_half_the_room_where_that_changes_none(tmp_path):
    from onnx import TensorProto
    from onnx import helper
    from onnx import numpy_helper

    random = np.random.default_rng(0)
    exact = random.standard_normal((32, 64)).astype("float16").astype("float32")
    weights = {"exact": exact, "rounded": exact + np.float32(1e-4), "large": exact * np.float32(1e5)}
    weights["few"] = exact[0]
    sums = ["x", *(f"{name}_sum" for name in weights)]
    nodes = [helper.make_node("Add", [sums[i], name], [sums[i + 1]]) for i, name in enumerate(weights)]
    of = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [32, 64]) for name in ("x", sums[-1])}
    held = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "sums", [of["x"]], [of[sums[-1]]], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    file = tmp_path / "sums.onnx"
    file.write_bytes(model.SerializeToString())
    before, size = Onnx(file).only({"x": exact}), file.stat().st_size
    pack_weights(file)
    np.testing.assert_array_equal(Onnx(file).only({"x": exact}), before)
    assert size - file.stat().st_size == pytest.approx(exact.nbytes / 2, abs=200)  # of one of them
