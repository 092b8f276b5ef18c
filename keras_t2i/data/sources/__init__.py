"""What shards are made of: folders, Parquet, Arrow and tar files, what Hugging Face and TFDS keep on disk."""
