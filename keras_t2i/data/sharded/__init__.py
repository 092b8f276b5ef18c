"""Data beyond memory: pictures in ArrayRecord shards, read by random access and decoded batch by batch."""
