/* The facts of a number (evidence level, images, interval, signature) by mouse, keyboard and touch.

   A title= is for the mouse alone, so the script takes its text over and shows it in a box of its own: while the number
   is pointed at or has the focus, and on the first tap; the second tap follows the link. Escape closes the box, and the
   pointer may move onto it. Without the script the title= and the link to the record remain. */
"use strict";
(() => {
  const HIDE_AFTER = 200, GAP = 6;
  const box = Object.assign(document.createElement("div"), { id: "vk-tip", className: "vk-tip", hidden: true });
  box.setAttribute("role", "tooltip");
  let shown = null, timer = 0, touched = false;

  function show(target) {
    clearTimeout(timer);
    if (shown === target) return;
    hide();
    shown = target;
    target.setAttribute("aria-describedby", box.id);
    const facts = target.dataset.tip.split(" · ");
    const lines = facts.map((fact) => Object.assign(document.createElement("p"), { textContent: fact }));
    if (target.href) {
      const textContent = touched ? "Tap again for its record." : "Click for its record.";
      lines.push(Object.assign(document.createElement("p"), { className: "vk-tip-hint", textContent }));
    }
    box.replaceChildren(...lines);
    box.hidden = false;
    const number = target.getBoundingClientRect(), { width, height } = box.getBoundingClientRect();
    const left = Math.max(GAP, Math.min(number.left, document.documentElement.clientWidth - width - GAP));
    const below = number.bottom + GAP + height <= window.innerHeight;
    const top = below ? number.bottom + GAP : Math.max(GAP, number.top - GAP - height);
    Object.assign(box.style, { left: `${left + window.scrollX}px`, top: `${top + window.scrollY}px` });
  }

  function hide() {
    clearTimeout(timer);
    if (shown) shown.removeAttribute("aria-describedby");
    shown = null;
    box.hidden = true;
  }

  const hideSoon = () => { clearTimeout(timer); timer = setTimeout(hide, HIDE_AFTER); };
  const numberAt = (event) => event.target.closest?.("[data-tip]");

  document.addEventListener("DOMContentLoaded", () => {
    document.body.append(box);
    document.querySelectorAll(".vk[title]").forEach((number) => {
      number.dataset.tip = number.title;
      number.removeAttribute("title");
      if (!number.href) number.tabIndex = 0;
    });
  });
  document.addEventListener("pointerdown", (event) => { touched = event.pointerType !== "mouse"; }, true);
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "mouse") return;
    const number = numberAt(event);
    if (number) show(number);
    else if (box.contains(event.target)) clearTimeout(timer);
    else if (shown) hideSoon();
  });
  document.addEventListener("focusin", (event) => {
    const number = numberAt(event);
    if (number && !touched) show(number); else if (!number) hide();
  });
  document.addEventListener("focusout", (event) => { if (event.target === shown) hideSoon(); });
  document.addEventListener("keydown", (event) => {
    touched = false;
    if (event.key === "Escape") hide();
  });
  document.addEventListener("click", (event) => {
    const number = numberAt(event);
    if (touched && number && shown !== number) {
      event.preventDefault();
      show(number);
    } else if (!number && !box.contains(event.target)) hide();
  });

  /* What opens over the page closes by Escape, by a link in it and by a click beside it. */
  document.addEventListener("DOMContentLoaded", () => {
    const legend = document.querySelector("details.vk-legend");
    const contents = document.getElementById("pst-secondary-sidebar-checkbox");
    const close = () => { if (legend) legend.open = false; if (contents) contents.checked = false; };
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
    document.addEventListener("click", (event) => {
      if (legend && !legend.contains(event.target)) legend.open = false;
      if (contents && event.target.closest(".bd-sidebar-secondary a")) contents.checked = false;
    });
  });
})();
