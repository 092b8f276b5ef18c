import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_t2i")
class DifferentiableAugmentation(keras.layers.Layer):
    """Random changes through which gradients pass (DiffAugment, arXiv 2006.10738).

    Each picture is moved by a few pixels (white comes in), made a little brighter or darker, and strewn
    with faint noise. An encoder that looks at a picture in this way cannot be pleased by a pattern that
    only works pixel by pixel.

    Args:
        translation: int, pixels, the furthest move in each direction.
        brightness: float, the largest shift, in units of the [-1, 1] range.
        noise: float, standard deviation of the noise.
        seed: int, of this layer's random numbers.

    Call: float `(n, h, w, 3)` in [-1, 1] to float32 of the same shape.
    """

    def __init__(self, translation=3, brightness=0.1, noise=0.05, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.translation, self.brightness, self.noise, self.seed = translation, brightness, noise, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images):
        images = ops.cast(images, "float32")
        n, h, w = ops.shape(images)[0], images.shape[1], images.shape[2]
        # A move is a product with a one-hot matrix for rows and one for columns; 1 - x makes white zero.
        ink = 1.0 - images
        ink = ops.einsum("nij,njwc->niwc", self._moves(n, h), ink)
        ink = ops.einsum("nij,nhjc->nhic", self._moves(n, w), ink)
        random = {"dtype": "float32", "seed": self.seed_generator}
        shift = self.brightness * keras.random.uniform((n, 1, 1, 1), -1.0, 1.0, **random)
        noise = self.noise * keras.random.normal(ops.shape(images), **random)
        return 1.0 - ink + shift + noise

    def _moves(self, n, size):
        by = keras.random.randint(
            (n, 1), -self.translation, self.translation + 1, dtype="int32", seed=self.seed_generator
        )
        place = ops.arange(size, dtype="int32")
        return ops.cast(ops.expand_dims(place + by, -1) == place, "float32")  # no row where it is outside

    def get_config(self):
        return {
            **super().get_config(),
            "translation": self.translation,
            "brightness": self.brightness,
            "noise": self.noise,
            "seed": self.seed,
        }
