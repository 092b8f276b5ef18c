"""A report's pictures: grids beside the real ones, and drawings beside their nearest training picture."""

import base64
import io
from html import escape

from PIL import Image

from keras_t2i.evaluation.report.html_parts import name_html
from keras_t2i.evaluation.report.values import sorted_entries
from keras_t2i.evaluation.report.values import with_kind

GRID_WIDTH = 560  # CSS pixels that a grid may fill before it is shown at its own size
PAIR_WIDTH = 96


def picture_tag(pictures, path, alt, width):
    """`<img>` of uint8 `(h, w, 3)` as a data URI, enlarged by a whole number to at most `width` CSS pixels.

    A path that is not in `pictures` is named instead.
    """
    if pictures.get(path) is None:
        return f'<span class="missing">{escape(path)} is missing</span>'
    image = Image.fromarray(pictures[path])
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    times = max(1, width // image.width)
    size = f'width="{image.width * times}" height="{image.height * times}"'
    return f'<img src="data:image/png;base64,{data}" {size} alt="{escape(alt)}">'


def grids(report, pictures):
    """For each set of prompts the entries' grids side by side, the real pictures first; "" without any."""
    sections = []
    for name, about in report["prompt_sets"].items():
        figures = []
        for entry in sorted_entries(report, name):
            path = (entry.get("grid") or {}).get(name)
            if path:
                what = "Real pictures" if entry["kind"] == "ceiling" else f"Drawn by {entry['name']}"
                image = picture_tag(pictures, path, f"{what}: {name}", GRID_WIDTH)
                figures.append(
                    f"<figure>{image}<figcaption>{name_html(with_kind(entry))}</figcaption></figure>"
                )
        if figures:
            prompts = escape("; ".join(about.get("grid_prompts") or []))
            told = f"<details><summary>The prompts, from left to right</summary><p>{prompts}.</p></details>"
            sections.append(
                f'<h3>{escape(name)}</h3><div class="grids">{"".join(figures)}</div>{told if prompts else ""}'
            )
    return "".join(sections)


def nearest_pairs(report, pictures):
    """For each entry its drawings that come nearest to a training picture, beside that picture."""
    sections = []
    for entry in report["entries"]:
        pairs = [_pair(pair, pictures) for pair in entry.get("worst") or []]
        if pairs:
            sections.append(
                f"<details open><summary>{name_html(entry['name'])}: the {len(pairs)} nearest</summary>"
                f'<div class="pairs">{"".join(pairs)}</div></details>'
            )
    text = """<p>Left what was drawn, right the training picture that is nearest to it. A generator that
copies shows the same picture twice; one that learned draws pictures that only resemble each other.</p>"""
    return text + "".join(sections) if sections else ""


def _pair(pair, pictures):
    prompt, caption, distance = pair.get("prompt") or "", pair.get("caption") or "", pair.get("distance")
    drawing = picture_tag(pictures, pair["drawing"], f"Drawing: {prompt}", PAIR_WIDTH)
    nearest = picture_tag(pictures, pair["nearest"], f"Training picture: {caption}", PAIR_WIDTH)
    where = [] if distance is None else [f"distance {distance:.3g}"]
    where += [pair["set"]] if pair.get("set") else []
    where += [] if pair.get("seed") is None else [f"seed {pair['seed']}"]
    return (
        f'<figure class="pair"><div>{drawing}{nearest}</div><figcaption><b>{escape(prompt)}</b>'
        f"<br>nearest: {escape(caption)}<br><small>{escape(', '.join(where))}</small></figcaption></figure>"
    )
