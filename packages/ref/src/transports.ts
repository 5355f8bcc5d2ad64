import type { PathRef, Ref, Transport } from "@mote/core";
import { parseDaemonRef, parseHashRef, parseLayoutRef, parsePathRef, parseStorageRef } from "./path-ref.js";
import { parseRegistryRef } from "./registry-ref.js";
import { RefSyntaxError } from "./syntax-error.js";

/** Defaults of transports that are only parsed. */
const parsedOnly = { recordedAs: "oci", reads: false, writes: false, holdsMany: true, byDigest: false } as const;
const readWrite = { reads: true, writes: true } as const;

/** The built-in transports, in the order of the help. */
export const transports: readonly Transport[] = [
  {
    name: "docker",
    prefix: "docker://",
    parse: (text, start) => parseRegistryRef(text, rejectUrl(text, start)),
    format: (ref) => (ref.transport === "docker" ? `${ref.registry}/${ref.repository}${selector(ref)}` : ""),
    ...readWrite,
    recordedAs: "oci",
    holdsMany: true,
    byDigest: true,
    usage: { form: "docker://HOST/NAME:TAG", meaning: "a registry; the prefix and the host are optional for a source" },
  },
  {
    name: "oci",
    prefix: "oci:",
    parse: (text, start, { home }) => parseLayoutRef(text, start, "oci", home),
    format: formatPath,
    ...readWrite,
    recordedAs: "oci",
    path: "folder",
    holdsMany: true,
    byDigest: true,
    usage: { form: "oci:DIR:TAG", meaning: "an OCI image layout" },
  },
  {
    name: "oci-archive",
    prefix: "oci-archive:",
    parse: (text, start, { home }) => parseLayoutRef(text, start, "oci-archive", home),
    format: formatPath,
    ...readWrite,
    recordedAs: "oci-archive",
    path: "file",
    holdsMany: true,
    byDigest: true,
    usage: { form: "oci-archive:FILE:TAG", meaning: "a tar archive of an OCI image layout" },
  },
  {
    name: "docker-archive",
    prefix: "docker-archive:",
    parse: (text, start, { home }) => parseLayoutRef(text, start, "docker-archive", home),
    format: formatPath,
    ...readWrite,
    recordedAs: "docker-archive",
    path: "file",
    holdsMany: true,
    // Manifests are generated from the images, which are found by name.
    byDigest: false,
    fullNames: true,
    usage: { form: "docker-archive:FILE:NAME:TAG", meaning: "an archive as written by `docker save`" },
  },
  {
    name: "dir",
    prefix: "dir:",
    parse: (text, start, { home }) => parsePathRef(text, start, "dir", home),
    format: formatPath,
    ...readWrite,
    recordedAs: "dir",
    path: "folder",
    holdsMany: false,
    byDigest: true,
    usage: { form: "dir:DIR", meaning: "a directory as written by `skopeo copy`" },
  },
  {
    name: "tarball",
    prefix: "tarball:",
    parse: (text, start, { home }) => parsePathRef(text, start, "tarball", home),
    format: formatPath,
    ...parsedOnly,
    recordedAs: "tarball",
    path: "file",
    instead: () => "an image layout with the files as a layer, such as oci:DIR",
  },
  {
    name: "docker-daemon",
    prefix: "docker-daemon:",
    parse: parseDaemonRef,
    format: formatPath,
    ...parsedOnly,
    instead: throughLayout,
  },
  {
    name: "containers-storage",
    prefix: "containers-storage:",
    parse: parseStorageRef,
    format: formatPath,
    ...parsedOnly,
    instead: throughLayout,
  },
  {
    name: "ocidir",
    prefix: "ocidir://",
    parse: (text, start, { home }) => parseLayoutRef(text, start, "ocidir", home),
    format: formatPath,
    ...parsedOnly,
    path: "folder",
    instead: (ref) => `oci:${formatPath(ref)}`,
  },
  {
    name: "hash",
    prefix: "hash://",
    parse: parseHashRef,
    format: (ref) => (ref.transport === "docker" ? "" : ref.path),
    ...parsedOnly,
    instead: ({ digest }) => `docker://REGISTRY/NAME@${digest}, if it is on a registry`,
  },
];

function rejectUrl(text: string, start: number): number {
  for (const scheme of ["https://", "http://"]) {
    if (text.startsWith(scheme, start)) {
      throw new RefSyntaxError(start, "a reference cannot have both docker:// and the scheme of a URL", [
        text.slice(start),
      ]);
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

/** Formats the tag, index and digest of a reference. */
export function selector(ref: Pick<PathRef, "tag" | "digest" | "index">): string {
  const tag = ref.tag === undefined ? "" : `:${ref.tag}`;
  const index = ref.index === undefined ? "" : `:@${ref.index}`;
  const digest = ref.digest === undefined ? "" : `@${ref.digest}`;
  return tag + index + digest;
}
