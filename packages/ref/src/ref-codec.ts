import type { RefCodec } from "@mote/core";
import { formatRef } from "./format-ref.js";
import { parseRef } from "./parse-ref.js";
import { transportFromImageName } from "./transport-name.js";
import { knownTransports, type TransportTable } from "./transport-table.js";

/** Creates a codec for a table of transports. */
export function createRefCodec(transports: TransportTable): RefCodec {
  return {
    parse: (text) => parseRef(text, { transports }),
    format: (ref, options) => formatRef(ref, { ...options, transports }),
    transport: (text) => transportFromImageName(text, { transports }),
    transports: transports.recorded,
  };
}

/** The codec of `knownTransports`. */
export const refCodec: RefCodec = createRefCodec(knownTransports);
