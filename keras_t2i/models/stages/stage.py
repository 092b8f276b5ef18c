"""What every stage shares: what it needs, what it makes, and how many of them are made."""

import keras

from keras_t2i.models.backbone import Backbone
from keras_t2i.models.inputs import as_seeds
from keras_t2i.models.stages.sampling import Draw
from keras_t2i.models.stages.sampling import rows_of
from keras_t2i.models.stages.sampling import sample_in_batches


class Stage(Backbone):
    """One step of the way from words to a picture: conditions and seeds to an array.

    A subclass says what it is a function of (`consumes`), what it makes (`produces`), which settings a person
    may give (`settings`), and how a batch is made (`sample_batch`). Called as a Keras model it is one
    evaluation of its network.

    Conditions are a dict: "text" (a dict of the text encoder's features, see `TextStage`), "image_embedding"
    (a dict of "image_code" and "image_condition_mask"), "latent", "image", "large_image".
    """

    consumes = ()
    produces = ""
    settings = ()  # names of keyword arguments of `sample_batch` that `Generator.generate` hands on
    sweeps = {}  # settings over which an evaluation draws curves: name to values
    # What else `sample_batch` takes:
    guided = False  # `unconditional`: other conditions, to go away from
    watchable = False  # `on_step`: a function of a sampler's `State`, called after every step
    editable = False  # `noise` and `start`: what to draw from in place of the draws' noise

    def compute_output_spec(self, *args, **kwargs):
        # Shapes are known: a stage within a model need not be traced again.
        return keras.tree.map_structure(lambda x: keras.KerasTensor(x.shape, x.dtype), self.output)

    def check(self, before):
        """See that this stage fits to those before it.

        Args:
            before: dict, the earlier stages by what they produce.

        Raises: ValueError where sizes differ (both are named), or where something it consumes is missing.
        """
        if missing := [name for name in self.consumes if name not in before]:
            raise ValueError(
                f"a {type(self).__name__} needs {' and '.join(missing)}, which no stage produces"
            )

    def resolve(self, **settings):
        """Settings checked, with the preset's own for those that are `None`.

        Raises: TypeError, ValueError where one is of the wrong kind or out of range.
        """
        return settings

    def num_steps_of(self, settings):
        """int, how many network evaluations a batch takes with resolved settings."""
        return 1

    def sample_batch(self, conditions, draws, unconditional=None, update=None, **settings):
        """One batch.

        Args:
            conditions: dict of arrays, or of dicts of arrays, with n rows.
            draws: n `Draw`.
            unconditional: the same, for stages that are `guided`: what to go away from; or `None`.
            update: function to be called after each network evaluation, or `None`.
            **settings: resolved ones.

        Returns:
            Array `(n, ...)`, or a dict of them: the condition that this stage produces.
        """
        raise NotImplementedError

    def shown(self, x, settings):
        """Estimates of a stage that is `watchable`, `(n, ...)`, as they are shown with resolved settings."""
        return x

    def sample(self, conditions, seed=None, batch_size=16, progress=False, unconditional=None, **settings):
        """Any number of samples, each by its conditions, its seed and the settings alone.

        Args:
            conditions, unconditional: as of `sample_batch`.
            seed: int, the first sample's; sample i has `seed + i`. Or one int per sample. `None`: new ones.
            batch_size: int, samples that the network sees at once.
            progress: bool, whether to show a progress bar.
            **settings: as of `sample_batch`; `None` for the preset's.

        Returns:
            What `sample_batch` returns.
        """
        count = len(keras.tree.flatten(conditions)[0])
        draws = [Draw(one) for one in as_seeds(seed, count)]
        settings = self.resolve(**settings)

        def sample_batch(batch):
            here, others = rows_of(conditions, batch.rows), rows_of(unconditional, batch.rows)
            return self.sample_batch(here, batch.draws, others, batch.update, **settings)

        return sample_in_batches(sample_batch, draws, batch_size, self.num_steps_of(settings), progress)


def inputs_like(network):
    """A dict of inputs of a stage's own, as those of the network that it evaluates."""
    return {
        name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
        for name, tensor in network.input.items()
    }
