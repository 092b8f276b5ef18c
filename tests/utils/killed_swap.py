"""Replaces a set of files for test_files.py, and is killed on the way.

`python killed_swap.py FILES_PY FOLDER SOURCE N` loads the module alone, which takes no time, puts the files
of SOURCE into FOLDER, and ends, as by kill -9, before its Nth step on the file system.
"""

import importlib.util
import os
import shutil
import signal
import sys
from pathlib import Path

STEPS = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "open", "shutil.copyfile"}


def own(folder):
    return [
        name for name in ("index", "weights.h5", "words", "task", "assets/a") if (folder / name).is_file()
    ]


if __name__ == "__main__":
    spec = importlib.util.spec_from_file_location("files", sys.argv[1])
    files = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(files)
    folder, source, left = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])

    def count(event, arguments):
        global left
        if event in STEPS and str(folder) in str(arguments[0]):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(count)
    with files.staged_folder(folder) as staged:
        shutil.copytree(source, staged, dirs_exist_ok=True)
        files.replace_set(folder, staged, own, "index", inert={"note"})
