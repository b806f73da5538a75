"""Reads a page as a browser would: its elements, its texts, its images."""

import base64
import html.parser
import io

from PIL import Image


class Page(html.parser.HTMLParser):
    """The elements with their attributes, and the text outside of style and script."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], []
        self._inside = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self._inside = tag
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside not in ("style", "script"):
            self.text.append(data)

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())

    @property
    def ids(self):
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    def images(self):
        """The embedded images, decoded."""
        for one in self.named("img"):
            kind, _, content = one["src"].partition(";base64,")
            assert kind in ("data:image/webp", "data:image/png")
            yield Image.open(io.BytesIO(base64.b64decode(content)))
