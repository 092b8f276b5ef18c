import threading

import numpy as np
import pytest

from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.stopping import ask
from keras_t2i.utils.stopping import asking

pytestmark = pytest.mark.once


class Doubled:
    """In place of a network."""

    def predict_on_batch(self, inputs):
        return 2 * inputs


def test_work_in_batches_is_stopped_between_two_of_them_and_that_of_other_threads_is_not():
    asked, others = [], []

    def check():
        asked.append(len(asked))
        if len(asked) == 3:
            raise InterruptedError

    def elsewhere():
        others.append(predict_in_batches(Doubled(), np.ones((10, 1)), 2))

    with asking(check):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        with pytest.raises(InterruptedError):
            predict_in_batches(Doubled(), np.ones((10, 1)), 2)
    assert asked == [0, 1, 2]
    (found,) = others
    np.testing.assert_array_equal(found, np.full((10, 1), 2))
    ask()  # outside nobody is asked
    assert len(asked) == 3
