import type { RefCodec } from "@mote/core";
import { formatRef } from "./format-ref.js";
import { parseRef } from "./parse-ref.js";
import { transportFromImageName } from "./transport-name.js";

/** This package as what core's algorithms are given. */
export const refCodec: RefCodec = {
  parse: (text) => parseRef(text),
  format: (ref, options) => formatRef(ref, options),
  transport: transportFromImageName,
};
