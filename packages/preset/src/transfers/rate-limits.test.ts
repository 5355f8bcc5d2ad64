import {
  BytesReader,
  type ContentDestination,
  collectChunks,
  type Descriptor,
  digestBytes,
  type RegistryRef,
} from "@mote/core";
import { expect, it } from "vitest";
import { limitedSends, limitedSource, RateLimits } from "./rate-limits.js";

const at = (registry: string): RegistryRef => ({ transport: "docker", registry, repository: "app" });

it("the limit of a registry holds for what is read from it and sent to it, and for no other", () => {
  const rates = new RateLimits({ "docker.io": 1000, "registry.lan:5000": 2000 });
  const limit = rates.ofSource(at("docker.io"));
  expect(limit).toBeDefined();
  expect(rates.ofDestination(at("docker.io"))).toBe(limit);
  expect(rates.ofSource(at("registry.lan:5000"))).not.toBe(limit);
  for (const ref of [at("ghcr.io"), at("registry.lan"), { transport: "oci", path: "docker.io" } as const, undefined]) {
    expect([rates.ofSource(ref), rates.ofDestination(ref)]).toEqual([undefined, undefined]);
  }
});

it("a limit without a registry is one for all sources, and one for all registries that are sent to", () => {
  const rates = new RateLimits(1000);
  expect(rates.ofSource(at("docker.io"))).toBe(rates.ofSource({ transport: "oci", path: "layout" }));
  expect(rates.ofDestination(at("docker.io"))).toBe(rates.ofDestination(at("ghcr.io")));
  expect(rates.ofDestination(at("docker.io"))).not.toBe(rates.ofSource(at("docker.io")));
  expect(rates.ofDestination({ transport: "oci", path: "layout" })).toBeUndefined();
  expect(new RateLimits(undefined).ofSource(at("docker.io"))).toBeUndefined();
});

it("a limited destination gets the same bytes, and a wait ends when it is aborted", async () => {
  const sent: Uint8Array[] = [];
  const bytes = new Uint8Array(100).fill(7);
  const descriptor: Descriptor = { digest: digestBytes(bytes), size: 100, mediaType: "text/plain" };
  const destination: ContentDestination = {
    ref: at("docker.io"),
    has: async () => false,
    async blob(_, chunks) {
      sent.push(await collectChunks(chunks, { maxBytes: 100, what: "blob" }));
    },
    async manifest() {},
    async tag() {},
  };
  async function* chunks() {
    yield bytes;
  }
  await limitedSends(destination, new RateLimits({ "docker.io": 1e6 })).blob(descriptor, chunks());
  expect(sent).toEqual([bytes]);
  const reason = new Error("stop");
  const slow = limitedSends(destination, new RateLimits({ "docker.io": 1e-3 }));
  const sending = slow.blob(descriptor, chunks(), { signal: AbortSignal.abort(reason) });
  await expect(sending).rejects.toBe(reason);
});

it("a limited source is the same object otherwise, private fields included", async () => {
  class Source {
    readonly ref = at("docker.io");
    readonly servesRanges = true;
    readonly #bytes = new Uint8Array([1, 2, 3]);
    async resolve(): Promise<Descriptor> {
      return { digest: digestBytes(this.#bytes), size: 3, mediaType: "text/plain" };
    }
    async manifest() {
      return this.#bytes;
    }
    async blob(descriptor: Descriptor) {
      return new BytesReader(descriptor, this.#bytes);
    }
  }
  const limited = limitedSource(new Source(), new RateLimits(1e6).ofSource(at("docker.io")));
  const descriptor = await limited.resolve("x");
  expect(limited.servesRanges).toBe(true);
  // What takes its bytes at once would not be limited.
  expect(await limited.blob(descriptor)).not.toBeInstanceOf(BytesReader);
  expect(await collectChunks(await limited.blob(descriptor), { maxBytes: 3, what: "blob" })).toEqual(
    new Uint8Array([1, 2, 3]),
  );
});
