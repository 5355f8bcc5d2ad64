export { type FormatRefOptions, formatRef } from "./format-ref.js";
export { assertMovable, type MovableOptions } from "./movable.js";
export { type ParseRefOptions, parseRef } from "./parse-ref.js";
export { createRefCodec, refCodec } from "./ref-codec.js";
export { transportFromImageName } from "./transport-name.js";
export { knownTransports, TransportTable } from "./transport-table.js";
