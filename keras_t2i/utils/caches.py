"""What is kept on disk to be quick the next time: where, and what JAX compiled."""

import hashlib
import os
import platform
import tempfile
from pathlib import Path

import keras

from keras_t2i.utils.files import expanded

MOST_COMPILED = 2**30  # bytes; what was not used for longest goes first


def cache_dir():
    """The folder of all caches: `KERAS_T2I_CACHE`, or `~/.cache/keras_t2i`, or else a temporary one."""
    try:
        return expanded(os.environ.get("KERAS_T2I_CACHE") or "~/.cache/keras_t2i")
    except RuntimeError:  # no home, as in some containers
        return Path(tempfile.gettempdir(), "keras_t2i")


def keep_compiled():
    """On JAX, keep what it compiles in the folder of caches, for processes to come.

    A first drawing is compiling, mostly. Whoever has chosen a folder for it (`JAX_COMPILATION_CACHE_DIR`)
    keeps theirs; `JAX_ENABLE_COMPILATION_CACHE=false` turns it off. Elsewhere nothing is done.
    """
    if keras.config.backend() != "jax":
        return
    import jax

    if jax.config.jax_compilation_cache_dir is not None:
        return
    folder = cache_dir() / "compiled" / processor()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a home that cannot be written to
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_compilation_cache_max_size", MOST_COMPILED)
    # Opening a preset compiles a hundred small programs: by itself JAX keeps what took a second or more.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def processor():
    """A str for what machine code may be made of: programs for one processor may crash another that shares
    the folder, which JAX does not look at on CPUs."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        flags = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, UnicodeError, StopIteration):
        flags = platform.processor()
    return hashlib.blake2b(f"{platform.machine()} {flags}".encode(), digest_size=8).hexdigest()
