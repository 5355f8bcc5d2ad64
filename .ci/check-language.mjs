// Words and phrases that this project does not use, each with what to say instead: in sources, tests, docs and the help, which
// docs/reference/cli.md is a snapshot of. `--count` prints how often each occurs.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Each row: what is banned, what to say instead, and, where it is a word of the field elsewhere, the files that may say it. */
const banned = [
  [/\b(?:he|him|his|himself)\b/i, "it, the caller, the user"],
  [
    /(?<!\b(?:there|if|where) )\b(?:is|are|was) no (?!longer\b|more\b|less\b|later\b|such\b)[a-z]+/i,
    "is not a valid …, has no …, does not exist",
  ],
  [/\bhas no use for\b/i, "unexpected argument"],
  [/\banew\b/i, "again, or the exact verb"],
  [
    /\bfaults?\b(?! (?:injection|enumeration)|\.test\.ts)|[a-z]Faults?\b|\bFault[A-Z]/,
    "error",
    /^apps\/fuzz\/|^packages\/testbed\/|\/test\/|\.test\.ts$/,
  ],
  [/(?<!in-)\bflights?\b|(?<![nN])Flight[A-Z(<]/i, "in-flight fetch"],
  [/\bturnstiles?\b/i, "semaphore"],
  [/\bwish(?:es)?\b|[a-z]Wish\b/i, "request options"],
  [/\brefusals?\b/i, "error response"],
  [/\bleft-?overs?\b/i, "orphans"],
  [/\bsweeps?\b/i, "clean up"],
  [/\bgiven back\b/i, "freed"],
  [/\bmakes? room\b|\bmaking room\b/i, "free disk space"],
  [/\bgo(?:es)? on\b/i, "continue"],
  [/\bsightings?\b/i, "location record"],
  [
    /(?<!["`])\babsences?\b(?![":])/i,
    "negative record",
    /^apps\/cli\/src\/commands\/bic\.ts$|^packages\/(?:bic|bic-lmdb|bic-redis|conformance)\/src\//,
  ],
  [/\blook(?:s|ed)? around\b|\bopen house\b/i, "open read-only, open cache"],
  [/\b(?:im)?patient(?:ly)?\b/i, "short or long retry policy"],
  [/\bdistrusts?\b|\bgivers?\b/i, "report corruption, served by"],
  [/\b(?:lets|let) anybody\b/i, "allows anonymous access"],
  [/\bholes?\b/i, "missing blobs, incomplete image"],
  [/\bdepose[sd]?\b/i, "evict"],
  [/\bwhat is kept\b|\bwhat (?:it|mote) keeps\b/i, "what is stored, the cached content"],
  [/\b(?:reading|second|mirror) places?\b/i, "endpoint, fallback"],
  [/\bhangs? together\b/i, "refers to"],
  [/\bnobody\b|\banybody\b|\bsomebody\b|\beverybody\b/i, "no one, anyone, or name who: no process, any user"],
  [/\bis done with (?:it|them|each)\b/i, "no longer needs"],
  [/\bby (?:itself|themselves)\b/i, "automatically, alone, on their own"],
  [/, also if\b/i, "even if, including when"],
  [/\bany more\b/i, "no longer"],
  [/\b(?:breaks?|broke) off\b/i, "is interrupted"],
  [/\bgo(?:es)? away\b|\bwent away\b/i, "disconnects"],
  [/\bagain and again\b|\ball the time\b|\bnow and then\b/i, "repeatedly, keeps …, at intervals"],
  [/\b(?:a|one)(?: \w+)? a line\b/i, "one … per line"],
  [/\ba (?:bucket|Redis|secret|store)(?: or (?:a )?Redis)? in common\b/i, "a shared …"],
  [/\b(?:is|are) not asked\b/i, "gets no request"],
  [/\bthe right to (?:push|pull)\b/i, "permission to …"],
];

const sources = /^(?:packages|apps)\/[^/]+\/(?:src|test)\/.*\.(?:ts|mjs)$|^(?:docs\/test|examples)\/.*\.ts$/;
const prose =
  /^(?:README|ARCHITECTURE|CONTRIBUTING|SECURITY)\.md$|^docs\/(?!api\/|captures\/|benchmarks).*\.md$|^(?:packages|apps)\/[^/]+\/README\.md$/;
const glossary = "docs/glossary.md";

const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" })
  .split("\n")
  .filter((file) => (sources.test(file) || prose.test(file)) && file !== glossary);
const counts = new Map();
let found = 0;
for (const file of files) {
  for (const [index, line] of readFileSync(file, "utf8").split("\n").entries()) {
    for (const [pattern, instead, except] of banned) {
      const match = line.match(pattern);
      if (match === null || except?.test(file)) continue;
      found++;
      counts.set(pattern, (counts.get(pattern) ?? 0) + 1);
      if (!process.argv.includes("--count")) console.error(`${file}:${index + 1}: "${match[0]}": say ${instead}`);
    }
  }
}
if (process.argv.includes("--count")) for (const [pattern, count] of counts) console.log(count, String(pattern));
console.log(`${files.length} files, ${found} banned phrases.`);
if (found > 0) process.exitCode = 1;
