export type { Encoder } from "./encoder.js";
export { builtInEncoders, type Encoders } from "./encoders.js";
export { type Replayed, type ReplayOptions, replay, replayWith } from "./replay.js";
