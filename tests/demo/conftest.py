"""A tiny preset that takes steps, on disk; and no way out of this machine."""

import ipaddress
import socket

import pytest
from tiny_diffusion import tiny_diffusion_generator


@pytest.fixture(scope="session")
def tiny_preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "tiny"
    tiny_diffusion_generator().save_to_preset(folder)
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
