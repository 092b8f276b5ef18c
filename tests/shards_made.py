"""What tests of shards share."""

from keras_t2i.data.sharded import preparing
from keras_t2i.data.sharded.shard_files import INPUTS


def contents(folder):
    """The files of a folder of shards, but for the list of what they were made of."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != INPUTS}


def kill_third_shard(monkeypatch):
    """From now on writing ends with a KeyboardInterrupt where two shards are on the list that this returns:
    names of those that were written."""
    write, written = preparing.write_shard, []

    def killed(shard, *options):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(shard.name)
        return write(shard, *options)

    monkeypatch.setattr(preparing, "write_shard", killed)
    return written
