import { formatRef, parseRef, transportFromImageName } from "@mote/ref";
import fc from "fast-check";
import { mutatedText, pieces } from "../mutations.js";
import { assert, target } from "../target.js";

const transports = [
  "docker://",
  "oci:",
  "oci-archive:",
  "docker-archive:",
  "dir:",
  "tarball:",
  "containers-storage:",
  "docker-daemon:",
  "https://",
  "http://",
];
const hosts = [
  "localhost",
  "127.0.0.1:5000",
  "[::1]:5000",
  "registry.example",
  "docker.io",
  "index.docker.io",
  "Registry.Example:443",
];
const words = [
  ...transports,
  ...hosts,
  "/",
  ":",
  "@",
  "~",
  "..",
  ".",
  "-",
  "_",
  "__",
  "a",
  "library",
  "App",
  "v1.0",
  "sha256:",
  "a".repeat(64),
  "a".repeat(256),
  "é",
  "\\",
  "#",
  "?",
  "%2f",
  " ",
];
const valid = fc
  .tuple(
    fc.constantFrom("", ...transports),
    fc.constantFrom("", ...hosts),
    fc.array(fc.constantFrom("a", "b-c", "d__e"), { minLength: 1, maxLength: 4 }),
    fc.constantFrom("", ":v1", `@sha256:${"b".repeat(64)}`),
  )
  .map(([transport, host, path, end]) => transport + [host, ...path].filter(Boolean).join("/") + end);

export const reference = target(
  "references: parseRef, formatRef, transportFromImageName",
  fc.oneof(mutatedText(valid), pieces(words)),
  (text) => {
    transportFromImageName(text);
    const ref = parseRef(text);
    const formatted = formatRef(ref, { scheme: true });
    assert(
      JSON.stringify(parseRef(formatted)) === JSON.stringify(ref),
      `"${formatted}" is read as what it was written from`,
    );
  },
);
