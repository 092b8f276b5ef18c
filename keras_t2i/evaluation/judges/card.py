"""The card of a judge's preset."""

CARD = """---
library_name: keras-hub
license: cc-by-sa-4.0
language: en
tags: [keras_t2i]
---
# {name}

A judge of text-to-image pictures at {size} pixels: text and image towers, {architecture} ({parameters:,}
parameters), trained by contrast on half {half} of the pictures
(`keras_t2i.evaluation.judges.evaluator.half_of`).

It only evaluates: never use it in a loss, in guidance, in ranking, or to choose a checkpoint.

```python
from keras_t2i.evaluation.judges.evaluator import Judge

judge = Judge.from_preset("{name}")
```

{found} Made by `recipes/train_evaluator.py`.

## Data

{source}
"""

FOUND = """Among {candidates} captions of pictures of the other half, which it has never seen, the right one
comes first for {at_1:.2f}, within the first five for {at_5:.2f}."""
NOT_TRIED = "The other half holds too few pictures to tell how well it finds the right one."


def judge_card(network, architecture, found, source):
    """Markdown of a judge's card.

    Args:
        network: `Evaluator`.
        architecture: str, a name out of `evaluator.TOWERS`.
        found: `retrieval.Recall` among pictures of the other half.
        source: str, where the pictures come from, licence and attribution.
    """
    return CARD.format(
        name=f"evaluator_{architecture}_{network.image_size}",
        size=network.image_size,
        architecture=architecture,
        parameters=network.count_params(),
        half=network.half,
        found=(FOUND if found.trials else NOT_TRIED).format(
            candidates=round(found.candidates) if found.trials else 0, at_1=found.at_1, at_5=found.at_5
        ),
        source=source,
    )
