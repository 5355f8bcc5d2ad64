import type { ContentEvent } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { cutAfter, type Intercept, refuse, serveImage } from "../test/fake-registry.js";
import { makeImage } from "../test/image.js";
import { codeOf, read, sameBytes } from "../test/outcome.js";
import { serve } from "../test/server.js";
import { RegistryClient, type RegistryClientOptions } from "./client.js";
import { RegistryRepository } from "./pull/repository.js";

const image = makeImage(300_000);
const [layer = image.config] = image.layers;
const bytes = image.blobs.get(layer.digest) ?? new Uint8Array();

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function start(intercept: Intercept, options: RegistryClientOptions = {}) {
  const events: ContentEvent[] = [];
  const server = await serveImage(image, intercept);
  const client = new RegistryClient({ retryDelayMs: 1, ...options, onEvent: (event) => events.push(event) });
  opened.push(server, client);
  const repository = new RegistryRepository(client, { registry: server.host, repository: "a/b" });
  return { server, client, events, repository };
}

async function shownMessage(failed: Promise<unknown>): Promise<string> {
  return failed.then(
    () => "",
    (error) => (error instanceof Error ? error.message : ""),
  );
}

/** Rejects the first `times` requests. */
function refusing(times: number, status: number, headers: Record<string, string> = {}): Intercept {
  let refused = 0;
  return (_, response) => {
    if (refused++ >= times) return false;
    refuse(response, status, "TOOMANYREQUESTS", headers);
    return true;
  };
}

describe("a busy registry", () => {
  it("is retried, and each retry is reported", async () => {
    for (const status of [408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524]) {
      const { repository, events, server } = await start(refusing(2, status));
      expect((await repository.load("v1")).descriptor).toEqual(image.manifest);
      expect(events).toMatchObject([
        { type: "retry", registry: server.host, repository: "a/b", attempt: 1, reason: String(status) },
        { type: "retry", attempt: 2 },
      ]);
    }
  });

  it("is reported to the client's listener, and to that of the call alone", async () => {
    const { repository, events } = await start(refusing(1, 503));
    const ofCall: ContentEvent[] = [];
    const ofOthers: ContentEvent[] = [];
    const other = { onEvent: (event: ContentEvent) => ofOthers.push(event) };
    await repository.load("v1", { onEvent: (event) => ofCall.push(event) });
    await repository.load("v1", other);
    expect(ofCall).toMatchObject([{ type: "retry", repository: "a/b", attempt: 1, reason: "503" }]);
    expect([ofOthers, events]).toEqual([[], ofCall]);
  });

  it("is reported to the listener of a blob while it is read", async () => {
    let cuts = 1;
    const { repository } = await start((request, response) => {
      if (!request.url?.includes(layer.digest) || cuts-- <= 0) return false;
      cutAfter(response, bytes, 1000);
      return true;
    });
    const ofCall: ContentEvent[] = [];
    const reader = await repository.blob(layer, { onEvent: (event) => ofCall.push(event) });
    expect(sameBytes(await read(reader), bytes)).toBe(true);
    expect(ofCall).toMatchObject([{ type: "resume", digest: layer.digest }]);
  });

  it("is retried after Retry-After, in seconds or as a date", async () => {
    for (const header of ["0", new Date(Date.now() - 1000).toUTCString()]) {
      const { repository, events } = await start(refusing(1, 429, { "retry-after": header }));
      await repository.load("v1");
      expect(events).toHaveLength(1);
    }
    const { repository, events } = await start(refusing(1, 503, { "retry-after": "1" }));
    await repository.load("v1");
    expect(events).toMatchObject([{ delayMs: 1000 }]);
  });

  it("is an error with its response after a limited number of requests", async () => {
    const limited = await start(refusing(99, 429), { retries: 2 });
    await expect(limited.repository.load("v1")).rejects.toMatchObject({
      code: "MOTE_RATE_LIMITED",
      details: { registry: limited.server.host, repository: "a/b", status: 429 },
    });
    expect(limited.server.seen).toHaveLength(3);
    const broken = await start(refusing(99, 500), { retries: 2 });
    await expect(broken.repository.load("v1")).rejects.toMatchObject({
      code: "MOTE_REGISTRY",
      details: { status: 500 },
    });
    expect(broken.server.seen).toHaveLength(3);
  });

  it("that requires too long a wait is an error at once", async () => {
    const { repository, server } = await start(refusing(99, 429, { "retry-after": "86400" }));
    expect(await codeOf(repository.load("v1"))).toBe("MOTE_RATE_LIMITED");
    expect(server.seen).toHaveLength(1);
  });

  it("is not retried after an abort, which rejects with the reason of the signal", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const { repository } = await start(refusing(99, 503, { "retry-after": "50" }), {
      onEvent: undefined,
    });
    const waiting = repository.load("v1", { signal: abort.signal });
    abort.abort(reason);
    expect(await codeOf(waiting)).toBe(reason);
  });
});

describe("an error response", () => {
  it("has a code by its status, and the registry's message on one line", async () => {
    const { repository } = await start((_, response) => {
      response.writeHead(403, { "content-type": "application/json" });
      response.end(JSON.stringify({ errors: [{ code: "DENIED", message: "not\nfor \u001b[31myou" }] }));
      return true;
    });
    const refused = repository.manifest(image.manifest);
    expect(await codeOf(refused)).toBe("MOTE_FORBIDDEN");
    const message = await shownMessage(refused);
    expect(message).toContain("DENIED: not for [31myou");
    expect([message.includes("\n"), message.includes("\u001b")]).toEqual([false, false]);
  });

  it.each([
    ["Nexus", "Repository does not allow updating assets: docker-hosted", "Repository does not allow updating assets"],
    ["Quay", { message: "manifest schema version not supported" }, "manifest schema version not supported"],
    ["Artifactory", { description: "HTTP 403 Forbidden" }, "HTTP 403 Forbidden"],
    ["Distribution", [{ Type: "repository", Name: "a/b", Action: "pull" }], "INVALID: no"],
    ["any", { deep: { message: "x" }, message: 7 }, "INVALID: no"],
    ["any", null, "INVALID: no"],
  ])("is reported with its detail if that is text (%s)", async (_registry, detail, words) => {
    const { repository } = await start((_, response) => {
      response.writeHead(418).end(JSON.stringify({ errors: [{ code: "INVALID", message: "no", detail }] }));
      return true;
    });
    expect(await shownMessage(repository.manifest(image.manifest))).toContain(words);
  });

  it("with an endless body is read up to a limit", async () => {
    const { repository } = await start((_, response) => {
      response.writeHead(418);
      const more = () => response.destroyed || response.write("x".repeat(1 << 16), more);
      more();
      return true;
    });
    expect(await codeOf(repository.manifest(image.manifest))).toBe("MOTE_REGISTRY");
  });

  it("is not requested again", async () => {
    for (const [status, code] of [
      [400, "MOTE_REGISTRY"],
      [403, "MOTE_FORBIDDEN"],
      [404, "MOTE_NOT_FOUND"],
    ] as const) {
      const { repository, server } = await start(refusing(99, status));
      expect(await codeOf(repository.manifest(image.manifest))).toBe(code);
      expect(server.seen).toHaveLength(1);
    }
  });
});

describe("an unreachable registry", () => {
  it("is an error with the host and the reason", async () => {
    const gone = await serve(() => {});
    await gone[Symbol.asyncDispose]();
    const client = new RegistryClient({ retryDelayMs: 1 });
    opened.push(client);
    const repository = new RegistryRepository(client, { registry: gone.host, repository: "a/b" });
    await expect(repository.resolve("v1")).rejects.toMatchObject({
      code: "MOTE_UNREACHABLE",
      details: { host: gone.host, reason: "ECONNREFUSED" },
    });
  });

  it("that uses plain HTTP instead of TLS is an error that says what to do", async () => {
    const server = await serveImage(image);
    const client = new RegistryClient({ retryDelayMs: 1 });
    opened.push(server, client);
    const place = { registry: server.host, repository: "a/b", scheme: "https" } as const;
    const failed = new RegistryRepository(client, place).resolve("v1");
    expect(await codeOf(failed)).toBe("MOTE_UNREACHABLE");
    expect(await shownMessage(failed)).toContain("--plain-http");
  });

  it("because the client is closed is an error that says so", async () => {
    const { repository, client } = await start(() => true);
    const waiting = repository.resolve("v1");
    await client.close();
    await client.close();
    expect(await codeOf(waiting)).toBe("MOTE_CLOSED");
    expect(await codeOf(repository.resolve("v1"))).toBe("MOTE_CLOSED");
  });
});

describe("requests to one host", () => {
  it("are limited in number, and blobs being read do not count", async () => {
    let inside = 0;
    let most = 0;
    let arrived = 0;
    let companion: () => void = () => {};
    const { repository } = await start(
      async (request) => {
        if (request.method !== "HEAD") return false;
        most = Math.max(most, ++inside);
        // Each response to an odd request waits for the next request, so that fewer than two at a time would never end.
        if (++arrived % 2 === 0) companion();
        else {
          await new Promise<void>((resolve) => {
            companion = resolve;
          });
        }
        inside--;
        return false;
      },
      { concurrency: 2 },
    );
    const readers = [await repository.blob(layer), await repository.blob(layer), await repository.blob(layer)];
    await Promise.all(Array.from({ length: 10 }, () => repository.resolve("v1")));
    expect(most).toBe(2);
    for (const reader of readers) expect(sameBytes(await read(reader), bytes)).toBe(true);
  });
});
