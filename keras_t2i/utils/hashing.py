"""Numbers out of names: the same on every machine and in every process, unlike Python's own `hash`."""

import hashlib


def bucket(purpose, text, buckets):
    """A number in `range(buckets)` from a hash of `text`; independent per purpose.

    Args:
        purpose: str, what the number is for.
        text: str.
        buckets: int, at least 1.
    """
    digest = hashlib.sha256(f"{purpose}:{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % buckets
