"""A small report of made-up figures, for the tests of what is made from one."""

import numpy as np


def metric(name, group, better, form, **other):
    return {"name": name, "group": group, "better": better, "format": form, **other}


def example():
    """A new (report, pictures) each time: two generators, a ceiling, a baseline and a floor on two sets."""
    metrics = {
        "r1_random": metric(
            "R-precision@1", "alignment", "higher", "{:.2f}", text="First.", source="Xu 2018"
        ),
        "tone": metric("Tone", "attributes", "higher", "{:.2f}", text="Skin tone."),
        "hair": metric("Hair", "attributes", "higher", "{:.2f}", text="Hair."),
        "kid": metric(
            "KID", "quality", "lower", "{:.2f}", scale=1000, source="https://arxiv.org/abs/1801.01401."
        ),
        "copies": metric("Copies", "memorisation", "lower", "{:.1%}"),
        "nearer": metric("Rank statistic", "memorisation", "neither", "{:.2f}"),
    }
    values = {  # r1_random, tone, hair, kid, copies, nearer
        "mean picture": ("floor", 0.01, None, None, 0.09, 0.0, 0.5),
        "worse": ("generator", 0.5, 0.4, 0.6, 0.03, 0.015, 0.52),
        "real pictures": ("ceiling", 0.98, 0.9, 1.0, -0.0000001, None, None),
        "nearest caption": ("baseline", 0.6, 0.7, None, 0.01, 1.0, 1.0),
        "better": ("generator", 0.67, 0.5, 0.6, 0.0208, 0.123, 0.6),
    }
    entries = []
    for name, (kind, *row) in values.items():
        scores = {k: {"value": v, "n": 40} for k, v in zip(metrics, row, strict=True)}
        scores["r1_random"] |= {"low": row[0] - 0.01, "high": row[0] + 0.02}
        other = {"r1_random": {"value": row[0] / 2}, "tone": {"value": row[1]}}
        sets = {"training captions": scores, "held-out combinations": other}
        entries.append({"name": name, "kind": kind, "text": f"This is {name}.", "scores": sets})
    rng = np.random.default_rng(0)
    pictures = {
        f"{name}.png": rng.integers(0, 256, (8, 8, 3), dtype="uint8")
        for name in ("grids/real", "grids/better", "worst/0", "worst/0_nearest")
    }
    best, real = entries[4], entries[2]
    best |= {"parameters": 2_040_000, "megabytes": 3.52, "seconds_per_picture": 0.0123}
    best["grid"], real["grid"] = (
        {"training captions": "grids/better.png"},
        {"training captions": "grids/real.png"},
    )
    best["curves"] = {
        "num_steps": {"values": [1, 2, 4, 16], "scores": {"kid": [0.04, 0.03, None, 0.02]}},
        "guidance_scale": {"values": [1, 2, 5], "scores": {"r1_random": [0.2, 0.6, 0.4]}},
    }
    entries[1]["curves"] = {"guidance_scale": {"values": [2, 3], "scores": {"r1_random": [0.3, 0.3]}}}
    best["worst"] = [
        {
            "prompt": "a red apple",
            "set": "held-out combinations",
            "seed": 1000,
            "distance": 0.12,
            "caption": "red apple, black line",
            "drawing": "worst/0.png",
            "nearest": "worst/0_nearest.png",
        }
    ]
    sets = {
        "training captions": {
            "prompts": 10,
            "seeds": 4,
            "text": "Seen in training.",
            "grid_prompts": ["red apple", "green apple"],
        },
        "held-out combinations": {"prompts": 1000, "seeds": 1, "text": "Never seen together."},
    }
    report = {
        "version": 1,
        "created": "2026-09-30T14:05:12Z",
        "package": "0.2.0",
        "backend": "jax",
        "command": "python benchmarks/evaluate.py worse better",
        "smoke": False,
        "prompt_sets": sets,
        "metrics": metrics,
        "entries": entries,
        "tables": [
            {"title": "At size", "text": "How sharp.", "header": ["by", "dB"], "rows": [["a", "20.5"]]}
        ],
    }
    return report, pictures
