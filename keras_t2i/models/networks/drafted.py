"""A U-Net's draft: the rough picture of a caption that it refines, found before training in closed form."""

import keras
import numpy as np


class Drafted:
    """What a network with a draft says of it, and how the draft is found.

    A mixin for a functional model with `draft_features` and `image_code`, whose layers "draft",
    "draft_variance" and "resized_draft" make the draft (`layers.KernelRegression`), say how far off it may be
    (`layers.GuessVariance`) and bring it to the picture's size.
    """

    def adapt_draft(self, codes, pictures, weights=None, ridge=1e-3, seed=0, groupings=()):
        """Before training: find the draft in closed form.

        Args:
            codes: float array `(n, code_dim)`: image codes where there is an `image_code`, else text codes.
            pictures: float array `(n, s, s, channels)` in [-1, 1], or latents, s of `draft_size`.
            weights, ridge, seed, groupings: of `KernelRegression.adapt`.

        Returns: as there: for each grouping, components of drafts that do not know the group's pictures, and
            the doubt.
        Raises: ValueError as there, and where the network has no draft.
        """
        self._check_draft()
        return self.get_layer("draft").adapt(codes, pictures, weights, ridge, seed, groupings)

    def measure_drafts(self, drafts, doubts, pictures):
        """Before training, after `adapt_draft`: find how far drafts, resized, are from their pictures, by
        their doubt, which says how much each counts beside the noisy picture.

        Args:
            drafts, doubts: float arrays `(n, s, s, channels)` and `(n,)`, as `drafts` gives them, and of what
                the draft does not know.
            pictures: float array `(n, image_size, image_size, channels)` of x_0.

        Returns: float64 `(n,)`, mean squared errors.
        Raises: ValueError where the network has no draft.
        """
        self._check_draft()
        resized = keras.ops.convert_to_numpy(self.get_layer("resized_draft")(drafts))
        errors = np.square(resized - pictures).mean(axis=(1, 2, 3), dtype="float64")
        self.get_layer("draft_variance").adapt(doubts, errors)
        return errors

    @property
    def draft_inputs(self):
        """Names of the inputs that the draft is made of: the code, and whether it counts."""
        return draft_inputs(self.image_code)

    @property
    def draft_error(self):
        """float, mean squared error of drafts, as `measure_drafts` found it."""
        return self.get_layer("draft_variance").mean

    def drafts(self, codes, rows=1024):
        """What stands beside the noise for these codes, `(n, code_dim)`: float32 `(n, s, s, channels)`, and
        its doubt, `(n,)`.

        Raises: ValueError where the network has no draft.
        """
        self._check_draft()
        blocks = (np.asarray(codes[i : i + rows], "float32") for i in range(0, len(codes), rows))
        drafts = [self.get_layer("draft")(block, np.ones(len(block), "float32")) for block in blocks]
        return [
            np.concatenate([keras.ops.convert_to_numpy(x) for x in part])
            for part in zip(*drafts, strict=True)
        ]

    def drafts_of(self, components, rows=1024):
        """Drafts, float32 `(n, s, s, channels)`, of their principal components, float `(n, components)`, as
        `adapt_draft` returns them."""
        layer, blocks = self.get_layer("draft"), range(0, len(components), rows)
        drafts = [
            layer.array_of(components[i : i + rows], np.ones(len(components[i : i + rows]), "float32"))
            for i in blocks
        ]
        return np.concatenate([keras.ops.convert_to_numpy(draft) for draft in drafts])

    def with_drafts(self):
        """The same network, of the same layers, that takes drafts and their doubt as inputs too, "draft" and
        "draft_doubt", where this one makes them: a `keras.Model`.

        Raises: ValueError where the network has no draft.
        """
        self._check_draft()
        draft, doubt = self.get_layer("draft").output
        return keras.Model({**self.input, "draft": draft, "draft_doubt": doubt}, self.output)

    def draft_network(self):
        """What makes "draft" and "draft_doubt" of those of this network's inputs that they depend on: a
        `keras.Model` of the same layer.

        Raises: ValueError where the network has no draft.
        """
        self._check_draft()
        draft, doubt = self.get_layer("draft").output
        inputs = {name: self.input[name] for name in self.draft_inputs}
        return keras.Model(inputs, {"draft": draft, "draft_doubt": doubt})

    def draft_of(self, inputs):
        """Draft and doubt, tensors `(n, s, s, channels)` and `(n,)`, of a dict of inputs."""
        return self.get_layer("draft")(*(inputs[name] for name in self.draft_inputs))

    def _check_draft(self):
        if not self.draft_features:
            raise ValueError("this network has no draft: give it draft_features")


def draft_inputs(image_code):
    """Names of the inputs that a draft is made of: the code, and whether it counts."""
    return ("image_code", "image_condition_mask") if image_code else ("text_code", "condition_mask")


def draft_size(image_size, patch_size):
    """Width and height of a draft: two pixels for each place of the first grid, or one for one."""
    return image_size // patch_size * min(patch_size, 2)
