// The page can be read without this. A reader who has JavaScript sees what a cell of the confusion
// matrix stands for as soon as the cell is pointed at or reached by keyboard.
"use strict";

(function () {
  for (const matrix of document.querySelectorAll("[data-matrix]")) {
    const panels = document.getElementById(matrix.dataset.matrix);
    const links = Array.from(matrix.querySelectorAll("a[href^='#']"));
    const most = panels.querySelector(".most");
    let kept = links.find((link) => link.hash === location.hash)
      || links.find((link) => most && link.hash === "#" + most.id) || null;

    const show = function (link) {
      for (const panel of panels.querySelectorAll("[data-panel]")) {
        panel.classList.toggle("shown", link !== null && link.hash === "#" + panel.id);
      }
      for (const other of links) {
        other.classList.toggle("chosen", other === link);
      }
    };

    // One stop for Tab; the arrow keys go from cell to cell.
    const keep = function (link) {
      for (const other of links) {
        other.tabIndex = other === link ? 0 : -1;
      }
      kept = link;
      show(link);
    };

    panels.classList.add("live");
    for (const link of links) {
      link.tabIndex = link === (kept || links[0]) ? 0 : -1;
      link.addEventListener("mouseenter", () => show(link));
      link.addEventListener("mouseleave", () => show(kept));
      link.addEventListener("focus", () => keep(link));
      link.addEventListener("click", (event) => {
        event.preventDefault();
        keep(link);
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
    show(kept);
  }
})();

// Tables that are sorted by the column whose head is pressed: by the numbers of <data>, else by text.
(function () {
  const key = function (row, column) {
    const cell = row.cells[column];
    const number = cell.querySelector("data");
    if (number) {
      return number.value === "" ? null : Number(number.value);
    }
    return cell.textContent.trim() || null;
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = Array.from(table.tHead.rows[0].cells);
    for (const [column, head] of heads.entries()) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) {
          other.removeAttribute("aria-sort");
        }
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = Array.from(table.tBodies[0].rows);
        rows.sort((one, other) => {
          const [first, second] = [key(one, column), key(other, column)];
          if (first === null || second === null) {
            return (first === null) - (second === null);
          }
          const order = typeof first === "number" ? first - second : first.localeCompare(second);
          return down ? -order : order;
        });
        table.tBodies[0].append(...rows);
      });
    }
  }
})();
