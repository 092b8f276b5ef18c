"""Figures of an evaluation in the cards of the presets that were evaluated."""

from pathlib import Path

import keras_t2i
from keras_t2i.evaluation.report.tables import append_section
from keras_t2i.evaluation.report.tables import card_section
from keras_t2i.utils.files import write_text


def fill_cards(report, candidates, root):
    """Put each generator's figures into its card. Presets of an installed package are left alone.

    Args:
        report: dict, see `report.py`.
        candidates: list of `Candidate`.
        root: path of the repository: presets within it are not those of an installed package.
    """
    for candidate in candidates:
        card = candidate.folder / "README.md"
        packaged = Path(keras_t2i.__file__).parent in card.parents
        checkout = (Path(root) / "pyproject.toml").is_file() and Path(root) in card.parents
        if not candidate.folder.is_dir() or (packaged and not checkout):
            continue
        if not card.exists():
            write_text(card, f"# {candidate.folder.name}\n")
        append_section(card, "evaluation", card_section(report, candidate.name))
