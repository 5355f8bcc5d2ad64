import { factHeader, formatFact, parseFacts } from "@mote/bic";
import fc from "fast-check";
import { mutatedText } from "../mutations.js";
import { assert, target } from "../target.js";

const digest = fc.constantFrom(`sha256:${"a".repeat(64)}`, `sha256:${"b".repeat(64)}`, "sha256:x");
const time = { sequence: fc.nat(), lastSeenMs: fc.nat() };
const place = { transport: fc.string(), scope: fc.string(), digest, location: fc.string() };
const line = fc
  .oneof(
    fc.record({ fact: fc.constant("pair"), digest, untransformed: digest, ...time }),
    fc.record({ fact: fc.constant("transformer"), digest, name: fc.string(), ...time }),
    fc.record({ fact: fc.constantFrom("location", "absence", "?"), ...place, ...time }),
    fc.jsonValue({ maxDepth: 1 }),
  )
  .map((json) => `${JSON.stringify(json)}\n`);

export const fact = target(
  "exported facts of a blob-info cache: parseFacts",
  mutatedText(fc.array(line, { maxLength: 5 }).map((lines) => factHeader + lines.join(""))),
  async (text) => {
    for await (const found of parseFacts([text])) {
      for await (const again of parseFacts([factHeader, formatFact(found)])) {
        assert(JSON.stringify(again) === JSON.stringify(found), "a written fact is parsed unchanged");
      }
    }
  },
);
