"""One page of the viewer: what is chosen, and panels that zoom and pan together over pictures beside the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.events import DocumentReady, RangesUpdate
from bokeh.models import CustomJS, Model, RadioButtonGroup, Select, TapTool
from bokeh.resources import Resources
from jinja2 import Environment, StrictUndefined

from vitok_lib.report.viewer import callbacks as js
from vitok_lib.report.viewer.cases import ORIGINAL, Shown
from vitok_lib.report.viewer.layers import DIFFERENCE_COLOURS, DIFFERENCE_TOP, ERROR_COLOURS, ERROR_TOP, Layers
from vitok_lib.report.viewer.panels import Panel, add_boxes, make_panels

SCRIPTS_ROOT = "./bk/"
"""Where the page finds ``static/js`` with Bokeh's scripts."""
SLOTS = ("A", "B", "C")
FACTORS = (0, 1, 2, 4, 8)  # screen pixels for each of the picture; 0: all of it
_NONE = ""
_TEMPLATE = Path(__file__).with_name("viewer.html.jinja")
_ESCAPING = Environment(autoescape=True, undefined=StrictUndefined)

Choices = Sequence[tuple[str, str]]
"""Values of a selection with their labels."""


@dataclass(frozen=True)
class Neighbours:
    """The pages that a page leads to, itself among them: one for each image set, one for each image of its own set."""

    groups: Choices
    images: Choices


def render(shown: Shown, views: Sequence[Layers], neighbours: Neighbours) -> str:
    """The page's HTML; its pictures are ``views`` of the image."""
    slots = _slots(shown.tokenizers)
    panels = make_panels(shown, views, len(slots))
    links = [_select("images", "group", neighbours.groups, shown.page)]
    links += [_select("image", "image", neighbours.images, shown.page)]
    for link in links:
        link.js_on_change("value", js.callback(js.OPEN))
    view = RadioButtonGroup(labels=[view.rule.value for view in shown.visual.views], active=0, name="view")
    view.visible = len(views) > 1
    zoom = RadioButtonGroup(labels=["fit", *(f"{factor}:1" for factor in FACTORS[1:])], active=0, name="zoom")
    document = Document()
    document.js_on_event(DocumentReady, _connect(shown, views, slots, panels, view, zoom))
    parts: list[Model] = [*links, view, zoom, *slots]
    for panel in panels:
        parts += [panel.plot, panel.caption]
    with document.models.freeze():  # without it Bokeh goes through all models again at each root
        for part in parts:
            document.add_root(part)
    html: str = file_html(
        document,
        Resources(mode="server", root_url=SCRIPTS_ROOT),
        f"{shown.visual.image}, {shown.group}",
        template=_ESCAPING.from_string(_TEMPLATE.read_text(encoding="utf-8")),
        template_variables={
            "visual": shown.visual,
            "group": shown.group,
            "slots": SLOTS[: len(slots)],
            "scales": [
                ("error", ERROR_COLOURS, "0", f"{ERROR_TOP} and more"),
                ("difference of errors", DIFFERENCE_COLOURS, f"{DIFFERENCE_TOP}", f"{DIFFERENCE_TOP} and more"),
            ],
        },
    )
    return html


def _slots(names: Sequence[str]) -> list[Select]:
    """The selections of tokenizers: as many as there are, and three at most."""
    choices = [(ORIGINAL, f"0 {ORIGINAL}"), *((name, f"{key} {name}") for key, name in enumerate(names, start=1))]
    titles = [f"A (keys 0 to {len(names)})", *SLOTS[1:]]
    return [
        _select(titles[index], f"slot{index}", choices if index == 0 else [*choices, (_NONE, "none")], name)
        for index, name in enumerate(names[: len(SLOTS)])
    ]


def _select(title: str, name: str, options: Choices, value: str) -> Select:
    return Select(title=title, name=name, options=list(options), value=value, sizing_mode="stretch_width")


def _connect(
    shown: Shown,
    views: Sequence[Layers],
    slots: Sequence[Select],
    panels: Sequence[Panel],
    view: RadioButtonGroup,
    zoom: RadioButtonGroup,
) -> CustomJS:
    """Attach what happens in the browser; what is to be done once the page is there."""
    first = panels[0].plot
    tiles = [panel.tiles for panel in panels]
    boxes = add_boxes(panels[0], shown.visual.views, views[0])
    where = {
        "view": view,
        "x": first.x_range,
        "y": first.y_range,
        "extents": [{"width": layers.width, "height": layers.height, "side": layers.side} for layers in views],
    }
    show = js.callback(
        js.SHOW,
        view=view,
        slots=slots,
        plots=[panel.plot for panel in panels],
        tiles=tiles,
        layers=[panel.layers for panel in panels],
        captions=[panel.caption for panel in panels],
        boxes=boxes.renderers,
    )
    place = js.callback(js.PLACE, zoom=zoom, **where)
    save = js.callback(js.SAVE, slots=slots, **where)
    restore = js.callback(js.RESTORE, slots=slots, show=show, place=place, **where)
    for slot in slots:
        slot.js_on_change("value", show, save)
    view.js_on_change("active", show, place, save)
    zoom.js_on_change("active", js.callback(js.ZOOM, zoom=zoom, frame=first, factors=FACTORS, **where), save)
    smooth = js.callback(js.SMOOTH, tiles=tiles, frame=first, x=first.x_range)
    first.x_range.js_on_change("end", smooth)
    for panel in panels:
        panel.plot.js_on_event(RangesUpdate, save, js.callback(js.MOVED, zoom=zoom))
    if boxes.renderers:
        enlarge = js.callback(js.ENLARGE, view=view, source=boxes.source)
        first.add_tools(TapTool(renderers=list(boxes.renderers[:1]), callback=enlarge))
    return js.callback(js.READY, view=view, slots=slots, restore=restore, place=place, smooth=smooth, save=save)
