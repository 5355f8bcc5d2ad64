// Started by the tests, with the built package: records locations until it is killed, and prints the number of each.
import { RedisBlobInfoCache } from "@mote/bic-redis";
import { digestBytes } from "@mote/core";

const [, , url, from = "0"] = process.argv;
const cache = new RedisBlobInfoCache(url);
for (let i = Number(from); ; i++) {
  await cache.recordKnownLocation("t", "s", digestBytes(new TextEncoder().encode(String(i))), "here");
  process.stdout.write(`${i}\n`);
}
