"""Captions to ids: the tokenizer and the preprocessor."""
