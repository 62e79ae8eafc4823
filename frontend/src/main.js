// Which view the address asks for: a query string is a stream's, `#streams` the list of streams,
// anything else the experiments.

import { ExperimentsView } from "./experiments.js";
import { LiveView } from "./live.js";
import { showStreams } from "./streams.js";

const LIST = "#streams";
const find = (id) => document.getElementById(id);

function start() {
  const query = location.search;
  if (query) {
    reveal("live");
    return new LiveView(find, query);
  }
  addEventListener("hashchange", ({ oldURL }) => {
    if ((new URL(oldURL).hash === LIST) !== (location.hash === LIST)) location.reload();
  });
  if (location.hash === LIST) {
    reveal("streams");
    return showStreams(find("streams-body"));
  }
  reveal("experiments");
  return new ExperimentsView(find);
}

function reveal(name) {
  for (const view of document.querySelectorAll("main > section")) view.hidden = view.id !== name;
  const current = name === "experiments" ? "experiments" : "live";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === current) link.setAttribute("aria-current", "page");
  }
}

start();
