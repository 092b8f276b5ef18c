"""Sending a preset to the Hugging Face Hub: checked first, with its card, in one commit."""

import contextlib
import re
import shutil
import tempfile
from pathlib import Path

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from keras_hub.src.utils import preset_utils

from keras_t2i.presets.cards import ASKED
from keras_t2i.presets.cards import front_matter
from keras_t2i.presets.cards import hub_card
from keras_t2i.presets.errors import PresetError
from keras_t2i.presets.errors import in_one_sentence
from keras_t2i.presets.files import PRESET_FILES
from keras_t2i.presets.files import PresetFiles
from keras_t2i.presets.files import read_text
from keras_t2i.presets.network import unreachable
from keras_t2i.presets.registry import locate
from keras_t2i.presets.registry import registered_class
from keras_t2i.presets.saving import preset_files
from keras_t2i.utils.annotations import Place
from keras_t2i.utils.files import write_text

CARD = preset_utils.README_FILE
OURS = "keras_t2i>"
LICENCE = re.compile(r"LICEN[CS]E(\.\w+)?")
STALE = [*PRESET_FILES, "model_*.weights.h5"]  # of an earlier preset there, unless a new file has the name


def push_preset(
    preset: Place,
    repo: str,
    *,
    license: str | None = None,
    language: str | None = None,
    datasets: list[str] | None = None,
    private: bool | None = None,
    message: str | None = None,
    token: str | None = None,
) -> tuple[str, list[str]]:
    """Send a preset to the Hugging Face Hub, from where `from_preset("hf://user/name")` opens it.

    It is opened here first, as `from_preset` does it, and nothing is sent of what cannot be. Sent are the
    files of the preset, its licence and its card. The card stays as it is, and gets what it lacks: front
    matter, the figures of its table as a model index, how to open it, how to cite it. Where the preset has no
    card, one that is at the hub already stays. Files of an earlier preset there that this one lacks are
    removed. The hub's history keeps what was.

    Args:
        preset: packaged name, or a folder that a `save_to_preset` of this package wrote.
        repo: "user/name" or "organization/name"; made where it is not there.
        license, language: str, as the hub writes them ("cc-by-4.0", "en"), for a card that does not say them.
        datasets: list of str, in the same way.
        private: bool, of a new repository; `None`: as the organization has it, else public.
        message: str, of the commit.
        token: str, of the hub; `None`: `HF_TOKEN`, or that of `hf auth login`.

    Returns:
        `(url, lacking)`: where it is, and which of `ASKED` its card does not say.

    Raises:
        PresetError: there is no such preset, it cannot be opened, or it is not of this package.
        ValueError: `repo` is no such name or holds a model of others; or the card's front matter is no YAML,
            or says something else.
        PermissionError: no token, or one that may not write there.
        ConnectionError: the hub could not be reached, which is said within seconds.
        OSError: the hub refused, with what it said.
    """
    repo, facts = _repository(repo), {"license": license, "language": language, "datasets": datasets}
    if "://" in str(preset):
        raise PresetError(preset, preset_utils.CONFIG_FILE, "it is at a hub already: give a name or a folder")
    files = locate(preset)
    with tempfile.TemporaryDirectory() as folder:  # what is checked is what is sent
        staged = Path(folder)
        for name in [*preset_files(files.folder), *_texts(files.folder)]:
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(files.path(name), staged / name)
        cls, is_task = _check_opens(PresetFiles(files.name, staged))
        own = _card_of(staged)
        hub_card(own, repo, cls, is_task, facts)  # raises before the hub is asked
        if problem := unreachable("hf"):
            raise ConnectionError(f"the network could not be reached: {problem}. Nothing was sent")
        api = huggingface_hub.HfApi(token=_known(token))
        with _refusals(repo):
            api.create_repo(repo, private=private, exist_ok=True)
            there = _card_there(api, repo)
            card = hub_card(own or there, repo, cls, is_task, facts)
            write_text(staged / CARD, card)
            title = message or f"A {cls.__name__} of keras_t2i"
            api.upload_folder(repo_id=repo, folder_path=staged, commit_message=title, delete_patterns=STALE)
    said = front_matter(card)
    return f"{api.endpoint}/{repo}", [key for key in ASKED if not said.get(key)]


def _repository(repo):
    """A name as the hub takes it.

    Raises: ValueError.
    """
    repo = repo.removeprefix("hf://") if isinstance(repo, str) else repo
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise ValueError(f"{repo!r} is no repository of the hub: {' '.join(str(error).split())}") from None
    if "/" not in repo:
        raise ValueError(f'{repo!r} must be "user/name", with the user or organization that it is of')
    return repo


def _texts(folder):
    """The card and the licences beside a preset."""
    return [
        file.name for file in sorted(folder.iterdir()) if file.name == CARD or LICENCE.fullmatch(file.name)
    ]


def _card_of(folder):
    try:
        return (folder / CARD).read_bytes().decode("utf-8") if (folder / CARD).exists() else ""
    except UnicodeDecodeError as error:
        raise ValueError(f"the card of the preset, {CARD}, is no text in UTF-8 ({error})") from None


def _check_opens(files):
    """Open a preset, its text preparation too.

    Returns:
        `(cls, is_task)`: the class that opens it, and whether that is a task.

    Raises: PresetError.
    """
    config = files.json(preset_utils.CONFIG_FILE)
    if not str(config.get("registered_name")).startswith(OURS):
        held = str(config.get("class_name", "another kind of model"))
        raise files.error(preset_utils.CONFIG_FILE, f"it holds a {held:.80}, which is not of keras_t2i")
    is_task = files.has(preset_utils.TASK_CONFIG_FILE)
    parts = [preset_utils.TASK_CONFIG_FILE if is_task else preset_utils.CONFIG_FILE]
    if not is_task and files.has(preset_utils.PREPROCESSOR_CONFIG_FILE):
        parts.append(preset_utils.PREPROCESSOR_CONFIG_FILE)
    try:
        classes = [registered_class(files.json(part), files, part) for part in parts]
        for cls in classes:
            cls.from_preset(str(files.folder))
    except PresetError as error:  # of the copy, which nobody knows by its name
        raise PresetError(files.name, error.file, error.reason) from None
    return classes[0], is_task


def _known(token):
    """The token that counts.

    Raises: PermissionError where there is none.
    """
    token = token or huggingface_hub.get_token()
    if not token:
        raise PermissionError(
            "the hub wants to know who sends: set HF_TOKEN, or run `hf auth login` once, with a token that "
            "may write, from https://huggingface.co/settings/tokens"
        )
    return token


def _card_there(api, repo):
    """The card that a repository has, "" for none.

    Raises: ValueError where there is another's model.
    """
    there = api.list_repo_files(repo)
    with tempfile.TemporaryDirectory() as folder:

        def read(name):
            return read_text(api.hf_hub_download(repo, name, local_dir=folder)) if name in there else ""

        config = read(preset_utils.CONFIG_FILE)
        if config and OURS not in config:
            raise ValueError(f"{repo} holds a model that is not of keras_t2i: choose another name")
        return read(CARD)


@contextlib.contextmanager
def _refusals(repo):
    """Turn what the hub's library raises into one sentence."""
    try:
        yield
    except (PresetError, PermissionError):
        raise
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise PermissionError(
                f"the hub does not let this token write to {repo} ({status}): it must be one that may write, "
                "of a user who owns the name or is of the organization"
            ) from error
        raise OSError(f"the hub refused {repo}: {in_one_sentence(error)}") from error
    except ValueError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except Exception as error:
        raise ConnectionError(f"sending to {repo} failed: {in_one_sentence(error)}. Try again") from error
