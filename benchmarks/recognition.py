"""Do drawings show their captions, to the packaged judges? What several benchmarks ask."""

import time

import numpy as np

from keras_t2i.evaluation.metrics.alignment import r_precision

SHOWN = 12  # prompts of the pictures, half of each set


class Recognition:
    """Has generators draw the prompts of both sets and says how many drawings are recognised."""

    def __init__(self, sets, judges):
        self.sets, self.judges = sets, judges
        self.pools = {s.name: judges.encode_text(s.trials.pool_captions) for s in sets}
        self.judge_of = {s.name: judges.unseen_by(s.images) for s in sets}

    def figures(self, generator, **settings):
        """R-precision@1 on each set, with its interval, seconds a picture, and pictures to show."""
        found, shown = [], []
        for prompts in self.sets:
            start = time.perf_counter()
            drawn = generator.generate(prompts.prompts, seed=0, batch_size=64, **settings)
            seconds = (time.perf_counter() - start) / len(drawn)
            codes = self.judges.encode_image(drawn, self.judge_of[prompts.name])
            estimate = r_precision(codes, self.pools[prompts.name], prompts.trials, 1)["r1_random"]
            found.append(f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})")
            places = np.linspace(0, len(drawn) - 1, SHOWN // len(self.sets)).astype(int)
            shown.append(drawn[places])
        return [*found, f"{1e3 * seconds:.0f}"], np.concatenate(shown)
