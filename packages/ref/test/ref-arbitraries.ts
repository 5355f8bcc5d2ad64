import { digestBytes, type Ref } from "@mote/core";
import fc from "fast-check";

const lowerOrDigit = [..."abcdefghijklmnopqrstuvwxyz0123456789"];
const hex = [..."0123456789abcdefABCDEF"];

/** One or more of `part`, separated by `separators`. */
function joined(part: fc.Arbitrary<string>, separators: readonly string[], maxLength: number): fc.Arbitrary<string> {
  const more = fc.array(fc.tuple(fc.constantFrom(...separators), part), { maxLength: maxLength - 1 });
  return fc.tuple(part, more).map(([first, rest]) => first + rest.flat().join(""));
}

function textOf(characters: readonly string[], maxLength: number, minLength = 1): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...characters), minLength, maxLength });
}

const namePart = joined(textOf(lowerOrDigit, 6), [".", "_", "__", "-", "---"], 3);
const trickyName = fc.constantFrom(
  "oci",
  "dir",
  "docker",
  "tarball",
  "localhost",
  "library",
  "http",
  "docker-archive",
  "sha256",
);
export const repository = joined(fc.oneof({ weight: 4, arbitrary: namePart }, trickyName), ["/"], 4);

const hostLabel = fc
  .tuple(textOf([...lowerOrDigit, "A", "Z"], 3), textOf([...lowerOrDigit, "-"], 3, 0), textOf(lowerOrDigit, 2))
  .map((parts) => parts.join(""));
const port = fc.oneof(
  fc.constant(""),
  fc.integer({ min: 1, max: 65535 }).map((number) => `:${number}`),
);
const ipv6Group = textOf(hex, 4);
const ipv6 = fc.oneof(
  fc.array(ipv6Group, { minLength: 8, maxLength: 8 }).map((groups) => `[${groups.join(":")}]`),
  fc
    .tuple(fc.array(ipv6Group, { maxLength: 4 }), fc.array(ipv6Group, { maxLength: 3 }))
    .map(([before, after]) => `[${before.join(":")}::${after.join(":")}]`),
);
/** First components that are hosts by Docker's rule. */
export const host = fc
  .oneof(
    fc.constantFrom("docker.io", "ghcr.io", "localhost", "oci:5000", "dir:1", "http:80", "Upper"),
    fc.tuple(
      joined(hostLabel, ["."], 3).filter((name) => /[.A-Z]/.test(name) && name !== "index.docker.io"),
      port,
    ),
    fc.tuple(
      hostLabel,
      port.filter((text) => text !== ""),
    ),
    fc.tuple(ipv6, port),
  )
  .map((parts) => (typeof parts === "string" ? parts : parts.join("")));

export const digest = fc
  .tuple(fc.uint8Array({ maxLength: 8 }), fc.constantFrom("sha256" as const, "sha384" as const, "sha512" as const))
  .map(([bytes, algorithm]) => digestBytes(bytes, algorithm));

const word = [...lowerOrDigit, "A", "Z", "_"];
export const tag = fc.tuple(textOf(word, 1), textOf([...word, ".", "-"], 127, 0)).map((parts) => parts.join(""));

/** A tag, a digest, both, or, if allowed, neither. */
const selector = fc.oneof(fc.record({ tag }), fc.record({ digest }), fc.record({ tag, digest }));

export const registryRef: fc.Arbitrary<Ref> = fc
  .tuple(host, repository, selector, fc.constantFrom(undefined, "http" as const, "https" as const))
  .map(([registry, name, selected, scheme]) => ({
    transport: "docker",
    registry,
    repository: registry === "docker.io" && !name.includes("/") ? `library/${name}` : name,
    ...selected,
    ...(scheme === undefined ? {} : { scheme }),
  }));

const pathCharacters = [..."abcXYZ019 ._-~/\\@+é…%#?()'\"", "\u{1f40b}"];
const barePath = textOf(pathCharacters, 20).filter(
  (path) => !/^\/\/(?!\/)/.test(path) && !/@sha(256|384|512)$/.test(path),
);
const path = fc.oneof(
  barePath,
  fc.tuple(fc.constantFrom("C:\\", "z:/"), barePath).map((parts) => parts.join("")),
);

const refName = fc.oneof(tag, joined(textOf(word, 3), ["/", ":", ".", "+", "@", "--"], 4));
const index = fc.nat().map((number) => ({ index: number }));
const layoutSelector = (name: fc.Arbitrary<string>) =>
  fc.oneof(fc.constant({}), index, fc.record({ tag: name }), fc.record({ digest }), fc.record({ tag: name, digest }));

const dockerName = fc
  .tuple(host, repository, tag)
  .map(([registry, name, version]) =>
    registry === "docker.io" && !name.includes("/")
      ? `docker.io/library/${name}:${version}`
      : `${registry}/${name}:${version}`,
  )
  .filter((text) => !/^(oci|dir)/.test(text));

const namedImage = fc.tuple(host, repository, selector).map(([registry, name, selected]) => ({
  path: registry === "docker.io" && !name.includes("/") ? `docker.io/library/${name}` : `${registry}/${name}`,
  ...selected,
}));

export const pathRef: fc.Arbitrary<Ref> = fc.oneof(
  fc
    .tuple(fc.constantFrom("oci" as const, "oci-archive" as const), path, layoutSelector(refName))
    .map(([transport, at, selected]) => ({ transport, path: at, ...selected })),
  fc
    .tuple(path, layoutSelector(dockerName))
    .map(([at, selected]) => ({ transport: "docker-archive" as const, path: at, ...selected })),
  fc
    .tuple(path, layoutSelector(tag))
    .map(([at, selected]) => ({ transport: "ocidir" as const, path: at, ...selected })),
  fc
    .tuple(fc.constantFrom("dir" as const, "tarball" as const), fc.tuple(barePath, fc.constantFrom("", ":b", ":b@c")))
    .map(([transport, parts]) => ({ transport, path: parts.join("") })),
  namedImage.map((image) => ({ transport: "docker-daemon" as const, ...image })),
  digest.map((id) => ({ transport: "docker-daemon" as const, path: "", digest: id })),
  fc
    .tuple(fc.constantFrom("", "[overlay@/var/lib]", "[/a:b+/c]"), namedImage)
    // Leading brackets are a storage, so an image on an IPv6 host needs one.
    .filter(([storage, image]) => storage !== "" || !image.path.startsWith("["))
    .map(([storage, image]) => ({ transport: "containers-storage" as const, ...image, path: storage + image.path })),
  digest.map((content) => ({ transport: "hash" as const, path: content.replace(":", "/"), digest: content })),
);

/** Texts made of parts of references, in any order. */
export const nearlyReference: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...["docker://", "http://", "https://", "oci:", "oci-archive:", "docker-archive:", "dir:", "tarball:"],
        ...["docker-daemon:", "containers-storage:", "ocidir://", "hash://", "OCI:", "oci://", "file:///"],
        ...["docker.io", "index.docker.io", "library", "localhost", "ghcr.io", "[::1]", "[", "]", "~", "C:\\"],
        ...[
          ":",
          "/",
          "@",
          ".",
          "_",
          "__",
          "-",
          " ",
          "\n",
          "\u0000",
          "%",
          ":@0",
          ":@",
          "@sha256:",
          "sha256/",
          "é",
          "\ud83d",
        ],
      ),
      fc.constantFrom("alpine", "Alpine", "latest", "3.20", "5000", "65536", "a".repeat(200), "0".repeat(64)),
      digest,
      tag,
      repository,
      host,
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(""));
