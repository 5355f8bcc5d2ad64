import { MoteError, pathTransports, type Ref, type Transport } from "@mote/core";
import { transports } from "./transports.js";

const known: ReadonlySet<string> = new Set(["docker", ...pathTransports]);
const reserved: ReadonlySet<string> = new Set(["http", "https"]);

/** A table of transports, used to parse and format references. */
export class TransportTable<Row extends Transport = Transport> {
  readonly rows: readonly Row[];
  readonly #byName = new Map<string, Row>();
  /** The transports under which locations are recorded in a blob-info cache. */
  readonly recorded: readonly string[];

  /** @throws TypeError for a duplicate or reserved name, or an added row whose prefix is not `NAME://` */
  constructor(rows: readonly Row[]) {
    this.rows = rows;
    for (const row of rows) {
      const { name, prefix } = row;
      const isPlain = /^[a-z][a-z0-9+.-]*$/.test(name) && !reserved.has(name);
      if (!isPlain || this.#byName.has(name)) throw new TypeError(`"${name}" cannot be added as a transport`);
      if (prefix !== `${name}://` && !(known.has(name) && prefix === `${name}:`))
        throw new TypeError(`the transport ${name} must have the prefix ${name}://`);
      this.#byName.set(name, row);
    }
    this.recorded = [...new Set(rows.map(({ recordedAs }) => recordedAs))];
  }

  find(name: string): Row | undefined {
    return this.#byName.get(name);
  }

  /** @throws MOTE_UNSUPPORTED_TRANSPORT */
  of({ transport }: Pick<Ref, "transport">): Row {
    const row = this.#byName.get(transport);
    if (row !== undefined) return row;
    throw new MoteError("MOTE_UNSUPPORTED_TRANSPORT", `${transport} is not a known transport`, {
      details: { transport },
    });
  }
}

/** The built-in transports. */
export const knownTransports = new TransportTable(transports);
