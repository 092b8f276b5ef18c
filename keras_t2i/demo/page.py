"""The page that is served: its presets, its handlers, and how it is launched."""

import contextlib
import html
import secrets
import time
from importlib.util import find_spec
from pathlib import Path

from keras_t2i.demo import choices
from keras_t2i.demo import drawing
from keras_t2i.demo.choices import Choice
from keras_t2i.demo.choices import Presets
from keras_t2i.demo.widgets import lay_out
from keras_t2i.utils.files import write_bytes
from keras_t2i.utils.images import save_png
from keras_t2i_runtime.captions import replaced

# Where a page is narrow, four pictures in a row would not be seen whole. One that is chosen
# out of a single row would be shown smaller than it is there.
CSS = (
    "@media (max-width: 640px) { .grid-container { grid-template-columns: 1fr 1fr !important; } }"
    ".gallery-container:has(.preview) { min-height: 480px; }"
)
BEAT = 1.0  # seconds: Gradio can stop a drawing only between two things that it is given


def build(presets=None, renderer=None):
    """The page.

    Args:
        presets: list of str, what to choose from, as of `Generator.from_preset`; `None`: the packaged ones.
        renderer: preset of a renderer, str, that draws at size; `None`: each preset's own, else the packaged.

    Returns:
        `gradio.Blocks`, to be served by `launch`, or to be mounted in a site.

    Raises:
        ImportError: Gradio is not installed.
        ValueError: a preset that was named, or the first packaged one, cannot be opened.
    """
    if find_spec("gradio") is None:
        raise ImportError('The page needs Gradio: pip install "keras-t2i[demo]"')
    offered = Presets(presets, renderer)
    for name in offered.names[:1] if presets is None else offered.names:
        offered.open(name)
    return lay_out(Handlers(offered))


def launch(presets=None, renderer=None, **options):
    """Build the page and serve it, until it is interrupted. It sends nothing anywhere.

    Args:
        presets, renderer: as of `build`.
        **options: of `gradio.Blocks.launch`, such as `server_port`, and `server_name`: by default the
            environment's `GRADIO_SERVER_NAME`, which Spaces set, else "127.0.0.1", this machine alone.

    Raises: as of `build`; OSError where the port is taken.
    """
    blocks = build(presets, renderer)
    alone = {"share": False, "enable_monitoring": False, "run_history": False, "mcp_server": False}
    shown = {"footer_links": ["gradio"], "max_file_size": "20mb", "quiet": True, "css": CSS}
    url = blocks.launch(**{**alone, **shown, **options, "prevent_thread_lock": True})[1]
    print(f"The page is at {url} (Ctrl-C ends it)", flush=True)
    blocks.block_thread()


@contextlib.contextmanager
def told():
    """Errors of `choices.REFUSALS` as the page's own, which it shows; their text is no HTML."""
    try:
        yield
    except choices.REFUSALS as error:
        from gradio import Error

        sentence = html.escape(" ".join(str(error).split())[:600])
        raise Error(sentence, title="Not drawn", print_exception=False) from error


class Handlers:
    """What the page's events call: values of widgets to values of widgets.

    Args:
        presets: `Presets`.
        folder: path of Gradio's temporary files, `None`: where it has them.
    """

    def __init__(self, presets, folder=None):
        self.presets, self.folder = presets, folder

    def able(self, name):
        """Of a preset: `(settings, refusals)`, as of `choices`."""
        with told():
            generator = self.presets.open(name)
        return choices.settings_of(generator), choices.refusals(generator, name)

    def draw(self, prompt, *chosen):
        """Yield `(picture, file, request, sentence)`: a frame, `None`, `None`, ""; then the files.

        Where there is nothing new yet, all of them are `None`.
        """
        yield from self._drawn(prompt, choice_of(chosen))

    def inpaint(self, editor, prompt, *chosen):
        """As `draw`, of what is painted over."""
        yield from self._drawn(prompt, choice_of(chosen), *choices.painted(editor))

    def _drawn(self, prompt, choice, *given):
        start = time.monotonic()
        with told():
            if given and given[0] is None:
                raise ValueError("there is no picture: upload one, or take the drawn one")
            given = given or (None, None)
            ahead, pictures = None, drawing.draw(self.presets, prompt, choice, *given, beat=BEAT)
            with contextlib.closing(pictures):
                for picture in pictures:
                    if picture is None:
                        yield None, None, None, None
                        continue
                    if ahead is not None:
                        yield ahead, None, None, ""
                    ahead = picture
            file = save_png(ahead, self._file(prompt, choice, ".png"))
        seconds = time.monotonic() - start
        steps = f", {choice.num_steps} steps" if "num_steps" in self.able(choice.preset)[0] else ""
        sentence = f"{choice.preset}, seed {choice.seed}{steps}, {choice.size} pixels: {seconds:.1f} s"
        table = self.presets.open(choice.preset).preprocessor.tokenizer.nearest_words
        read = (
            f'. "{one}" was read as "{two}", which captions teach'
            for one, two in replaced([prompt], table).items()
        )
        yield str(file), str(file), (prompt, choice), sentence + "".join(read)

    def svg(self, request):
        """The file of the picture that was drawn last, as an SVG."""
        with told():
            if request is None:
                raise ValueError("nothing is drawn yet")
            document = drawing.draw_svg(self.presets, *request)
            file = self._file(*request, ".svg")
            write_bytes(file, document.encode())
        return str(file)

    def variations(self, image, n, *chosen):
        """list of pictures."""
        with told():
            return list(drawing.draw_variations(self.presets, image, n, choice_of(chosen)))

    def between(self, first, second, n, *chosen):
        """list of pictures."""
        with told():
            return list(drawing.draw_between(self.presets, first, second, n, choice_of(chosen)))

    def _file(self, prompt, choice, suffix):
        return Path(self.folder, secrets.token_hex(8), choices.file_name(prompt, choice.seed, suffix))


def choice_of(chosen):
    """The `Choice` of the widgets' values, in its order."""
    choice = Choice(*chosen)
    return choice._replace(background=None if choice.background == "transparent" else choice.background)
