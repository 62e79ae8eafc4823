// One published signal over its WebSocket: greeting, resuming, waiting between attempts. What the
// bins mean is bin_history.js; how they look is live.js.

import { ArrowRows } from "./arrow_rows.js";
import { heldToken } from "./token.js";

const REFUSED = 1008;
const FINISHED = 1000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/**
 * Bins of the stream that a page's own query string names; the server judges that string.
 *
 * `listener` has status(state, text), config(document, resumed), bin(update, columns), ended(bins).
 */
export class SignalStream {
  #listener;
  #address;
  #socket = null;
  #next = null;
  #waitMs = FIRST_WAIT_MS;
  #timer = 0;
  #said = "";

  constructor(query, listener) {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.#address = `${scheme}://${location.host}/v1/vacuum-pressure/stream${query}`;
    this.#listener = listener;
  }

  open() {
    this.#listener.status(
      "connecting",
      this.#next === null ? "connecting" : `resuming at bin ${this.#next}`,
    );
    const socket = new WebSocket(this.#address);
    const connection = { rows: new ArrowRows(), update: null, ended: null };
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify(this.#greeting()));
    socket.onmessage = ({ data }) => this.#guarded(() => this.#take(connection, data));
    socket.onclose = ({ code, reason }) => this.#closed(connection, code, reason);
    this.#socket = socket;
    this.#said = "";
  }

  close() {
    clearTimeout(this.#timer);
    if (this.#socket === null) return;
    this.#socket.onclose = this.#socket.onmessage = null;
    this.#socket.close();
  }

  /** Begin at the stream's present bin, whatever was received before. */
  openAnew() {
    this.close();
    this.#next = null;
    this.open();
  }

  #greeting() {
    const token = heldToken();
    const known = token ? { type: "hello", token } : { type: "hello" };
    return this.#next === null ? known : { ...known, resume_bin: this.#next };
  }

  // A message that cannot be understood will not be understood the next time either.
  #guarded(take) {
    try {
      take();
    } catch (error) {
      this.close();
      this.#listener.status("refused", `the stream cannot be read: ${error.message}`);
    }
  }

  #take(connection, data) {
    if (typeof data !== "string") return this.#takeRows(connection, new Uint8Array(data));
    const message = JSON.parse(data);
    if (message.type === "grid_update") connection.update = message;
    else if (message.type === "runtime_config") this.#listener.config(message, this.#next !== null);
    else if (message.type === "error") this.#said = message.message;
    else if (message.type === "end") connection.ended = message;
  }

  #takeRows(connection, bytes) {
    const columns = connection.rows.push(bytes);
    if (columns === null) return;
    const update = connection.update;
    connection.update = null;
    if (update === null) throw new Error("rows came without their bin");
    const repeated = this.#next !== null && update.bin_seq < this.#next;
    this.#next = Math.max(update.bin_seq + 1, this.#next ?? 0);
    this.#waitMs = FIRST_WAIT_MS;
    if (!repeated) this.#listener.bin(update, columns);
  }

  #closed(connection, code, reason) {
    const why = this.#said || reason;
    if (connection.ended !== null || code === FINISHED) {
      this.#listener.status("ended", "the stream has ended");
      this.#listener.ended(connection.ended?.bins);
      return;
    }
    if (code === REFUSED) {
      this.#listener.status("refused", why || "the server refused the request");
      return;
    }
    const waitMs = this.#waitMs * (0.75 + 0.5 * Math.random());
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
    const again = `trying again in ${(waitMs / 1000).toFixed(1)} s`;
    this.#listener.status(
      "waiting",
      why ? `${why} · ${again}` : `connection lost (${code}) · ${again}`,
    );
    this.#timer = setTimeout(() => this.open(), waitMs);
  }
}
