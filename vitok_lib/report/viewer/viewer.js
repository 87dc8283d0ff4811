// The viewer: one picture as large as the window, A and B at the same place of it.
// State lives in the address after "#", so that a view can be linked. Nothing is read back from the canvas,
// which a page opened from disk may not do.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const canvas = document.getElementById("stage");
const pen = canvas.getContext("2d");
const embedded = window.self !== window.top;
const MODES = ["flip", "wipe", "side"];
const STEPS = [1, 2, 4, 8];
const LAYERS = ["error", "latent"]; // instead of the picture, where there is one
const NOTCH = 1.25; // the most that one notch of the wheel zooms by
const FURTHEST = 64; // screen pixels for each of the picture
const GROUND = "#d8d8d8";
const HANDLE = 14; // CSS pixels on each side of the wipe's line that take hold of it

const NAMES = ["original", ...data.tokenizers];

const state = { a: "original", b: data.tokenizers[0], front: "b", mode: "flip", error: false, latent: false, view: data.start.view,
                x: data.start.x, y: data.start.y, zoom: 0, wipe: 0.5 };
const images = new Map();

function element(id) { return document.getElementById(id); }
function view() { return data.views[state.view]; }
function density() { return window.devicePixelRatio || 1; }
function fitting() {
  const width = state.mode === "side" ? canvas.width / 2 : canvas.width;
  return Math.min(width / view().width, canvas.height / view().height);
}

function chosen(layer) { return LAYERS.find(kind => state[kind] && layer[kind]) || "picture"; }

function picture(name) {
  const layer = view().layers[name];
  const file = layer[chosen(layer)];
  if (!images.has(file)) {
    const image = new Image();
    image.onload = draw;
    image.src = file;
    images.set(file, image);
  }
  return images.get(file);
}

function panes() {
  const { width } = canvas;
  if (state.mode === "side") return [[0, width / 2, state.a], [width / 2, width, state.b]];
  const cut = Math.round(width * state.wipe);
  if (state.mode === "wipe") return [[0, cut, state.a], [cut, width, state.b]];
  return [[0, width, state[state.front]]];
}

// The screen position of the centre of what is shown, within the pane from left to right.
function middle(left, right) { return state.mode === "side" ? (left + right) / 2 : canvas.width / 2; }

function draw() {
  pen.fillStyle = GROUND;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingEnabled = state.zoom < 1;
  pen.imageSmoothingQuality = "high";
  for (const [left, right, name] of panes()) {
    const image = picture(name);
    if (!image.complete || !image.naturalWidth) continue;
    pen.save();
    pen.beginPath();
    pen.rect(left, 0, right - left, canvas.height);
    pen.clip();
    const x = Math.round(middle(left, right) - state.x * state.zoom);
    const y = Math.round(canvas.height / 2 - state.y * state.zoom);
    pen.drawImage(image, x, y, Math.round(view().width * state.zoom), Math.round(view().height * state.zoom));
    pen.restore();
  }
  if (state.mode !== "flip") {
    const at = state.mode === "side" ? canvas.width / 2 : Math.round(canvas.width * state.wipe);
    pen.fillStyle = "#ffffff";
    pen.fillRect(at - density(), 0, 2 * density(), canvas.height);
  }
}

function shown() { return state.mode === "flip" ? [state.front] : ["a", "b"]; }

function label() {
  for (const slot of ["a", "b"]) {
    const box = element("caption-" + slot);
    const layer = view().layers[state[slot]];
    box.innerHTML = layer.caption; // its names were escaped when the page was made
    box.parentElement.classList.toggle("front", shown().includes(slot));
  }
  const names = shown().map(slot => {
    const kind = chosen(view().layers[state[slot]]);
    return state[slot] + (kind === "picture" ? "" : ` (${kind})`);
  });
  canvas.setAttribute("aria-label", names.join(" and "));
  element("name").textContent = names.join(" | ");
  for (const mode of MODES) element("mode-" + mode).setAttribute("aria-pressed", state.mode === mode);
  for (const kind of LAYERS) element(kind)?.setAttribute("aria-pressed", state[kind]);
  element("fit").setAttribute("aria-pressed", Math.abs(state.zoom - fitting()) < 1e-6);
  for (const step of STEPS) element("zoom-" + step).setAttribute("aria-pressed", state.zoom === step);
  element("view").value = state.view;
  element("a").value = state.a;
  element("b").value = state.b;
}

function save() {
  const kept = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) kept.set(key, typeof value === "number" ? +value.toFixed(4) : value);
  history.replaceState(null, "", "#" + kept);
  element("link").href = location.href;
}

let saving;
function update() {
  label();
  draw();
  for (const name of NAMES) picture(name); // loaded before they are asked for, so that a flip shows at once
  clearTimeout(saving);
  saving = setTimeout(save, 150);
}

function clamp(value, low, high) { return Math.min(Math.max(value, low), high); }

// Zoom to `zoom` screen pixels for each of the picture, with the point under (x, y) of the canvas kept where it is.
function zoomTo(zoom, x, y) {
  const [left, right] = panes().find(([from, to]) => x >= from && x < to) || panes()[0];
  const dx = x - middle(left, right), dy = y - canvas.height / 2;
  const next = clamp(zoom, Math.min(fitting(), 1), FURTHEST);
  move(state.x + dx / state.zoom - dx / next, state.y + dy / state.zoom - dy / next);
  state.zoom = next;
}

function move(x, y) {
  state.x = clamp(x, 0, view().width);
  state.y = clamp(y, 0, view().height);
}

function zoomAtMiddle(zoom) {
  state.zoom = clamp(zoom, Math.min(fitting(), 1), FURTHEST);
  state.x = Math.round(state.x); // so that pictures begin at whole pixels of the screen
  state.y = Math.round(state.y);
}

function fit() {
  state.zoom = fitting();
  move(view().width / 2, view().height / 2);
}

function open(index) {
  state.view = index;
  fit();
}

function toggle(kind) {
  for (const other of LAYERS) state[other] = other === kind && !state[kind];
}

function flip() {
  if (state.mode !== "flip") state.mode = "flip";
  else state.front = state.front === "a" ? "b" : "a";
}

function choose(slot, name) {
  state[slot] = name;
  state.front = slot;
}

function walk(slot, by) {
  choose(slot, NAMES[(NAMES.indexOf(state[slot]) + by + NAMES.length) % NAMES.length]);
}

const KEYS = {
  n: slot => walk(slot, 1), p: slot => walk(slot, -1),
  " ": flip, f: flip,
  w: () => { state.mode = state.mode === "wipe" ? "flip" : "wipe"; },
  s: () => { state.mode = state.mode === "side" ? "flip" : "side"; },
  e: () => toggle("error"),
  l: () => { if (element("latent")) toggle("latent"); },
  "+": () => zoomAtMiddle(state.zoom * NOTCH), "=": () => zoomAtMiddle(state.zoom * NOTCH),
  "-": () => zoomAtMiddle(state.zoom / NOTCH), r: fit,
  ArrowLeft: () => move(state.x - canvas.width / 8 / state.zoom, state.y),
  ArrowRight: () => move(state.x + canvas.width / 8 / state.zoom, state.y),
  ArrowUp: () => move(state.x, state.y - canvas.height / 8 / state.zoom),
  ArrowDown: () => move(state.x, state.y + canvas.height / 8 / state.zoom),
};

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const typing = event.target instanceof HTMLSelectElement || event.target instanceof HTMLInputElement;
  const digit = /^Digit([0-9])$/.exec(event.code) || /^([0-9])$/.exec(event.key); // with Shift a digit is another key
  if (typing && !digit) return;
  const slot = event.shiftKey ? "a" : "b";
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (digit) {
    if (!NAMES[+digit[1]]) return;
    choose(slot, NAMES[+digit[1]]);
  } else if (key === " " && event.target instanceof HTMLButtonElement) return;
  else if (KEYS[key]) KEYS[key](slot);
  else return;
  event.preventDefault();
  update();
});

canvas.addEventListener("wheel", event => {
  // In a frame the wheel scrolls the page around it, as it does everywhere else on that page.
  if (embedded && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const factor = clamp(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.002)), 1 / NOTCH, NOTCH);
  zoomTo(state.zoom * factor, event.offsetX * density(), event.offsetY * density());
  update();
}, { passive: false });

const pointers = new Map();
let gesture = null;

function spread() {
  const [one, two] = [...pointers.values()];
  return { distance: Math.hypot(one.x - two.x, one.y - two.y), x: (one.x + two.x) / 2, y: (one.y + two.y) / 2 };
}

canvas.addEventListener("pointerdown", event => {
  canvas.focus();
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, { x: event.offsetX * density(), y: event.offsetY * density() });
  const onLine = state.mode === "wipe"
    && Math.abs(event.offsetX * density() - canvas.width * state.wipe) < HANDLE * density();
  gesture = { wipe: onLine, moved: false, x: event.offsetX, y: event.offsetY };
});

canvas.addEventListener("pointermove", event => {
  if (!pointers.has(event.pointerId)) return;
  const before = pointers.get(event.pointerId), now = { x: event.offsetX * density(), y: event.offsetY * density() };
  const wide = pointers.size === 2 ? spread() : null;
  pointers.set(event.pointerId, now);
  if (Math.hypot(event.offsetX - gesture.x, event.offsetY - gesture.y) > 4) gesture.moved = true;
  if (wide) {
    const next = spread();
    zoomTo(state.zoom * next.distance / wide.distance, next.x, next.y);
    move(state.x - (next.x - wide.x) / state.zoom, state.y - (next.y - wide.y) / state.zoom);
  } else if (gesture.wipe) state.wipe = clamp(now.x / canvas.width, 0, 1);
  else if (gesture.moved) move(state.x - (now.x - before.x) / state.zoom, state.y - (now.y - before.y) / state.zoom);
  else return;
  update();
});

for (const kind of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(kind, event => {
    const clicked = kind === "pointerup" && pointers.size === 1 && gesture && !gesture.moved && !gesture.wipe;
    pointers.delete(event.pointerId);
    if (clicked && state.mode === "flip") {
      flip();
      update();
    }
  });
}

// After a choice by mouse or finger the keys are the picture's again; who chooses by keys stays where they are.
let pointed = false;
document.addEventListener("pointerdown", () => { pointed = true; }, true);
document.addEventListener("keydown", () => { pointed = false; }, true);

function act(id, kind, action) {
  element(id).addEventListener(kind, event => {
    action(event.target.value);
    update();
    if (pointed) canvas.focus();
  });
}

function restore() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const slot of ["a", "b"]) if (NAMES.includes(asked.get(slot))) state[slot] = asked.get(slot);
  if (["a", "b"].includes(asked.get("front"))) state.front = asked.get("front");
  if (MODES.includes(asked.get("mode"))) state.mode = asked.get("mode");
  for (const kind of LAYERS) if (asked.has(kind)) state[kind] = asked.get(kind) === "true";
  if (data.views[asked.get("view")]) state.view = +asked.get("view");
  if (asked.get("wipe") !== null && !isNaN(+asked.get("wipe"))) state.wipe = clamp(+asked.get("wipe"), 0, 1);
  if (+asked.get("zoom") > 0) {
    state.zoom = clamp(+asked.get("zoom"), 0.01, FURTHEST);
    move(+asked.get("x"), +asked.get("y"));
  } else if (asked.has("view")) fit();
  else {
    // The square of the largest error, as large as whole pixels of the screen allow.
    const whole = Math.floor(Math.min(canvas.width, canvas.height) / data.start.side);
    state.zoom = Math.max(whole, 1);
    move(data.start.x, data.start.y);
  }
}

function resize() {
  canvas.width = Math.round(canvas.clientWidth * density());
  canvas.height = Math.round(canvas.clientHeight * density());
}

function leave(page) {
  const kept = new URLSearchParams();
  for (const key of ["a", "b", "front", "mode", ...LAYERS]) kept.set(key, state[key]);
  location.href = page + "#" + kept;
}

for (const mode of MODES) act("mode-" + mode, "click", () => { state.mode = mode; });
for (const step of STEPS) act("zoom-" + step, "click", () => zoomAtMiddle(step));
act("fit", "click", fit);
for (const kind of LAYERS) if (element(kind)) act(kind, "click", () => toggle(kind));
act("view", "change", value => open(+value));
for (const slot of ["a", "b"]) act(slot, "change", value => choose(slot, value));
for (const id of ["group", "image"]) element(id).addEventListener("change", event => leave(event.target.value));
window.addEventListener("resize", () => { resize(); update(); });
window.addEventListener("hashchange", () => { restore(); update(); });
document.body.classList.toggle("embedded", embedded);
resize();
restore();
update();
