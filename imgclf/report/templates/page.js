// The page can be read without this. A reader who has JavaScript sees what a cell of the confusion
// matrix stands for as soon as the cell is pointed at or reached by keyboard, and sorts by columns.
"use strict";

(function () {
  for (const matrix of document.querySelectorAll("[data-matrix]")) {
    const panels = document.getElementById(matrix.dataset.matrix);
    const links = Array.from(matrix.querySelectorAll("a[href^='#']"));
    let kept = null;

    const show = function (link) {
      for (const panel of panels.querySelectorAll("[data-panel]")) {
        panel.classList.toggle("shown", link !== null && link.hash === "#" + panel.id);
      }
      for (const other of links) {
        other.classList.toggle("chosen", other === link);
      }
    };

    panels.classList.add("live");
    for (const link of links) {
      link.addEventListener("mouseenter", () => show(link));
      link.addEventListener("mouseleave", () => show(kept));
      link.addEventListener("focus", () => { kept = link; show(link); });
      link.addEventListener("click", (event) => {
        event.preventDefault();
        kept = link;
        show(link);
      });
      link.addEventListener("keydown", (event) => {
        const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
        if (!(event.key in step)) {
          return;
        }
        const cell = link.closest("td");
        const [down, right] = step[event.key];
        let row = cell.parentElement;
        let column = cell.cellIndex;
        while (row) {
          row = down > 0 ? row.nextElementSibling : down < 0 ? row.previousElementSibling : row;
          column += right;
          const next = row && row.cells[column];
          if (!next) {
            return;
          }
          const target = next.querySelector("a");
          if (target) {
            event.preventDefault();
            target.focus();
            return;
          }
        }
      });
    }
  }
})();
