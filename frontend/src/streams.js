// What can be watched: the published names, each a link to its live view.

import { published } from "./api.js";
import { element, refill } from "./dom.js";
import { tokenForm } from "./token.js";

/** Fill the list of streams. */
export async function showStreams(target) {
  refill(target, element("p", { class: "note" }, "Loading …"));
  try {
    const { aliases } = await published();
    refill(target, ...contents(aliases));
  } catch (error) {
    refill(
      target,
      element("p", { class: "error", role: "alert" }, error.message),
      ...(error.status === 401 ? [tokenForm()] : []),
    );
  }
}

function contents(aliases) {
  const signals = aliases.filter(({ kind }) => kind === "signal");
  if (!signals.length) {
    return [
      element(
        "p",
        { class: "note" },
        "No signal is published. A promoted experiment appears here under its alias.",
      ),
    ];
  }
  const rows = signals.map(({ alias, serving_id: id }) => {
    const link = element("a", { href: `/?${new URLSearchParams({ serving: alias })}` }, alias);
    return element("tr", {}, element("td", {}, link), element("td", { class: "identity" }, id));
  });
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, "alias"),
    element("th", { scope: "col" }, "serving"),
  );
  return [element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))];
}
