// The link from a run to its stream. Only an address of this page is followed.

import { runDetail } from "./api.js";
import { element } from "./dom.js";

/** A button that opens the stream of a run; without `url` the server is asked for it. */
export function streamButton(run, url = null) {
  const label = `open the stream of ${run.signal}, run ${run.run_id.slice(0, 8)}`;
  const button = element(
    "button",
    { type: "button", class: "stream", "aria-label": label },
    "Open stream",
  );
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    button.disabled = true;
    try {
      follow(url ?? (await runDetail(run.run_id)).streaming_url);
    } catch (error) {
      button.textContent = error.message;
    }
  });
  return button;
}

function follow(url) {
  const target = new URL(url ?? "", location.href);
  if (!url || target.origin !== location.origin) throw new Error("Cannot be streamed");
  location.assign(target);
}
