// Draws the plots of a report from the data beside them, and lets its tables sort.

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = element("button", "", null, head.textContent);
    button.type = "button";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => {
        const cell = row.cells[column];
        return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
      };
      const rows = [...table.tBodies[0].rows].sort((one, other) => {
        const a = value(one), b = value(other);
        const order = typeof a === typeof b ? (a < b ? -1 : Number(a > b)) : typeof a === "number" ? 1 : -1;
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows);
    });
  });
}

const plots = JSON.parse(document.getElementById("plots").textContent);
document.querySelectorAll("figure[data-plot]").forEach((holder) => {
  new Plot(holder, plots[Number(holder.dataset.plot)]);
});
document.querySelectorAll("table").forEach(sortable);
document.body.dataset.drawn = String(plots.length);
