"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, i) => {
    const cell = row.cells[i];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = parseFloat(text);
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b, down) => {
    if (typeof a === typeof b) return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
    // numbers before dashes and words, whichever end they begin at
    return typeof a === "number" ? -1 : 1;
  };
  heads.forEach((head, i) => head.querySelector("button").addEventListener("click", () => {
    const numeric = [...table.tBodies[0].rows].some((row) => typeof key(row, i) === "number");
    const before = head.getAttribute("aria-sort");
    const down = before ? before === "ascending" : numeric;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].sort((a, b) => compare(key(a, i), key(b, i), down));
    table.tBodies[0].append(...rows);
  }));
}
