import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { readAuthFile } from "../../../../packages/registry/src/auth/auth-file.js";
import { parseChallenges } from "../../../../packages/registry/src/auth/challenge.js";
import { dockerCredentials } from "../../../../packages/registry/src/auth/docker-credentials.js";
import { linkTarget } from "../../../../packages/registry/src/http/link-header.js";
import { redact } from "../../../../packages/registry/src/http/redact.js";
import { parseRange } from "../../../../packages/server/src/blobs/byte-range.js";
import { mutatedText, oddNumbers, pieces } from "../mutations.js";
import { assert, target } from "../target.js";

const challengeWords = [
  "Bearer ",
  "Basic ",
  "Negotiate ",
  "realm=",
  '"',
  "\\",
  '\\"',
  ",",
  " ",
  "\t",
  "=",
  "==",
  "https://auth.example/token",
  "service=",
  "scope=",
  "repository:a/b:pull,push",
  "error=",
  "YWJj",
  "a",
  ";",
];
const validChallenge = fc
  .array(
    fc.tuple(
      fc.constantFrom("Bearer", "Basic", "Digest"),
      fc.dictionary(fc.constantFrom("realm", "service", "scope"), fc.string()),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((challenges) =>
    challenges
      .map(
        ([scheme, parameters]) =>
          `${scheme} ${Object.entries(parameters)
            .map(([name, value]) => `${name}="${value.replace(/["\\]/g, "\\$&")}"`)
            .join(",")}`,
      )
      .join(", "),
  );

export const challenge = target(
  "WWW-Authenticate headers: parseChallenges",
  fc.array(fc.oneof(mutatedText(validChallenge), pieces(challengeWords)), { minLength: 1, maxLength: 2 }),
  (values) => {
    for (const { scheme, parameters } of parseChallenges(values)) {
      assert(scheme === scheme.toLowerCase(), "schemes are in lower case");
      assert(Object.getPrototypeOf(parameters) === null, "parameters have no prototype");
    }
  },
);

export const link = target(
  "Link headers of registries: linkTarget",
  fc.array(
    fc.oneof(
      mutatedText(
        fc.constantFrom(
          '</v2/a?n=1&last=b>; rel="next"',
          '</a>; rel="first", <https://r.example/b>; title="c, d"; rel=next',
        ),
      ),
      pieces([
        "<",
        ">",
        "</v2/a>",
        ";",
        ",",
        " ",
        "rel=",
        '"',
        "next",
        "prev",
        "\\",
        "title=",
        "=",
        "<http://r.example/>",
      ]),
    ),
    { minLength: 1, maxLength: 2 },
  ),
  (values) => {
    const found = linkTarget(values, "next");
    assert(found === undefined || values.some((value) => value.includes(found)), "the target is part of the header");
  },
);

export const contentRange = target(
  "Range headers of clients: parseRange",
  fc.tuple(
    fc.oneof(
      pieces(["bytes=", "BYTES=", "-", ",", " ", "0", "1", "99", ...oddNumbers]),
      fc
        .tuple(fc.constantFrom("", "0", "5", ...oddNumbers), fc.constantFrom("", "0", "9", ...oddNumbers))
        .map(([a, b]) => `bytes=${a}-${b}`),
    ),
    fc.oneof(fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER), fc.nat()),
  ),
  ([header, size]) => {
    const range = parseRange(header, size);
    if (range === undefined || range === "unsatisfiable") return;
    const { start, end } = range;
    assert(Number.isSafeInteger(start) && Number.isSafeInteger(end), "both ends are integers");
    assert(start >= 0 && start < end && end <= size, "the range is within the blob, and not empty");
  },
);

export const redaction = target(
  "bodies of error responses: redact",
  fc.tuple(
    pieces([
      "https://",
      "http://",
      "user:secret@",
      "host.example",
      "/",
      "?",
      "&",
      "=",
      "X-Amz-Signature=",
      "secret",
      "%",
      "@",
      ":",
      "<",
      ">",
      '"',
      " ",
      "\n",
    ]),
    fc.array(fc.constantFrom("secret", "user", "a", ""), { maxLength: 3 }),
  ),
  ([text, secrets]) => {
    const shown = redact(text, secrets);
    for (const secret of secrets) if (secret.length >= 3) assert(!shown.includes(secret), "no secret remains");
  },
);

const folder = mkdtempSync(join(tmpdir(), "mote-fuzz-auth-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const login = fc.oneof(
  fc.record({ auth: fc.oneof(fc.base64String(), fc.constantFrom("dXNlcjpwYXNz", "dXNlcg==", ""), fc.string()) }),
  fc.record(
    { identitytoken: fc.string(), registrytoken: fc.string(), username: fc.string(), password: fc.string() },
    { requiredKeys: [] },
  ),
  fc.jsonValue({ maxDepth: 1 }),
);
const authDocument = fc.record(
  {
    auths: fc.oneof(
      {
        weight: 5,
        arbitrary: fc.dictionary(
          fc.constantFrom(
            "registry.example",
            "https://registry.example/v1/",
            "registry.example/a",
            "docker.io",
            "__proto__",
            "",
          ),
          login,
        ),
      },
      { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 1 }) },
    ),
    HttpHeaders: fc.jsonValue({ maxDepth: 1 }),
    // No helper is started, because no name could be that of a program.
    credHelpers: fc.constantFrom({}, [], null, 1, { "other.example": 1 }),
    credsStore: fc.constantFrom(1, null, {}),
  },
  { requiredKeys: [] },
);

export const authFile = target(
  "auth files of docker and podman: readAuthFile, dockerCredentials",
  mutatedText(
    fc.oneof(
      { weight: 20, arbitrary: authDocument.map((document) => JSON.stringify(document)) },
      { weight: 1, arbitrary: pieces(["[", "{", '"auths"', ":", '"', "}"]) },
    ),
  ),
  async (text) => {
    const path = join(folder, "config.json");
    writeFileSync(path, text);
    try {
      await readAuthFile(path);
    } finally {
      const logins = dockerCredentials({ paths: [path], env: {} });
      for (const registry of ["registry.example", "docker.io"]) await logins.get(registry, "a/b");
    }
  },
);
