/* Tables that a reader sorts by a click on a heading and narrows by a word or an evidence level.

   Why a script of our own and not a library: what makes these tables different is what a library does not know. An
   outcome such as OOM and a missing measurement are no numbers and stay last in either direction, two rows of headings
   span columns, a cell holds a value and its interval, and a row is the target of links. DataTables brings jQuery,
   Tabulator and Grid.js replace the table, and with it what print, links and readers without scripts rely on. Here the
   page works without the script, and the script only puts rows in another order or out of sight. */
"use strict";
(() => {
  const ROWS_TO_SORT = 2, ROWS_TO_FILTER = 6;
  const LEVELS = ["measured", "derived", "published", "estimated"];
  const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

  /* A number sorts as such, words by their letters, and what is no result comes last. */
  function key(cell) {
    const number = cell.querySelector("[data-amount]");
    if (number) return { rank: 0, amount: Number(number.dataset.amount.replace("inf", "Infinity")) };
    const text = cell.textContent.trim();
    if (cell.querySelector(".vk-ended")) return { rank: 2, text };
    return text && !cell.querySelector(".vk-missing") ? { rank: 1, text } : { rank: 3, text };
  }

  function compare(one, other, direction) {
    if (one.rank !== other.rank) return one.rank - other.rank;
    return direction * (one.rank ? words.compare(one.text, other.text) : one.amount - other.amount);
  }

  function sortable(table, rows) {
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    heads.forEach((head, column) => {
      const label = head.querySelector("p") || head;
      if (!label.textContent.trim()) return;
      const button = make("button", { type: "button", className: "vk-sort" });
      button.append(...label.childNodes);
      label.append(button);
      button.addEventListener("click", () => {
        const next = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort || "none"];
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        if (next !== "none") head.setAttribute("aria-sort", next);
        const direction = next === "descending" ? -1 : 1;
        const order = next === "none" ? rows : rows
          .map((row) => ({ row, key: key(row.cells[column]) }))
          .sort((one, other) => compare(one.key, other.key, direction))
          .map((item) => item.row);
        table.tBodies[0].append(...order);
      });
    });
  }

  function filterable(table, rows, box) {
    const bar = make("form", { className: "vk-filter" });
    const search = make("input", { type: "search", autocomplete: "off" });
    const label = make("label", { textContent: "Filter rows " });
    label.append(search);
    bar.append(label);
    const held = LEVELS.filter((kind) => kind !== "derived" && table.querySelector(`tbody .vk-${kind}`));
    const select = make("select", {});
    if (held.length > 1) {
      select.append(...["any evidence level", ...held].map((text) => make("option", { textContent: text })));
      const with_values = make("label", { textContent: "with values " });
      with_values.append(select);
      bar.append(with_values);
    }
    const count = make("output", {});
    bar.append(count);
    const apply = () => {
      const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const kind = select.selectedIndex > 0 ? `.vk-${select.value}` : null;
      rows.forEach((row) => {
        const text = row.textContent.toLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word)) || Boolean(kind && !row.querySelector(kind));
      });
      const shown = rows.filter((row) => !row.hidden).length;
      count.textContent = shown === rows.length ? "" : `${shown} of ${rows.length} rows`;
    };
    bar.addEventListener("input", apply);
    bar.addEventListener("submit", (event) => event.preventDefault());
    /* A link to a row has to find it. */
    window.addEventListener("hashchange", () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (target && rows.includes(target) && target.hidden) {
        search.value = "";
        select.selectedIndex = 0;
        apply();
        target.scrollIntoView();
      }
    });
    box.before(bar);
  }

  /* What scrolls sideways has to be seen to do so, and to scroll by keys as well. */
  function reachable(box, name) {
    const scrolls = box.scrollWidth > box.clientWidth + 1;
    const at_end = () => box.scrollLeft + box.clientWidth > box.scrollWidth - 4;
    box.classList.toggle("vk-scrolls", scrolls);
    box.classList.toggle("vk-scrolled", scrolls && at_end());
    box.onscroll = scrolls ? () => box.classList.toggle("vk-scrolled", at_end()) : null;
    if (scrolls) box.tabIndex = 0; else box.removeAttribute("tabindex");
    if (scrolls && name) {
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", name);
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const boxes = [...document.querySelectorAll(".vk-table")];
    boxes.forEach((box) => {
      const table = box.querySelector("table");
      if (!table || !table.tHead || !table.tBodies.length) return;
      const rows = [...table.tBodies[0].rows];
      if (rows.length >= ROWS_TO_SORT) sortable(table, rows);
      if (rows.length >= ROWS_TO_FILTER) filterable(table, rows, box);
    });
    /* A table that a page types has the box of the theme. */
    const typed = [...document.querySelectorAll(".pst-scrollable-table-container")].filter((box) => !box.closest(".vk-table"));
    const measure = () => {
      [...boxes, ...typed].forEach((box, place) => reachable(box, `Table ${place + 1}, which scrolls sideways`));
      document.querySelectorAll("figure.vk-figure").forEach((figure) => reachable(figure, ""));
    };
    measure();
    window.addEventListener("resize", measure);
    window.addEventListener("load", measure);
  });
})();
