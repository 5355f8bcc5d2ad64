import type { PathRef, Ref, Transport } from "@mote/core";
import { readDaemonRef, readHashRef, readLayoutRef, readPlainPath, readStorageRef } from "./path-ref.js";
import { readRegistryRef } from "./registry-ref.js";
import { RefSyntaxError } from "./syntax-error.js";

/** What is not moved, but for what a row says. */
const readOnlyAsText = { recordedAs: "oci", reads: false, writes: false, holdsMany: true, byDigest: false } as const;
const moved = { reads: true, writes: true } as const;

/** The transports that mote knows, in the order in which help lists them. */
export const transports: readonly Transport[] = [
  {
    name: "docker",
    prefix: "docker://",
    parse: (text, start) => readRegistryRef(text, withoutUrl(text, start)),
    format: (ref) => (ref.transport === "docker" ? `${ref.registry}/${ref.repository}${selector(ref)}` : ""),
    ...moved,
    recordedAs: "oci",
    holdsMany: true,
    byDigest: true,
    usage: { form: "docker://HOST/NAME:TAG", meaning: "a registry; the prefix and the host are optional for a source" },
  },
  {
    name: "oci",
    prefix: "oci:",
    parse: (text, start, { home }) => readLayoutRef(text, start, "oci", home),
    format: formatPath,
    ...moved,
    recordedAs: "oci",
    path: "folder",
    holdsMany: true,
    byDigest: true,
    usage: { form: "oci:DIR:TAG", meaning: "an OCI image layout" },
  },
  {
    name: "oci-archive",
    prefix: "oci-archive:",
    parse: (text, start, { home }) => readLayoutRef(text, start, "oci-archive", home),
    format: formatPath,
    ...moved,
    recordedAs: "oci-archive",
    path: "file",
    holdsMany: true,
    byDigest: true,
    usage: { form: "oci-archive:FILE:TAG", meaning: "a tar archive of an OCI image layout" },
  },
  {
    name: "docker-archive",
    prefix: "docker-archive:",
    parse: (text, start, { home }) => readLayoutRef(text, start, "docker-archive", home),
    format: formatPath,
    ...moved,
    recordedAs: "docker-archive",
    path: "file",
    holdsMany: true,
    // Its manifests are made from its images, which are found by their names.
    byDigest: false,
    fullNames: true,
    usage: { form: "docker-archive:FILE:NAME:TAG", meaning: "an archive as written by `docker save`" },
  },
  {
    name: "dir",
    prefix: "dir:",
    parse: (text, start, { home }) => readPlainPath(text, start, "dir", home),
    format: formatPath,
    ...moved,
    recordedAs: "dir",
    path: "folder",
    holdsMany: false,
    byDigest: true,
    usage: { form: "dir:DIR", meaning: "a directory as written by `skopeo copy`" },
  },
  {
    name: "tarball",
    prefix: "tarball:",
    parse: (text, start, { home }) => readPlainPath(text, start, "tarball", home),
    format: formatPath,
    ...readOnlyAsText,
    recordedAs: "tarball",
    path: "file",
    instead: () => "an image layout with the files as a layer, as oci:DIR",
  },
  {
    name: "docker-daemon",
    prefix: "docker-daemon:",
    parse: readDaemonRef,
    format: formatPath,
    ...readOnlyAsText,
    instead: throughLayout,
  },
  {
    name: "containers-storage",
    prefix: "containers-storage:",
    parse: readStorageRef,
    format: formatPath,
    ...readOnlyAsText,
    instead: throughLayout,
  },
  {
    name: "ocidir",
    prefix: "ocidir://",
    parse: (text, start, { home }) => readLayoutRef(text, start, "ocidir", home),
    format: formatPath,
    ...readOnlyAsText,
    path: "folder",
    instead: (ref) => `oci:${formatPath(ref)}`,
  },
  {
    name: "hash",
    prefix: "hash://",
    parse: readHashRef,
    format: (ref) => (ref.transport === "docker" ? "" : ref.path),
    ...readOnlyAsText,
    instead: ({ digest }) => `docker://REGISTRY/NAME@${digest}, where it is on a registry`,
  },
];

function withoutUrl(text: string, start: number): number {
  for (const scheme of ["https://", "http://"]) {
    if (text.startsWith(scheme, start)) {
      throw new RefSyntaxError(start, "docker:// and a URL's scheme are one too many", [text.slice(start)]);
    }
  }
  return start;
}

function throughLayout(ref: Ref): string {
  return `skopeo copy ${ref.transport}:${formatPath(ref)} oci:DIR:TAG, then oci:DIR:TAG`;
}

function formatPath(ref: Ref): string {
  if (ref.transport === "docker") return "";
  return ref.path === "" && ref.digest !== undefined ? ref.digest : ref.path + selector(ref);
}

/** Returns the tag, index and digest of a reference as they follow its path or name. */
export function selector(ref: Pick<PathRef, "tag" | "digest" | "index">): string {
  const tag = ref.tag === undefined ? "" : `:${ref.tag}`;
  const index = ref.index === undefined ? "" : `:@${ref.index}`;
  const digest = ref.digest === undefined ? "" : `@${ref.digest}`;
  return tag + index + digest;
}
