import type { ContentEvent } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Intercept, refuse, serveImage } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf } from "../../test/outcome.js";
import { TestClock } from "../../test/test-clock.js";
import { RegistryClient, type RegistryClientOptions } from "../client.js";
import { MirroredRepository } from "../mirrors/mirrored-repository.js";
import { RegistryRepository } from "../pull/repository.js";

const image = makeImage(1000);
const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** Does not respond; `asked` resolves when the request has arrived. */
function silence() {
  let tell = () => {};
  const asked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const intercept: Intercept = () => {
    tell();
    return true;
  };
  return { asked, intercept };
}

function open(options: RegistryClientOptions = {}) {
  const clock = new TestClock();
  const events: ContentEvent[] = [];
  const client = new RegistryClient({ retryDelayMs: 1000, ...options, clock, onEvent: (event) => events.push(event) });
  opened.push(client);
  return { clock, client, events };
}

async function serveSilently() {
  const { asked, intercept } = silence();
  const server = await serveImage(image, intercept);
  opened.push(server);
  return { asked, server };
}

describe("within a time limit", () => {
  it("a silent registry is reported after a second, and is a timeout of that host at the end", async () => {
    const { server } = await serveSilently();
    const { clock, client, events } = open();
    const repository = new RegistryRepository(client, { registry: server.host, repository: "a/b" });
    for (const manifestFollows of [true, false]) {
      const resolving = repository.resolve("v1", { timeoutMs: 7000, manifestFollows });
      await clock.timer((ms) => ms === 1000);
      clock.advance(1000);
      expect(events.splice(0)).toMatchObject([{ type: "wait", host: server.host, repository: "a/b" }]);
      clock.advance(6000);
      await expect(resolving).rejects.toMatchObject({ code: "MOTE_TIMEOUT", details: { host: server.host } });
    }
    const reading = repository.manifest(image.manifest, { timeoutMs: 100 });
    await clock.timer((ms) => ms === 100);
    clock.advance(100);
    expect(await codeOf(reading)).toBe("MOTE_TIMEOUT");
  });

  it("a retry that would be too late is not made, and the error is the registry's own", async () => {
    const server = await serveImage(image, (_, response) => {
      refuse(response, 503, "UNAVAILABLE", { "retry-after": "30" });
      return true;
    });
    opened.push(server);
    const { client, events } = open();
    const repository = new RegistryRepository(client, { registry: server.host, repository: "a/b" });
    const resolving = repository.resolve("v1", { timeoutMs: 7000, manifestFollows: true });
    await expect(resolving).rejects.toMatchObject({ code: "MOTE_REGISTRY", details: { status: 503 } });
    expect([server.seen.length, events]).toEqual([1, []]);
  });

  it("a mirror that uses all of its time leaves the same time to the registry itself", async () => {
    const { asked, server: mirror } = await serveSilently();
    const server = await serveImage(image);
    opened.push(server);
    const { clock, client } = open();
    const places = [{ registry: mirror.host, repository: "a/b" }];
    const repository = new MirroredRepository(client, { registry: server.host, repository: "a/b" }, places);
    const resolving = repository.resolve("v1", { timeoutMs: 8000, manifestFollows: true });
    await asked;
    clock.advance(4000);
    expect(await resolving).toEqual(image.manifest);
  });

  it("a silent token service is named in the error", async () => {
    const { asked, server: tokens } = await serveSilently();
    const server = await serveImage(image, (_, response) => {
      const challenge = `Bearer realm="http://${tokens.host}/token",service="s"`;
      refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": challenge });
      return true;
    });
    opened.push(server);
    const { clock, client } = open();
    const repository = new RegistryRepository(client, { registry: server.host, repository: "a/b" });
    const resolving = repository.resolve("v1", { timeoutMs: 7000 });
    await asked;
    clock.advance(7000);
    await expect(resolving).rejects.toMatchObject({
      code: "MOTE_TIMEOUT",
      details: { registry: server.host, host: tokens.host },
    });
  });

  it("an abort by the caller takes precedence, with its reason", async () => {
    const { asked, server } = await serveSilently();
    const { client } = open();
    const abort = new AbortController();
    const repository = new RegistryRepository(client, { registry: server.host, repository: "a/b" });
    const resolving = repository.resolve("v1", { timeoutMs: 7000, signal: abort.signal });
    await asked;
    abort.abort(new Error("enough"));
    await expect(resolving).rejects.toThrow("enough");
  });
});

describe("without a time limit", () => {
  it("the sum of the waits that a registry requires is limited, and each wait is reported with its number", async () => {
    const server = await serveImage(image, (_, response) => {
      refuse(response, 429, "TOOMANYREQUESTS", { "retry-after": "40" });
      return true;
    });
    opened.push(server);
    const { clock, client, events } = open();
    const repository = new RegistryRepository(client, { registry: server.host, repository: "a/b" });
    const resolving = repository.resolve("v1", { manifestFollows: true });
    await clock.timer((ms) => ms === 40_000);
    clock.advance(40_000);
    expect(await codeOf(resolving)).toBe("MOTE_RATE_LIMITED");
    expect(server.seen).toHaveLength(2);
    expect(events.filter(({ type }) => type === "retry")).toMatchObject([
      { host: server.host, attempt: 1, retries: 4, delayMs: 40_000, reason: "429" },
    ]);
  });

  it("closing the client ends the retries of a token for which no caller waits", async () => {
    const tokens = await serveImage(image, (_, response) => {
      refuse(response, 503, "UNAVAILABLE", { "retry-after": "50" });
      return true;
    });
    const server = await serveImage(image, (_, response) => {
      const challenge = `Bearer realm="http://${tokens.host}/token",service="s"`;
      refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": challenge });
      return true;
    });
    opened.push(tokens, server);
    const { clock, client } = open();
    const repository = new RegistryRepository(client, { registry: server.host, repository: "a/b" });
    const resolving = repository.resolve("v1");
    await clock.timer((ms) => ms === 50_000);
    await client.close();
    expect(await codeOf(resolving)).toBe("MOTE_CLOSED");
  });
});
