"""The page's widgets, of Gradio, and which of them calls what."""

import random
from types import SimpleNamespace

from keras_t2i.demo.choices import LARGEST_SIDE
from keras_t2i.demo.choices import MOST_LETTERS
from keras_t2i.demo.choices import MOST_PICTURES
from keras_t2i.demo.choices import MOST_STEPS

TABS = ("variations", "inpainting", "interpolation")  # of `choices.refusals`
SIDES = (32, 64, 128, 256, 512, 1024, 2048, LARGEST_SIDE)
BACKGROUNDS = ("white", "transparent", "black", "gold", "skyblue")
MOST_SEED = 9999  # of the slider
HOUR = 3600  # seconds after which Gradio's temporary files go
BRUSH = "#e6007a"
BUTTONS = ["download", "fullscreen"]  # of a picture; to share is to send it to a server
PICTURE = {"format": "png", "image_mode": "RGBA", "interactive": False, "buttons": BUTTONS}


def lay_out(handlers):
    """The page, `gradio.Blocks`, of `page.Handlers`."""
    import gradio as gr

    settings, refused = handlers.able(handlers.presets.names[0])
    with gr.Blocks(title="keras_t2i", analytics_enabled=False, delete_cache=(HOUR, HOUR)) as blocks:
        handlers.folder = blocks.GRADIO_CACHE
        page = SimpleNamespace(request=gr.State(), shown=gr.State("draw"), able={})
        gr.Markdown("# Pictures from words\nDrawn by the machine that serves this page, sent nowhere else.")
        with gr.Row():
            with gr.Column(scale=2, min_width=320), gr.Tabs():
                lay_out_draw(gr, page)
                lay_out_variations(gr, page, refused["variations"])
                lay_out_inpainting(gr, page, refused["inpainting"])
                lay_out_interpolation(gr, page, refused["interpolation"])
            with gr.Column(scale=1, min_width=280):
                lay_out_settings(gr, page, handlers.presets.names, settings)
        connect(gr, page, handlers)
    return blocks


def lay_out_settings(gr, page, names, settings):
    """What every tab draws with, in the order of `Choice`."""
    preset = gr.Dropdown(names, value=names[0], label="Preset", elem_id="preset")
    another = "Another number, another picture."
    seed = gr.Slider(0, MOST_SEED, 0, step=1, label="Seed", info=another, elem_id="seed")
    page.other_seed = gr.Button("Another seed", size="sm")
    sliders = {
        "num_steps": (1, MOST_STEPS, 1, "Steps", "From noise to picture."),
        "guidance_scale": (0, 8, 0.1, "Guidance", "How strictly words are followed."),
        "temperature": (0, 8, 0.1, "Temperature", "How far pictures of the same words differ."),
    }
    page.sliders = {
        name: gr.Slider(
            least, most, settings.get(name, 1), step=step, label=label, info=info, visible=name in settings
        )
        for name, (least, most, step, label, info) in sliders.items()
    }
    sides, told = list(SIDES), "Pixels of a side."
    size = gr.Dropdown(sides, value=512, label="Size", info=told, elem_id="size")
    background = gr.Dropdown(
        list(BACKGROUNDS),
        value="white",
        allow_custom_value=True,
        label="Background",
        info="Or another color: its name, or #rrggbb.",
    )
    page.choice = [preset, seed, *page.sliders.values(), size, background]
    page.preset, page.seed = preset, seed


def lay_out_draw(gr, page):
    with gr.Tab("Draw", id="draw") as page.draw_tab:
        page.prompt = words(gr, "What to draw", "a red apple", "prompt")
        with gr.Row():
            page.draw = gr.Button("Draw", variant="primary", elem_id="draw")
            page.stop = gr.Button("Stop", elem_id="stop")
        page.picture = gr.Image(label="Picture", elem_id="picture", **PICTURE)
        page.told = gr.Markdown(elem_id="told")
        with gr.Row():
            page.png = gr.DownloadButton("Download PNG", interactive=False, elem_id="png")
            page.make_svg = gr.Button("Make an SVG", interactive=False, elem_id="make-svg")
            page.svg = gr.DownloadButton("Download SVG", visible=False, elem_id="svg")


def lay_out_variations(gr, page, refused):
    with gr.Tab("Variations", id="variations") as page.variations_tab, able(gr, page, "variations", refused):
        gr.Markdown("The same thing, drawn otherwise: its image embedding, and other noise.")
        page.source = gr.Image(
            label="Of this picture", image_mode="RGBA", sources=["upload", "clipboard"], buttons=BUTTONS
        )
        page.take_source = gr.Button("Take the drawn picture")
        page.count = gr.Slider(1, MOST_PICTURES, 4, step=1, label="How many")
        page.vary = gr.Button("Draw variations", variant="primary", elem_id="vary")
        page.variations = gallery(gr, "Variations", "variations-pictures")


def lay_out_inpainting(gr, page, refused):
    with gr.Tab("Inpaint", id="inpainting") as page.inpainting_tab, able(gr, page, "inpainting", refused):
        gr.Markdown("Brush over what is to be drawn anew; the rest stays as it is.")
        page.editor = gr.ImageEditor(
            label="Picture and brush",
            sources=["upload", "clipboard"],
            brush=gr.Brush(colors=[BRUSH], color_mode="fixed"),
            transforms=(),
            layers=False,
            format="png",
            buttons=BUTTONS,
            elem_id="editor",
        )
        page.take_editor = gr.Button("Take the drawn picture", elem_id="take-editor")
        page.new_words = words(gr, "What the whole picture shows then", "a green apple", "new-words")
        with gr.Row():
            page.inpaint = gr.Button("Draw anew", variant="primary", elem_id="inpaint")
            page.stop_inpainting = gr.Button("Stop", elem_id="stop-inpainting")
        page.inpainted = gr.Image(label="Drawn anew", elem_id="inpainted", **PICTURE)
        page.inpainted_told = gr.Markdown()
        page.inpainted_png = gr.DownloadButton("Download PNG", interactive=False, elem_id="inpainted-png")


def lay_out_interpolation(gr, page, refused):
    with gr.Tab("Between", id="between") as page.between_tab, able(gr, page, "interpolation", refused):
        gr.Markdown("Pictures on the way from one to another.")
        page.first = words(gr, "From", "a red apple", "first")
        page.second = words(gr, "To", "a green apple", "second")
        page.points = gr.Slider(2, MOST_PICTURES, 8, step=1, label="How many", elem_id="points")
        page.interpolate = gr.Button("Draw what lies between", variant="primary", elem_id="interpolate")
        page.between = gallery(gr, "Between", "between-pictures")


def words(gr, label, value, elem_id):
    return gr.Textbox(value, label=label, max_length=MOST_LETTERS, lines=1, elem_id=elem_id)


def gallery(gr, label, elem_id):
    shown = {"columns": 4, "rows": 1, "height": "max-content", "object_fit": "contain"}
    return gr.Gallery(label=label, format="png", interactive=False, buttons=BUTTONS, elem_id=elem_id, **shown)


def able(gr, page, name, refused):
    """A column, there where a preset can do `name`; in its place, where not, the sentence that says why."""
    note = gr.Markdown(refused, visible=bool(refused), elem_id=f"no-{name}")
    column = gr.Column(visible=not refused)
    page.able[name] = note, column
    return column


def connect(gr, page, handlers):
    """Let events call the handlers: one drawing at a time, the others wait."""
    quiet = {"api_visibility": "private"}
    heavy = {**quiet, "concurrency_limit": 1, "concurrency_id": "drawing", "show_progress": "minimal"}
    for name in ("draw", "variations", "inpainting", "between"):
        getattr(page, f"{name}_tab").select(lambda name=name: name, outputs=page.shown, queue=False, **quiet)

    def change(preset):
        settings, refused = handlers.able(preset)
        own = [{"value": settings[name]} if name in settings else {} for name in page.sliders]
        sliders = [gr.update(visible=bool(value), **value) for value in own]
        notes = [gr.update(value=why, visible=bool(why)) for why in refused.values()]
        return [*sliders, *notes, *(gr.update(visible=not why) for why in refused.values())]

    notes, columns = zip(*(page.able[name] for name in TABS), strict=True)
    page.preset.change(change, page.preset, [*page.sliders.values(), *notes, *columns], **heavy)
    page.other_seed.click(lambda: random.randint(0, MOST_SEED), outputs=page.seed, queue=False, **quiet)

    def draw(shown, *values):
        if shown != "draw":  # the seed was moved in another tab
            return
        for picture, file, request, sentence in handlers.draw(*values):
            if picture is None:
                yield [gr.update()] * 6
                continue
            done = {"interactive": file is not None}
            png, svg = gr.update(value=file, **done), gr.update(visible=False, value=None)
            yield picture, sentence, request, png, gr.update(visible=True, **done), svg

    triggers = [page.draw.click, page.prompt.submit, page.seed.change]
    outputs = [page.picture, page.told, page.request, page.png, page.make_svg, page.svg]
    inputs = [page.shown, page.prompt, *page.choice]
    drawing = gr.on(triggers, draw, inputs, outputs, trigger_mode="always_last", **heavy)

    def svg(request):
        return gr.update(visible=False), gr.update(visible=True, value=handlers.svg(request))

    page.make_svg.click(svg, page.request, [page.make_svg, page.svg], **heavy)

    def inpaint(*values):
        for picture, file, _, sentence in handlers.inpaint(*values):
            if picture is None:
                yield [gr.update()] * 3
                continue
            yield picture, sentence, gr.update(value=file, interactive=file is not None)

    outputs = [page.inpainted, page.inpainted_told, page.inpainted_png]
    inputs = [page.editor, page.new_words, *page.choice]
    inpainting = page.inpaint.click(inpaint, inputs, outputs, **heavy)
    # Each its own: of two to cancel, one of which does not run, Gradio takes the other for running on.
    for stop, running in ((page.stop, drawing), (page.stop_inpainting, inpainting)):
        stop.click(None, cancels=running, queue=False, **quiet)

    page.take_source.click(lambda picture: picture, page.picture, page.source, **quiet)
    page.take_editor.click(lambda picture: picture, page.picture, page.editor, **quiet)
    inputs = [page.source, page.count, *page.choice]
    page.vary.click(handlers.variations, inputs, page.variations, **heavy)
    inputs = [page.first, page.second, page.points, *page.choice]
    page.interpolate.click(handlers.between, inputs, page.between, **heavy)
