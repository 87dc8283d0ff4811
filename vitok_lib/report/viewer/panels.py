"""The panels of the viewer's page: squares that share their ranges, each over one picture at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bokeh.core.properties import value
from bokeh.models import (
    ColumnDataSource,
    Div,
    GlyphRenderer,
    PanTool,
    Plot,
    Quad,
    Range1d,
    Text,
    TileRenderer,
    WheelZoomTool,
    WMTSTileSource,
)

from vitok_lib.records.visuals import Rule, View
from vitok_lib.report.viewer.cases import ORIGINAL, Shown, captions, difference_of, error_of, pairs
from vitok_lib.report.viewer.layers import Layers

LEAST_WIDTH = 8  # pixels of the picture
_MOST_WIDTHS = 4  # of the whole picture

CORNERS = {
    Rule.LARGEST_ERROR: ("left", "top"),
    Rule.LARGEST_GAIN: ("left", "bottom"),
    Rule.CENTRE: ("right", "bottom"),
}
"""Where the label of a square stands in it: squares may overlap, or be one."""

Keys = Mapping[str, str]
"""Which layer a panel shows, by what is chosen."""


@dataclass(frozen=True)
class Panel:
    """``layers`` holds, for each view and key, the source of a picture and the caption of what it shows."""

    plot: Plot
    tiles: TileRenderer
    caption: Div
    layers: Sequence[Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Boxes:
    """The squares of an image's crops on its overview; the row of a square is the number of its view, less one."""

    renderers: Sequence[GlyphRenderer]
    source: ColumnDataSource


def make_panels(shown: Shown, views: Sequence[Layers], slots: int) -> list[Panel]:
    """The original, the difference of the errors of A and B, then for each slot its tokenizer and its error.

    At first the slots show the first tokenizers.
    """
    names = shown.tokenizers
    chosen = [ORIGINAL, "|".join(names[:2]), *(name for name in names[:slots] for _ in range(2))]
    shows: list[Keys] = [
        {ORIGINAL: ORIGINAL},
        {
            f"{one}|{other}": difference_of(first, second)
            for first, second in pairs(names)
            for one, other in ((first, second), (second, first))
        },
        *({name: name for name in (ORIGINAL, *names)}, {name: error_of(name) for name in names}) * slots,
    ]
    most = _MOST_WIDTHS * max(layers.side for layers in views)
    side = views[0].side
    x, y = (Range1d(0, side, min_interval=LEAST_WIDTH, max_interval=most) for _ in range(2))
    told = captions(shown)
    panels = []
    for index, (keys, first) in enumerate(zip(shows, chosen, strict=True)):
        # A source of its own for each panel: Bokeh repaints only the panel that asked first when a picture arrives.
        layers = []
        for held, caption in zip(views, told, strict=True):
            sources = {layer: _source(held.files[layer], held.side) for layer in keys.values()}
            layers.append({key: {"source": sources[layer], "caption": caption[layer]} for key, layer in keys.items()})
        tiles = TileRenderer(smoothing=False)
        if first in layers[0]:
            tiles.tile_source = layers[0][first]["source"]
        caption = Div(disable_math=True, name=f"caption{index}", sizing_mode="stretch_width")
        plot = _frame(x, y, tiles, f"panel{index}")
        plot.visible = first in layers[0]
        panels.append(Panel(plot, tiles, caption, layers))
    return panels


def _source(url: str, side: int) -> WMTSTileSource:
    """A whole picture as the one tile of a map whose unit is the pixel; what is after # makes Bokeh see a pattern."""
    return WMTSTileSource(
        url=f"{url}#{{Z}}{{X}}{{Y}}",
        tile_size=side,
        min_zoom=0,
        max_zoom=0,
        initial_resolution=1,
        x_origin_offset=0,
        y_origin_offset=0,
        wrap_around=False,
    )


def _frame(x: Range1d, y: Range1d, tiles: TileRenderer, name: str) -> Plot:
    wheel, pan = WheelZoomTool(), PanTool()
    plot = Plot(
        x_range=x,
        y_range=y,
        name=name,
        renderers=[tiles],
        tools=[wheel, pan],
        toolbar_location=None,
        min_border=0,
        hidpi=False,  # or else Bokeh shifts what it draws by half a pixel
        outline_line_width=0,  # half of it is cut off the pictures, drawn or not
        background_fill_color=None,
        border_fill_color=None,
        sizing_mode="stretch_both",
        stylesheets=[".bk-Panel { display: none; }"],  # the corner that credits the maker of a map
    )
    plot.toolbar.active_scroll, plot.toolbar.active_drag = wheel, pan
    return plot


def add_boxes(panel: Panel, views: Sequence[View], overview: Layers) -> Boxes:
    """Draw the squares of the crops on the overview, each with its label in a corner of its own."""
    scale = overview.width / views[0].width
    crops = [view for view in views if view.rule in CORNERS]
    left = [view.left * scale for view in crops]
    right = [(view.left + view.width) * scale for view in crops]
    top = [overview.side - view.top * scale for view in crops]
    bottom = [overview.side - (view.top + view.height) * scale for view in crops]
    source = ColumnDataSource({"left": left, "right": right, "top": top, "bottom": bottom})
    place = {"left": "left", "right": "right", "top": "top", "bottom": "bottom"}
    made = [
        panel.plot.add_glyph(source, Quad(**place, fill_alpha=0, line_color=colour, line_width=width))
        for colour, width in (("black", 3.5), ("white", 1.5))
        if crops
    ]
    for view, *sides in zip(crops, left, right, top, bottom, strict=True):
        made.append(panel.plot.add_glyph(_label(view.rule, *sides)))
    for renderer in made:
        renderer.nonselection_glyph = renderer.selection_glyph = None
    return Boxes(made, source)


def _label(rule: Rule, left: float, right: float, top: float, bottom: float) -> Text:
    horizontal, vertical = CORNERS[rule]
    return Text(
        x=left if horizontal == "left" else right,
        y=top if vertical == "top" else bottom,
        text=value(rule.value),
        text_align=horizontal,
        text_baseline=vertical,
        text_font_size="11px",
        text_color="white",
        background_fill_color="black",
        padding=2,
    )
