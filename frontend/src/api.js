// The server's documents. The stream of bins is stream.js.

import { heldToken } from "./token.js";

/** What the server said instead of an answer. */
export class Refusal extends Error {
  constructor(status, error) {
    const hints = (error.hints ?? []).map((hint) => ` ${hint}`).join("");
    super(`${error.message ?? `the server answered ${status}`}${hints}`);
    this.status = status;
  }
}

/** Runs with their metrics, and what they can be filtered by. */
export const runs = (filters) => read("/v1/experiments/runs", filters);

/** One run at every threshold. */
export const runDetail = (runId) =>
  read(`/v1/experiments/runs/${encodeURIComponent(runId)}/detail`);

/** The names under which something is published. */
export const published = () => read("/v1/serving");

async function read(path, filters = {}) {
  const given = Object.entries(filters).filter(([, value]) => value !== "" && value != null);
  const query = new URLSearchParams(given).toString();
  const token = heldToken();
  const headers = token
    ? { accept: "application/json", authorization: `Bearer ${token}` }
    : { accept: "application/json" };
  const response = await fetch(query ? `${path}?${query}` : path, { headers });
  const document = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, document.error ?? {});
  return document;
}
