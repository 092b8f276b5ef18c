"""A tiny preset that takes steps, on disk; and no way out of this machine."""

import ipaddress
import re
import socket

import pytest
from tiny_diffusion import tiny_diffusion_generator
from tiny_renderer import tiny_stage

from keras_t2i.models import Generator


@pytest.fixture(scope="session")
def tiny_preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "tiny"
    generator = Generator.from_stages(decoder=tiny_diffusion_generator(), renderer=tiny_stage())
    generator.save_to_preset(folder)
    return str(folder)


@pytest.fixture
def asked(monkeypatch):
    """list of addresses outside of this machine that anything here tried to reach: each is refused."""
    found, connect = [], socket.socket.connect

    def refuse(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            try:
                here = ipaddress.ip_address(address[0]).is_loopback
            except ValueError:
                here = address[0] == "localhost"
            if not here:
                found.append(address)
                raise OSError(f"the page asks {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return found


@pytest.fixture
def serve(monkeypatch, capsys):
    """A function of one that launches a page, to the page's address; it is served until the test ends."""
    gradio = pytest.importorskip("gradio")
    monkeypatch.setattr(gradio.Blocks, "block_thread", lambda self: None)
    monkeypatch.setenv("GRADIO_SERVER_NAME", "127.0.0.1")

    def address(launching):
        launching()
        return re.search(r"http://127\.0\.0\.1:\d+", capsys.readouterr().out)[0]

    yield address
    gradio.close_all(verbose=False)
