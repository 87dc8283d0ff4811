"""What the viewer's page does in the browser: a few lines each, attached to Bokeh's models.

``slots`` are the selections of tokenizers A, B and C. A panel shows one of its ``layers``, keyed by what is chosen.
The address of a view is the part after ``#``: what is chosen, and where the panels' left top corner and width lie in
pixels of the picture.
"""

from __future__ import annotations

from typing import Any

from bokeh.models import CustomJS

SHOW = """
const [a, b] = slots.map(slot => slot.value)
const keys = ["original", `${a}|${b}`, ...slots.flatMap(slot => [slot.value, slot.value])]
plots.forEach((plot, i) => {
  const layer = layers[i][view.active][keys[i]]
  if (layer != null) tiles[i].tile_source = layer.source
  plot.visible = layer != null
  captions[i].text = layer?.caption ?? ""
})
boxes.forEach(box => { box.visible = view.active == 0 })
"""

PLACE = """
const asked = new URLSearchParams(location.hash.slice(1))
const {width, height, side} = extents[view.active]
const here = asked.get("view") == view.active && asked.get("width") > 0
const span = here ? +asked.get("width") : side
const left = here ? +asked.get("left") : (width - side) / 2
const top = here ? +asked.get("top") : (height - side) / 2
x.setv({start: left, end: left + span})
y.setv({start: side - top - span, end: side - top})
zoom.active = here ? null : 0
"""

RESTORE = """
const asked = new URLSearchParams(location.hash.slice(1))
slots.forEach((slot, i) => {
  const wanted = asked.get("abc"[i])
  if (slot.options.some(([value]) => value == wanted)) slot.value = wanted
})
if (extents[asked.get("view")]) view.active = +asked.get("view")
show.execute(view)
place.execute(view)
"""

SAVE = """
clearTimeout(window.saving)
window.saving = setTimeout(() => {
  const {side} = extents[view.active]
  const place = {left: x.start, top: side - y.end, width: x.end - x.start}
  const address = new URLSearchParams({view: view.active})
  slots.forEach((slot, i) => address.set("abc"[i], slot.value))
  for (const name in place) address.set(name, +place[name].toFixed(3))
  history.replaceState(null, "", "#" + address)
  document.getElementById("link").href = location.href
}, 150)
"""

ZOOM = """
if (zoom.active == null) return
const {width, height, side} = extents[view.active]
const span = zoom.active == 0 ? side : frame.inner_width / factors[zoom.active]
const [cx, cy] = zoom.active == 0 ? [width / 2, side - height / 2] : [(x.start + x.end) / 2, (y.start + y.end) / 2]
const left = zoom.active == 0 ? cx - span / 2 : Math.round(cx - span / 2)
const top = zoom.active == 0 ? cy + span / 2 : Math.round(cy + span / 2)
x.setv({start: left, end: left + span})
y.setv({start: top - span, end: top})
"""

SMOOTH = """
const smaller = x.end - x.start > frame.inner_width
tiles.forEach(tile => { tile.smoothing = smaller })
"""

READY = """
const names = slots[0].options.map(([value]) => value)
document.addEventListener("keydown", event => {
  const name = event.ctrlKey || event.altKey || event.metaKey ? null : names[event.key]
  if (/^[0-9]$/.test(event.key) && name) slots[0].value = name
})
window.addEventListener("hashchange", () => restore.execute(view))
window.addEventListener("resize", () => {
  clearTimeout(window.resizing)
  window.resizing = setTimeout(() => place.execute(view), 300)
})
restore.execute(view)
smooth.execute(view)
save.execute(view)
"""

OPEN = """
const chosen = new URLSearchParams(location.hash.slice(1))
for (const name of ["view", "left", "top", "width"]) chosen.delete(name)
location.href = cb_obj.value + "#" + chosen
"""

MOVED = "zoom.active = null"

ENLARGE = "view.active = source.selected.indices[0] + 1"


def callback(code: str, **args: Any) -> CustomJS:
    """``code`` with the models and data it names."""
    return CustomJS(args=args, code=code)
