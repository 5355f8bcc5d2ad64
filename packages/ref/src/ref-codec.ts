import type { RefCodec } from "@mote/core";
import { formatRef } from "./format-ref.js";
import { parseRef } from "./parse-ref.js";
import { transportFromImageName } from "./transport-name.js";
import { knownTransports, type TransportTable } from "./transport-table.js";

/** Returns a table of transports as the codec that core's algorithms are given. */
export function createRefCodec(transports: TransportTable): RefCodec {
  return {
    parse: (text) => parseRef(text, { transports }),
    format: (ref, options) => formatRef(ref, { ...options, transports }),
    transport: (text) => transportFromImageName(text, { transports }),
    transports: transports.recorded,
  };
}

/** The codec of the transports that mote knows. */
export const refCodec: RefCodec = createRefCodec(knownTransports);
