// The access token of a server that asks for one: kept for the browser's tab, never in an address.

import { element } from "./dom.js";

const KEY = "islandflow.token";

/** The token that was entered in this tab, or null. */
export const heldToken = () => sessionStorage.getItem(KEY);

/** A form that takes the token and loads the page again with it. */
export function tokenForm() {
  const input = element("input", {
    type: "password",
    name: "token",
    autocomplete: "off",
    required: true,
  });
  const form = element(
    "form",
    { class: "token" },
    element("label", {}, "Access token ", input),
    element("button", { type: "submit" }, "Use"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, input.value);
    location.reload();
  });
  return form;
}
