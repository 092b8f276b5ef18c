"""The npm packages of the larger data set, and fetching them."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Design:
    """An npm package with one design: its pinned version, size to fetch in MB, licence, makers, and about how
    many named pictures it has."""

    package: str
    version: str
    megabytes: int
    license: str
    makers: str
    pictures: int = 0


DESIGNS = {
    "noto": Design("@iconify-json/noto", "1.2.9", 8, "Apache-2.0", "Noto Emoji by Google", 3700),
    "twemoji": Design(
        "@iconify-json/twemoji", "1.2.5", 3, "CC BY 4.0", "Twemoji by Twitter and others", 3970
    ),
    "fluent flat": Design(
        "@iconify-json/fluent-emoji-flat", "1.2.6", 2, "MIT", "Fluent Emoji Flat by Microsoft", 3145
    ),
    "fluent 3d": Design("@lobehub/fluent-emoji-3d", "1.1.0", 25, "MIT", "Fluent Emoji 3D by Microsoft", 3031),
    "noto v1": Design(
        "@iconify-json/noto-v1", "1.2.5", 8, "Apache-2.0", "the first Noto Emoji by Google", 2120
    ),
    "emojione": Design("@iconify-json/emojione", "1.2.3", 3, "CC BY 4.0", "Emoji One 2.3 by Emoji One", 1770),
    "emojione v1": Design(
        "@iconify-json/emojione-v1", "1.2.3", 11, "CC BY-SA 4.0", "Emoji One 1.5 by Emoji One", 1160
    ),
    "fxemoji": Design("@iconify-json/fxemoji", "1.2.2", 3, "Apache-2.0", "FxEmojis by Mozilla", 660),
}
WORDS = Design("emojibase-data", "17.0.0", 4, "MIT", "names and tags from Emojibase by Miles Johnson")


def packages_folder(cache):
    """Where in the cache the npm packages are kept."""
    return Path(cache) / "downloads" / "npm"


def fetch_packages(designs, folder):
    """Installs the designs' packages, and the words that go with them, into a folder, by the npm client.

    What is there in the pinned version is left alone. No script of a package is run.
    """
    wanted = [DESIGNS[design] for design in designs] + ([WORDS] if designs else [])
    missing = [package for package in wanted if installed_version(folder, package) != package.version]
    if not missing:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            "npm, which fetches the designs, was not found. It comes with Node.js; install that and try "
            "again, or use the data set openmoji, which needs no npm."
        )
    Path(folder).mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund"]
    command += [f"{package.package}@{package.version}" for package in missing]
    print("Running: npm", " ".join(command[1:]))
    if subprocess.run(command, check=False).returncode:
        raise RuntimeError(
            f"npm could not fetch {', '.join(package.package for package in missing)}; it says why above. "
            "Without a network, run this where there is one and copy the folder "
            f"{folder} to this machine."
        )


def installed_version(folder, package):
    """The version of an npm package in a folder, or None."""
    manifest = package_folder(folder, package) / "package.json"
    return json.loads(manifest.read_text(encoding="utf-8"))["version"] if manifest.is_file() else None


def package_folder(folder, package):
    return Path(folder) / "node_modules" / package.package
