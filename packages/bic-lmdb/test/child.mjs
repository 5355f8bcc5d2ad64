// Started by the tests, with the built package: uses a file in one way, and prints results as JSON lines.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { createInterface } from "node:readline";
import { LmdbBlobInfoCache } from "@mote/bic-lmdb";
import { digestBytes } from "@mote/core";

const [, , verb, path, from = "0", count = "1"] = process.argv;
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const digest = (name) => digestBytes(new TextEncoder().encode(String(name)));
const warnings = [];
const warn = (message, details) => warnings.push({ message, code: details?.code, setAsideAs: details?.setAsideAs });
const logger = { debug() {}, info() {}, warn, error: warn };
const cache = new LmdbBlobInfoCache(path, { logger });
const knows = async (name) =>
  (await cache.candidateLocations("t", "s", digest(name), { canSubstitute: true })).length > 0;
const record = (name) => cache.recordKnownLocation("t", "s", digest(name), `location of ${name}`);

if (verb === "exhaust") {
  await import("lmdb");
  const { openSync } = await import("node:fs");
  try {
    for (;;) openSync("/dev/null");
  } catch {
    await record("new");
  }
  const { mode } = await cache.statistics();
  say({ mode, warnings });
} else if (verb === "use") {
  let known = 0;
  for (let i = 0; i < 200; i++) if (await knows(i)) known++;
  const codes = [];
  const names = Array.from({ length: Number(count) }, (_, i) => `${from}-${i}`);
  for (const name of names) await record(name).catch((error) => codes.push(error.code));
  let recorded = 0;
  for (const name of names) if (await knows(name)) recorded++;
  const { mode } = await cache.statistics();
  say({ known, recorded, codes, mode, warnings });
} else if (verb === "record") {
  for (let i = Number(from); ; i++) {
    await record(i);
    say(i);
  }
} else if (verb === "reopen") {
  const { nativeAddon } = await import("lmdb");
  const options = { path, maxDbs: 12, mapSize: 0x20000, maxReaders: 1024, keyBytes: new Uint8Array(64) };
  const fileNotFolder = 0x4000;
  for (;;) {
    const environment = new nativeAddon.Env();
    environment.open(options, fileNotFolder, 0);
    environment.close();
  }
} else if (verb === "stop") {
  // Stops in the first transaction, after it has written its mark.
  const { writeSync } = fs;
  fs.writeSync = (...args) => {
    const written = writeSync(...args);
    process.kill(process.pid, "SIGSTOP");
    fs.writeSync = writeSync;
    syncBuiltinESMExports();
    return written;
  };
  await cache.open();
  syncBuiltinESMExports();
  await record("stopped");
} else if (verb === "serve") {
  for await (const name of createInterface(process.stdin)) {
    await record(name);
    say("recorded");
  }
}
await cache.close();
