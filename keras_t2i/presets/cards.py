"""The card of a preset as a hub reads it: YAML before the text, figures in a model index, how to open it.

What a card holds already stays as it is. The keys are those of https://huggingface.co/docs/hub/model-cards.
"""

import re

import yaml

from keras_t2i._version import __version__
from keras_t2i.utils.marked_sections import with_section

LIBRARY = {"library_name": "keras-hub", "tags": ["keras_t2i", "keras"]}
PIPELINE = "text-to-image"  # the hub's word for what a Generator does
ASKED = ("license", "language", "datasets")  # what nobody but the person can know
FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
CITATION = """@software{{keras_t2i,
  title = {{keras_t2i: pictures from words, learned from scratch, in Keras 3}},
  author = {{{{The keras_t2i authors}}}},
  version = {{{version}}},
  year = {{2026}}
}}"""


def front_matter(text):
    """What the YAML before a card's text says: a dict, empty where there is none.

    Raises: ValueError where it is no YAML, or no list of keys and values.
    """
    found = FRONT.match(text)
    try:
        fields = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError as error:
        raise ValueError(
            f"the card's front matter, between two lines of ---, is no YAML ({' '.join(str(error).split())})"
        ) from None
    if not isinstance(fields, dict | None):
        raise ValueError(
            "the card's front matter, between two lines of ---, must be of the form `key: value`"
        )
    return fields or {}


def with_front_matter(text, facts):
    """A card whose front matter has all of these keys. Those that it has already keep their values.

    Args:
        text: str, Markdown.
        facts: dict, key to value; what is empty or `None` is left out.

    Raises: ValueError as of `front_matter`.
    """
    there, found = front_matter(text), FRONT.match(text)
    missing = {key: value for key, value in facts.items() if key not in there and value not in (None, "", [])}
    if not missing:
        return text
    added = "".join(_as_yaml(key, value) for key, value in missing.items())
    if not found:
        return f"---\n{added}---\n{text}"
    line = "\r\n" if "\r\n" in found[0] else "\n"
    return text[: found.end(1)] + added.replace("\n", line) + text[found.end(1) :]


def model_index(text, name):
    """The figures of a card's table of metrics, which `evaluation.report.tables.card_section` writes.

    Args:
        text: str, a card.
        name: str, of the model.

    Returns:
        list, the value of `model-index`; empty where there is no such table, or it is of a smoke run.
    """
    table = re.search(
        r"^\| metric \|.*\n\|[-| ]+\|\n((?:\|.*\n?)+)", text.replace("\r\n", "\n"), re.MULTILINE
    )
    if not table or "A smoke run: these figures mean nothing." in text:
        return []
    header = _cells(table[0].splitlines()[0])
    rows = [_cells(row) for row in table[1].splitlines()]
    kinds = front_matter(text).get("datasets") or ["unknown"]
    kind = str(kinds[0] if isinstance(kinds, list) else kinds)
    results = []
    for column, prompts in enumerate(header):
        # Beside each set stands a column of its floor and ceiling, which are others' figures.
        if column == 0 or re.fullmatch("(floor|ceiling)(, ceiling)?", prompts):
            continue
        metrics = []
        for row in rows:
            metric = row[0].rstrip(" ↑↓")
            if value := NUMBER.match(row[column]):
                slug = re.sub(r"\W+", "-", metric.lower()).strip("-")
                metrics.append({"type": slug, "name": metric, "value": float(value[0].replace(",", ""))})
        if metrics:
            dataset = {"name": prompts, "type": kind}
            results.append({"task": {"type": PIPELINE}, "dataset": dataset, "metrics": metrics})
    return [{"name": name, "results": results}] if results else []


def hub_card(text, repo, cls, is_task, facts):
    """A card as it is sent to a hub.

    Args:
        text: str, the card there is; "" for none.
        repo: str, "user/name".
        cls: class that opens the preset.
        is_task: bool, whether it is a `Generator`.
        facts: dict of those of `ASKED` that are known.

    Returns:
        str: the text, with front matter, and at its end how to open it from the hub, and how to cite it.

    Raises: ValueError as of `front_matter`, and where the card says something else than `facts`.
    """
    there, name = front_matter(text), repo.split("/")[1]
    for key, value in facts.items():
        if value and key in there and there[key] not in (value, *([value[0]] if len(value) == 1 else [])):
            raise ValueError(f"the card says {key}: {there[key]}, not {value}: change its README.md instead")
    if not FRONT.sub("", text).strip():
        text += f"# {name}\n"
    text = with_front_matter(text, {**facts, **LIBRARY, "pipeline_tag": PIPELINE if is_task else None})
    if is_task:
        text = with_front_matter(text, {"model-index": model_index(text, name)})
    return with_section(text, "hub", _opening(text, repo, cls, is_task), "the card")


def training_card(text, name, command, facts, about, source=""):
    """A card whose section on training is that of a new run; the rest of it stays.

    Args:
        text: str, the card there is; "" for none.
        name: str, the title of a new card.
        command: str, what was run.
        facts: dict, for the front matter.
        about: str, a sentence of what it cost.
        source: str, where the pictures come from, licence and attribution.
    """
    text = with_front_matter(text or f"# {name}\n", {**facts, **LIBRARY})
    data = f"**Data.** {source}\n\n" if source else ""
    section = f"{data}**Training.** {about} The command:\n\n    {command}"
    return with_section(text, "training", section, "the card")


def _opening(text, repo, cls, is_task):
    module = "keras_t2i.models" if cls.__module__.startswith("keras_t2i.models.") else cls.__module__
    kind = "Generator" if is_task else cls.__name__
    lines = [f"from {module} import {kind}", "", f'{kind.lower()} = {kind}.from_preset("hf://{repo}")']
    if is_task:
        lines.append('picture = generator.generate("a red apple", seed=0)  # uint8 (s, s, 3)')
    snippet = "\n".join(lines)
    section = f"## From the hub\n\nWith the package keras_t2i installed:\n\n```python\n{snippet}\n```"
    # Of the person's own words alone: the section may be there from an earlier time.
    own = re.sub("<!-- hub: begin -->.*?<!-- hub: end -->", "", text, flags=re.DOTALL)
    if re.search(r"^#+ *(citation|cite)|^@\w+\{", own, re.IGNORECASE | re.MULTILINE):
        return section
    return f"{section}\n\n## Citation\n\n```bibtex\n{CITATION.format(version=__version__)}\n```"


def _as_yaml(key, value):
    style = None if isinstance(value, list) else False  # None: lists of words on one line
    options = {"sort_keys": False, "allow_unicode": True, "width": 100, "default_flow_style": style}
    return yaml.safe_dump({key: value}, **options)


def _cells(row):
    return [cell.strip() for cell in row.strip().strip("|").split("|")]
