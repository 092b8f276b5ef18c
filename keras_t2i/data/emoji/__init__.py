"""Emoji as captioned pictures: OpenMoji, and six designs of the same names."""
