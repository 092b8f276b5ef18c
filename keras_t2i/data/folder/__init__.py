"""A person's own folder of captioned pictures."""
