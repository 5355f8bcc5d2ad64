import type { Ref } from "@mote/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatRef, parseRef, refCodec } from "../src/index.js";
import { digest, host, pathRef, registryRef, repository, tag } from "./ref-arbitraries.js";

const anyRef: fc.Arbitrary<Ref> = fc.oneof(registryRef, pathRef);

describe("every reference", () => {
  it("is parsed unchanged from its canonical text, with and without an optional transport", () => {
    fc.assert(
      fc.property(anyRef, (ref) => {
        expect(parseRef(formatRef(ref))).toEqual(ref);
        expect(parseRef(formatRef(ref, { scheme: true }))).toEqual(ref);
        expect(refCodec.parse(refCodec.format(ref))).toEqual(ref);
      }),
      { numRuns: 3000 },
    );
  });

  it("is parsed unchanged from its short text", () => {
    fc.assert(
      fc.property(anyRef, fc.constantFrom(undefined, true), (ref, scheme) => {
        expect(parseRef(formatRef(ref, { short: true, scheme }))).toEqual(ref);
      }),
      { numRuns: 3000 },
    );
  });

  it("of a registry loses only its scheme without a transport", () => {
    fc.assert(
      fc.property(
        registryRef.filter((ref) => ref.transport === "docker" && !/^(oci|dir):/.test(ref.registry)),
        fc.boolean(),
        (ref, short) => {
          const { scheme: _, ...rest } = { scheme: undefined, ...ref };
          expect(parseRef(formatRef(ref, { scheme: false, short }))).toEqual(rest);
        },
      ),
    );
  });
});

describe("every text that follows the grammar", () => {
  it("is parsed into its host, name, tag and digest", () => {
    fc.assert(
      fc.property(host, repository, fc.option(tag), fc.option(digest), (registry, name, version, content) => {
        const text = `docker://${registry}/${name}${version === null ? "" : `:${version}`}${content === null ? "" : `@${content}`}`;
        const ref = parseRef(text);
        expect(ref).toMatchObject({ transport: "docker", registry });
        expect(ref).toHaveProperty(
          "repository",
          registry === "docker.io" && !name.includes("/") ? `library/${name}` : name,
        );
        const shouldHaveLatest = version === null && content === null;
        expect(ref.tag).toBe(shouldHaveLatest ? "latest" : (version ?? undefined));
        expect(ref.digest).toBe(content ?? undefined);
      }),
      { numRuns: 3000 },
    );
  });
});
