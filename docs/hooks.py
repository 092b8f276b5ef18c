"""What the site is made of: files of the repository at their own paths, so that links lead where they do."""

from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
CARDS = "keras_t2i/presets/packaged/*/README.md"
FILES = [
    "*.md",
    "LICENSE",
    "NOTICE",
    "docs/*.md",
    "docs/*.png",
    "docs/*.css",
    "docs/notebooks/*.ipynb",
    "examples/keras_io/*.py",
    CARDS,
]
PUBLIC = {  # the reference: of packages that hand their names on the package itself, of others their modules
    "models": ["models/__init__.py"],
    "diffusion": ["diffusion/__init__.py", "diffusion/guidance.py", "diffusion/sampler.py"],
    "layers": ["layers/__init__.py"],
    "data": ["data/__init__.py", "data/registry.py"],
    "objectives": ["objectives/[a-z]*.py"],
    "training": ["training/[a-z]*.py"],
    "evaluation": ["evaluation/[a-z]*.py", "evaluation/metrics/[a-z]*.py", "evaluation/judges/[a-z]*.py"],
    "utils": ["utils/images.py", "utils/gif.py", "utils/random_streams.py"],
}


def on_files(files, config):
    """Replace the files of docs/, which mkdocs takes for the root, and add the pages of the reference."""
    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
    where = {"dest_dir": config.site_dir, "use_directory_urls": config.use_directory_urls}
    for path in sorted(path for pattern in FILES for path in ROOT.glob(pattern)):
        files.append(File(path.relative_to(ROOT).as_posix(), src_dir=str(ROOT), **where))
    for title, patterns in PUBLIC.items():
        modules = sorted(path for pattern in patterns for path in (ROOT / "keras_t2i").glob(pattern))
        names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules]
        text = [f"# {title.capitalize()}", *(f"::: {name.removesuffix('.__init__')}" for name in names)]
        files.append(File.generated(config, f"reference/{title}.md", content="\n\n".join(text)))
    return files
