"""Reads HTML in tests."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "wbr"}


class Tags(HTMLParser):
    """All tags with their attributes and the text within each; demands that each is closed in its turn."""

    def __init__(self, html):
        super().__init__()
        self.open, self.found, self.text = [], [], ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_startendtag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names))
        self.found.append([tag, dict(attributes), ""])

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(self.found[-1])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        self.text += data
        for element in self.open:
            element[2] += data

    def all(self, tag, **attributes):
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [e for e in self.found if e[0] == tag and wanted.items() <= e[1].items()]
