"""Presets at a hub: sent by the command and by the generator, opened again, with the card that they had."""

import json
import re
import shutil
import socket
import sys
import time
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import yaml
from huggingface_hub import constants
from local_hub import READER
from local_hub import TOKEN
from local_hub import local_hub
from tiny import tiny_dual_encoder
from tiny import tiny_generator
from tiny import tiny_preprocessor

import keras_t2i_cli
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import PresetError
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.presets import cards
from keras_t2i.presets import network
from keras_t2i.presets.hub import push_preset
from keras_t2i.presets.registry import PACKAGED
from keras_t2i.presets.registry import preset_fingerprint
from keras_t2i.presets.saving import save_preset

pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[1]
CARD = """---
license: mit  # as my pictures
tags: [mine]
---
# My model

It draws what I drew.
"""


@pytest.fixture(scope="module")
def generator():
    return tiny_generator()


@pytest.fixture(scope="module")
def saved(generator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    generator.save_to_preset(folder, card=CARD)
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "copy"))


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with local_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)  # read at import by huggingface_hub, which was
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


def card_at(hub, repo="me/tiny"):
    return hub.repositories[repo].files["README.md"].decode()


def front(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_what_is_pushed_is_opened(hub, saved, generator, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    keras_t2i_cli.main(["push", str(saved), "me/tiny", "--language", "en", "--private"])
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == f"{hub.address}/me/tiny"
    assert said.err.splitlines()[-1].startswith("Its card does not say: datasets.")
    assert len(hub.repositories["me/tiny"].commits) == 2  # that which made it, and one
    assert "private" in json.dumps(hub.created[0])
    there = hub.repositories["me/tiny"].files
    sent = {
        file.relative_to(saved).as_posix(): file.read_bytes() for file in saved.rglob("*") if file.is_file()
    }
    assert {name: there[name] for name in sent if name != "README.md"} == {
        name: content for name, content in sent.items() if name != "README.md"
    }
    assert there.keys() - sent.keys() == {".gitattributes"}
    assert hub.repositories["me/tiny"].large  # the weights went by LFS
    opened = Generator.from_preset("hf://me/tiny")
    for caption in ("a red apple", "clock face: ten-thirty"):
        np.testing.assert_array_equal(opened.generate(caption, seed=1), generator.generate(caption, seed=1))
    assert preset_fingerprint("hf://me/tiny") == preset_fingerprint(saved)


def test_a_download_is_opened_offline(hub, saved, generator, monkeypatch):
    push_preset(saved, "me/tiny")
    Generator.from_preset("hf://me/tiny")
    hub.shutdown()
    hub.server_close()
    asked = len(hub.asked)
    opened = Generator.from_preset("hf://me/tiny")
    np.testing.assert_array_equal(
        opened.generate("a red car", seed=1), generator.generate("a red car", seed=1)
    )
    with pytest.raises(PresetError, match=r"the network could not be reached: 127\.0\.0\.1: ") as refused:
        Generator.from_preset("hf://me/other")
    assert "\n" not in str(refused.value)
    with pytest.raises(ConnectionError, match=r"the network could not be reached: .* Nothing was sent"):
        push_preset(saved, "me/tiny")
    assert len(hub.asked) == asked


def test_no_answer_is_said_within_three_seconds(monkeypatch, saved):
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: time.sleep(60))
    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert network.PATIENCE < 3  # which is waited for, whatever the machine does beside
    monkeypatch.setattr(network, "PATIENCE", 0.2)
    with pytest.raises(PresetError, match="the network could not be reached") as refused:
        Generator.from_preset("hf://nobody/nothing")
    assert "no answer within 0.2 seconds" in str(refused.value) and "\n" not in str(refused.value)
    with pytest.raises(ConnectionError, match=r"no answer within 0\.2 seconds\. Nothing was sent"):
        push_preset(saved, "me/tiny")


def test_the_card_is_kept_and_gets_what_it_lacks(hub, saved):
    assert push_preset(saved, "me/tiny", datasets=["openmoji"])[1] == ["language"]
    card, own = card_at(hub), CARD.split("---\n")
    assert own[1] in card and own[2] in card and (saved / "README.md").read_text() == CARD
    assert front(card) == {
        **{"license": "mit", "tags": ["mine"], "datasets": ["openmoji"]},
        **{"library_name": "keras-hub", "pipeline_tag": "text-to-image"},
    }
    assert card.count('from_preset("hf://me/tiny")') == card.count("@software{keras_t2i,") == 1
    code = re.search("```python\n(.*?)```", card, re.DOTALL)[1]
    found = {}
    exec(code, found)  # it draws
    assert found["picture"].shape == (8, 8, 3)
    # Again, under another name: the section of the hub is replaced.
    copy = saved.parent / "again"
    shutil.copytree(saved, copy)
    (copy / "README.md").write_text(card)
    push_preset(copy, "me/other")
    assert card_at(hub, "me/other") == card.replace("hf://me/tiny", "hf://me/other")


def test_a_card_at_the_hub_stays_where_the_preset_has_none(hub, generator, copy):
    assert (
        generator.push_to_hub("hf://me/tiny", language="en", weights_dtype="float16")
        == f"{hub.address}/me/tiny"
    )
    card = card_at(hub)
    assert card.startswith("---\nlanguage: en\n") and "\n# tiny\n" in card
    hub.repositories["me/tiny"].commits[-1] = {
        **hub.repositories["me/tiny"].files,
        "README.md": (card + "\nWritten at the hub.\n").encode(),
        "model_00000.weights.h5": b"of an earlier preset",
        "picture.png": b"a person's",
    }
    generator.push_to_hub("me/tiny", message="Anew")
    assert card_at(hub) == card + "\nWritten at the hub.\n"
    assert hub.repositories["me/tiny"].messages[-1] == "Anew"
    assert "model_00000.weights.h5" not in hub.repositories["me/tiny"].files
    assert hub.repositories["me/tiny"].files["picture.png"] == b"a person's"
    generator.push_to_hub("me/tiny", card=CARD)
    assert "It draws what I drew." in card_at(hub) and "Written at the hub" not in card_at(hub)


def test_without_large_files(hub, saved):
    """As huggingface_hub sends where hf_xet is installed, of a hub that takes all files as small ones."""
    hub.large = False
    constants.HF_HUB_DISABLE_XET = False  # the fixture puts it back
    push_preset(saved, "me/tiny")
    assert len(hub.repositories["me/tiny"].commits) == 2 and not hub.repositories["me/tiny"].large
    assert type(Generator.from_preset("hf://me/tiny")) is Generator


def test_a_network_with_its_tokenizer(hub, tmp_path):
    preprocessor = tiny_preprocessor()
    encoder = tiny_dual_encoder(preprocessor.tokenizer.vocabulary_size())
    save_preset(encoder, tmp_path / "encoder", preprocessor=preprocessor)
    push_preset(tmp_path / "encoder", "me/encoder", license="mit")
    assert type(DualEncoder.from_preset("hf://me/encoder")) is DualEncoder
    token_ids = TextToImagePreprocessor.from_preset("hf://me/encoder").generate_preprocess(["a red car"])
    np.testing.assert_array_equal(token_ids, preprocessor.generate_preprocess(["a red car"]))
    card = card_at(hub, "me/encoder")
    assert "pipeline_tag" not in front(card) and "from keras_t2i.models import DualEncoder" in card


def test_what_cannot_be_opened_is_not_sent(hub, copy, tmp_path):
    def refused(preset, error, said, repo="me/tiny", **options):
        with pytest.raises(error, match=said) as caught:
            push_preset(preset, repo, **options)
        assert "\n" not in str(caught.value) and str(tmp_path / "cache") not in str(caught.value)
        assert [request for request in hub.asked if request[0] != "GET"] == []

    for repo in ("tiny", "me/", "me/a b", "a/b/c", "me/..", 3):
        refused(copy, ValueError, "is no repository of the hub|must be", repo)
    refused("hf://me/tiny", PresetError, "at a hub already")
    refused("no_such_preset", PresetError, "There is no preset")
    refused(copy, ValueError, "the card says license: mit, not cc0-1.0", license="cc0-1.0")
    weights = (copy / "model.weights.h5").read_bytes()
    (copy / "model.weights.h5").write_bytes(weights[: len(weights) // 2])
    refused(copy, PresetError, f"preset {copy}: file model.weights.h5")
    (copy / "model.weights.h5").write_bytes(weights)
    for text, said in (("---\n[\n---\n", "is no YAML"), ("---\n- a\n---\n", "key: value")):
        (copy / "README.md").write_text(text)
        refused(copy, ValueError, said)
    (copy / "README.md").write_bytes(b"\xff")
    refused(copy, ValueError, "UTF-8")
    (copy / "config.json").write_text(
        '{"registered_name": "keras_hub>BertBackbone", "class_name": "BertBackbone"}'
    )
    refused(copy, PresetError, "it holds a BertBackbone, which is not of keras_t2i")


def test_who_may_not_write_is_told(hub, saved, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", READER)
    with pytest.raises(PermissionError, match=r"does not let this token write to me/tiny \(403\)"):
        push_preset(saved, "me/tiny")
    with pytest.raises(PermissionError, match=r"\(401\)"):
        push_preset(saved, "me/tiny", token="hf_wrong")
    with pytest.raises(PermissionError, match=r"write to you/tiny \(403\)"):
        push_preset(saved, "you/tiny", token=TOKEN)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(PermissionError, match="hf auth login"):
        push_preset(saved, "me/tiny")
    assert hub.repositories == {}


def test_anothers_model_is_not_replaced(hub, saved):
    huggingface_hub.HfApi(token=TOKEN).create_repo("me/bert")
    hub.repositories["me/bert"].files["config.json"] = b'{"model_type": "bert"}'
    with pytest.raises(ValueError, match="me/bert holds a model that is not of keras_t2i"):
        push_preset(saved, "me/bert")
    assert len(hub.repositories["me/bert"].commits) == 1


# Cards


@pytest.mark.parametrize("name", sorted(folder.name for folder in PACKAGED.iterdir()))
def test_cards_of_packaged_presets_are_whole(name):
    text = (PACKAGED / name / "README.md").read_text("utf-8")
    fields = cards.front_matter(text)
    assert {"license", "language", "datasets", "tags", "library_name"} <= fields.keys()
    is_task = (PACKAGED / name / "task.json").exists()
    assert (fields.get("pipeline_tag") == "text-to-image") == is_task
    card = cards.hub_card(text, f"me/{name}", Generator, is_task, {})
    body = text.split("---\n", 2)[2].rstrip()
    assert body in card
    data = huggingface_hub.ModelCard(card).data  # as the hub's own library reads it
    assert data.license == "cc-by-sa-4.0" and data.language == "en"
    assert bool(data.eval_results) == is_task == ("<!-- evaluation: begin -->" in text)


def test_figures_are_those_of_the_table():
    text = (PACKAGED / "diffusion_emoji_32" / "README.md").read_text("utf-8")
    card = huggingface_hub.ModelCard(cards.hub_card(text, "me/d", Generator, True, {}))
    found = {(r.dataset_name, r.metric_name): r.metric_value for r in card.data.eval_results}
    rows = [
        [cell.strip() for cell in row.split("|")[1:-1]] for row in text.splitlines() if row.startswith("| ")
    ]
    header = next(row for row in rows if row[0] == "metric")
    sets = {"training captions", "held-out combinations", "unseen concepts"}
    expected = {}
    for row in rows[rows.index(header) + 1 :]:
        for prompts, cell in zip(header, row, strict=True):
            if prompts in sets and cell != "-":
                expected[prompts, row[0].rstrip(" ↑↓")] = float(cell.split(" (")[0])
    assert found == expected and len(found) > 40
    assert found["held-out combinations", "R-precision@1"] == 0.80


def test_figures_of_a_smoke_run_are_none():
    table = "| metric | all |\n|---|---|\n| CLIP score ↑ | 1,056.3 (55.1 to 57.4) |\n| KID | - |\n"
    (found,) = cards.model_index(table, "a")[0]["results"]
    assert found["metrics"] == [{"type": "clip-score", "name": "CLIP score", "value": 1056.3}]
    assert cards.model_index(table + "\nMeasured. A smoke run: these figures mean nothing.", "a") == []
    assert cards.model_index("# Words\n", "a") == []


def test_front_matter_is_completed_and_never_changed():
    facts = {"license": "mit", "tags": ["ä"], "language": None}
    whole = {"license": "mit", "language": "no", "tags": ["a", "b"]}
    assert cards.front_matter(cards.with_front_matter("# A\n", whole)) == whole  # "no" is Norwegian
    assert cards.with_front_matter("# A\n", {"a": "b"}) == "---\na: b\n---\n# A\n"
    assert cards.with_front_matter("# A\n", facts) == "---\nlicense: mit\ntags: [ä]\n---\n# A\n"
    kept = "---\r\n# mine\r\nlicense: 'cc0-1.0'\r\n---\r\n# A\r\n"
    assert cards.with_front_matter(kept, {"license": "mit"}) == kept
    assert cards.with_front_matter(kept, facts) == kept.replace("'\r\n---", "'\r\ntags: [ä]\r\n---")
    rule = "Words\n---\nmore\n---\n"  # lines of a text, and not of its front
    assert cards.with_front_matter(rule, {"license": "mit"}).endswith(rule)
    assert cards.front_matter("---\n---\n# A\n") == {}


def test_a_training_card_says_what_was_run():
    facts = {"license": "mit", "datasets": ["mine"]}
    card = cards.training_card("", "diffusion", "python a.py --data x", facts, "3 minutes.", "Of me.")
    assert "**Data.** Of me." in card and "    python a.py --data x" in card and "\n# diffusion\n" in card
    own = card.replace("# diffusion\n", "# Mine\n\nWords.\n")
    again = cards.training_card(own, "diffusion", "python b.py", {}, "5 minutes.")
    assert "# Mine\n\nWords.\n" in again and "python b.py" in again and "python a.py" not in again
    assert cards.front_matter(again) == cards.front_matter(card)


def test_the_citation_is_that_of_the_repository():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    text = cards.CITATION.format(version=cited["version"])
    assert f"title = {{{cited['title']}}}" in text and cited["authors"][0]["name"] in text
    assert f"year = {{{str(cited['date-released'])[:4]}}}" in text
    assert cited["version"] == cards.__version__
