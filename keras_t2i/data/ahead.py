"""Batches made by threads before they are asked for."""

import threading
from concurrent.futures import ThreadPoolExecutor

BATCHES_AHEAD = 2  # for each thread


class Ahead:
    """A function of an int, whose next values threads compute while the last one is used.

    What it gives does not depend on the threads, for the function is pure: a value is that of its number, in
    whatever order they are asked for, and a guess that was wrong is thrown away. (The `workers` of
    `keras.utils.PyDataset` give batches that were made before an epoch was set to the epoch after.)

    Args:
        function: of an int, pure, and of any thread; what it raises is raised for its number alone.
        workers: int, threads, at least 1.
    """

    def __init__(self, function, workers):
        self.function, self.most = function, BATCHES_AHEAD * workers
        self.threads = ThreadPoolExecutor(workers, thread_name_prefix="batches")
        self.lock, self.found = threading.Lock(), {}

    def __call__(self, number, last):
        """The value of `number`; those of the numbers behind it up to `last`, an int, are begun."""
        wanted = range(number, min(number + self.most, last) + 1)
        with self.lock:
            for other in [other for other in self.found if other not in wanted]:
                self.found.pop(other).cancel()
            for other in wanted:
                if other not in self.found:
                    self.found[other] = self.threads.submit(self.function, other)
            value = self.found.pop(number)
        return value.result()

    def forget(self):
        """Throw away what was computed: from now on the function gives other values."""
        with self.lock:
            for value in self.found.values():
                value.cancel()
            self.found.clear()
