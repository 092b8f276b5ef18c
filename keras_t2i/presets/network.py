"""Presets of hubs: whether the network is there, said within seconds, and what an earlier download left."""

import contextlib
import os
import socket
import threading
import urllib.parse
import urllib.request
from pathlib import Path

from keras_hub.src.utils import preset_utils

from keras_t2i.presets.errors import PresetError
from keras_t2i.presets.errors import in_one_sentence
from keras_t2i.presets.files import PRESET_FILES
from keras_t2i.presets.files import PresetFiles

PATIENCE = 2.5  # seconds for a connection; a name that nobody resolves would take half a minute
HUBS = {  # of a handle's scheme: the variable that names another address, and the address
    "hf": ("HF_ENDPOINT", "https://huggingface.co"),
    "kaggle": ("KAGGLE_API_ENDPOINT", "https://www.kaggle.com"),
    "gs": (None, "https://storage.googleapis.com"),
    "modelscope": (None, "https://www.modelscope.cn"),
}
# Kaggle's and Colab's notebooks hand models over without the network.
NOTEBOOKS = ("KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_DATA_PROXY_URL", "COLAB_RELEASE_TAG")


def fetch(handle):
    """The files of `scheme://...`, downloaded as far as they are not here yet.

    Args:
        handle: str. Without a network a copy of an earlier download is taken.

    Returns:
        `PresetFiles`.

    Raises: PresetError, within seconds where there is no network.
    """
    scheme = handle.split("://")[0].lower()
    problem = unreachable(scheme)
    if problem:
        if folder := _earlier(scheme, handle):
            return PresetFiles(handle, folder)
        raise PresetError(
            handle, preset_utils.CONFIG_FILE, f"the network could not be reached: {problem}. Give a folder"
        )
    config = _download(handle, preset_utils.CONFIG_FILE)
    if config is None:
        raise PresetError(handle, preset_utils.CONFIG_FILE, "the hub does not have it, so it is no preset")
    files = PresetFiles(handle, config.parent)
    for name in PRESET_FILES:
        _download(handle, name)
    for name in files.weight_files():
        _download(handle, name)
    return files


def unreachable(scheme):
    """Why the hub of a scheme cannot be reached, in a few words; "": it can be, or that is not known."""
    if scheme not in HUBS or (scheme == "kaggle" and any(os.environ.get(name) for name in NOTEBOOKS)):
        return ""
    if scheme == "hf" and os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return "HF_HUB_OFFLINE is set"
    variable, address = HUBS[scheme]
    hub = urllib.parse.urlsplit((variable and os.environ.get(variable)) or address)
    proxy = urllib.request.getproxies().get(hub.scheme)
    if proxy and not urllib.request.proxy_bypass(hub.hostname or ""):
        hub = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")

    def connect():
        try:
            port = hub.port or {"http": 80}.get(hub.scheme, 443)
            socket.create_connection((hub.hostname, port), timeout=PATIENCE).close()
            return ""
        except (OSError, ValueError) as error:
            return str(error) or type(error).__name__

    said = _patiently(connect, f"no answer within {PATIENCE:g} seconds")
    return said and f"{hub.hostname}: {said}"


def _patiently(function, otherwise):
    """What a function returns, or something else where it takes too long or fails: a resolver of names has no
    time limit of its own."""
    found = []

    def call():
        with contextlib.suppress(Exception):
            found.append(function())

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return found[0] if found else otherwise


def _download(handle, name):
    """The `Path` of a file of a hub, or `None` where the hub does not have it."""
    try:
        return Path(preset_utils.get_file(handle, name))
    except FileNotFoundError as error:
        if type(error.__cause__).__name__ == "LocalEntryNotFoundError":  # of huggingface_hub: lost on the way
            reason = f"the network could not be reached: {in_one_sentence(error.__cause__)}"
            raise PresetError(handle, name, reason) from error
        return None
    except Exception as error:
        raise PresetError(handle, name, in_one_sentence(error)) from error


def _earlier(scheme, handle):
    """The folder of an earlier download, or `None`."""
    place, config = handle.split("://", 1)[1], preset_utils.CONFIG_FILE
    if scheme == "hf":
        found = _patiently(lambda: preset_utils.huggingface_hub.try_to_load_from_cache(place, config), None)
    elif scheme == "kaggle" and place.count("/") == 4:  # with its version, kagglehub asks nobody
        found = _patiently(lambda: preset_utils.get_file(handle, config), None)
    else:
        found = None
    return Path(found).parent if isinstance(found, str) else None
