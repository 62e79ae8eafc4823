// The rows of bins out of the binary messages of one connection: together they are one Arrow IPC
// stream, the schema first and then one record batch per bin.

import { RecordBatchReader } from "apache-arrow/ipc/reader";

/**
 * The messages of one connection, taken whole.
 *
 * The package's reader of endless streams asks for one chunk more than it needs, so it would hand
 * out every bin one bin late. The schema is read again with every batch instead: it is short.
 */
export class ArrowRows {
  #schema = null;

  /** The columns of a record batch by name, or null for the schema. */
  push(bytes) {
    if (this.#schema === null) {
      this.#schema = bytes;
      return null;
    }
    const [batch] = RecordBatchReader.from([this.#schema, bytes]);
    return new Map(batch.schema.fields.map(({ name }) => [name, batch.getChild(name).toArray()]));
  }
}
