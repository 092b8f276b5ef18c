"""A folder of captioned pictures as a source of shards."""

from pathlib import Path

from keras_t2i.data.folder.captioned_folder import source_of
from keras_t2i.data.folder.listing import list_pictures
from keras_t2i.data.sources.source import Example
from keras_t2i.data.sources.source import Source


class FolderSource(Source):
    """What `load_captioned_folder` reads.

    Args:
        folder: path.

    Raises: as `list_pictures`.
    """

    def __init__(self, folder):
        self.listing = list_pictures(folder)
        super().__init__(self.listing.folder, self.listing.folder, source_of(self.listing.folder))

    def __len__(self):
        return len(self.listing.names)

    def state(self, first, last):
        names = self.listing.names[first:last]
        return [self.listing.state(names), [self.listing.captions[name] for name in names]]

    def start(self, first):
        for name in self.listing.names[first:]:
            yield Example(name, self.listing.captions[name], Path(self.listing.folder, name))

    def report(self, captions, problems):
        return self.listing.report(list(captions), problems)
