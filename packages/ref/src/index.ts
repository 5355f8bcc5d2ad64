export { type FormatRefOptions, formatRef } from "./format-ref.js";
export { assertMovable } from "./movable.js";
export { type ParseRefOptions, parseRef } from "./parse-ref.js";
export { refCodec } from "./ref-codec.js";
export { transportFromImageName } from "./transport-name.js";
