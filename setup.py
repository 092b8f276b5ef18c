"""What pyproject.toml has no word for: the recipes, beside the package, are installed in it; an index is told
the README without links and pictures that are relative."""

import re
import tomllib
from pathlib import Path

from setuptools import find_namespace_packages
from setuptools import setup

ROOT = Path(__file__).parent
PICTURES = re.compile(r"<!-- pictures -->\n.*?<!-- end of pictures -->\n\n?", re.DOTALL)
RELATIVE = re.compile(r"(!?)\[([^]]*)]\((?![a-z]+:)([^)\s]+)\)")


def for_an_index(readme, repository=None):
    """The README with links and pictures at the repository's address; without one, without them."""
    if repository is None:
        return RELATIVE.sub(r"\2", PICTURES.sub("", readme))
    addresses = {"!": f"{repository}/raw/main", "": f"{repository}/blob/main"}
    return RELATIVE.sub(lambda m: f"{m[1]}[{m[2]}]({addresses[m[1]]}/{m[3].removeprefix('./')})", readme)


if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    setup(
        packages=[*find_namespace_packages(include=["keras_t2i*"]), "keras_t2i.recipes"],
        package_dir={"keras_t2i.recipes": "recipes"},
        py_modules=["keras_t2i_cli"],
        long_description=for_an_index(
            (ROOT / "README.md").read_text("utf-8"), project.get("urls", {}).get("Repository")
        ),
        long_description_content_type="text/markdown",
    )
