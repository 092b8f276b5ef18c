"""What pyproject.toml has no word for: the recipes, which lie beside the package, are installed in it."""

from setuptools import find_namespace_packages
from setuptools import setup

setup(
    packages=[*find_namespace_packages(include=["keras_t2i*"]), "keras_t2i.recipes"],
    package_dir={"keras_t2i.recipes": "recipes"},
    py_modules=["keras_t2i_cli"],
)
