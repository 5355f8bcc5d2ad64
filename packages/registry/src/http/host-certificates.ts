import { readdirSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { homeFolders, MoteError, reasonOf } from "@mote/core";
import { readPlainFile } from "../disk/plain-file.js";

/** One host's certificates, in PEM. */
export interface HostCertificates {
  /** Additional authorities for this host. */
  readonly ca?: readonly string[] | undefined;
  /** A client certificate and key for this host only. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The source files, for messages: those of `ca` in the same order, and those of `cert` and `key`. */
  readonly files?: { readonly ca: readonly string[]; readonly client: readonly string[] } | undefined;
}

/** Maximum size of a file. A bundle of all public authorities has about 250,000 bytes. */
const maxPemBytes = 16 * 1024 * 1024;

export interface CertificateSource {
  /** For a host as in references: `host`, `host:port`. @throws MOTE_CONFIG */
  get(host: string): HostCertificates | undefined;
}

export interface HostCertificatesOptions {
  /** Default: `~/.config/containers/certs.d`, `/etc/containers/certs.d`, `~/.docker/certs.d`, `/etc/docker/certs.d`. */
  readonly folders?: readonly string[] | undefined;
}

/** Reads certificates of Docker, Podman and skopeo from the first folder with `HOST` or `HOST:PORT`: `*.crt`, `NAME.cert`, `NAME.key`. */
export function hostCertificates({ folders = usualFolders() }: HostCertificatesOptions = {}): CertificateSource {
  return {
    get(host) {
      for (const folder of folders) {
        for (const name of namesOf(host)) {
          const found = readFolder(join(folder, name));
          if (found !== undefined) return found;
        }
      }
      return undefined;
    },
  };
}

function usualFolders(): readonly string[] {
  const { home } = homeFolders(process.env, userInfo);
  const ofUser = (path: string) => (home === undefined ? [] : [join(home, path)]);
  return [
    ...ofUser(".config/containers/certs.d"),
    "/etc/containers/certs.d",
    ...ofUser(".docker/certs.d"),
    "/etc/docker/certs.d",
  ];
}

/** URLs omit the default port; and the API of `docker.io` is on another host. */
function namesOf(host: string): readonly string[] {
  const withPort = /:\d+$/.test(host) ? [] : [`${host}:443`];
  return [host, ...withPort, ...(host === "registry-1.docker.io" ? ["docker.io"] : [])];
}

/** Returns undefined if the folder does not exist or may not be read. */
function readFolder(folder: string): HostCertificates | undefined {
  let names: readonly string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return undefined;
  }
  const pathsOf = (suffix: string) => names.filter((name) => name.endsWith(suffix)).map((name) => join(folder, name));
  const [ca, [cert]] = [pathsOf(".crt"), pathsOf(".cert")];
  const client = cert === undefined ? [] : [cert, `${cert.slice(0, -".cert".length)}.key`];
  const [ofClient, key] = client.map(read);
  return {
    ...(ca.length > 0 ? { ca: ca.map(read) } : {}),
    ...(ofClient === undefined ? {} : { cert: ofClient, key }),
    files: { ca, client },
  };
}

function read(file: string): string {
  try {
    return readPlainFile(file, maxPemBytes);
  } catch (cause) {
    const message = `${file}, of a host's certificates, cannot be read: ${reasonOf(cause)}; correct or remove it`;
    throw new MoteError("MOTE_CONFIG", message, { cause, details: { file } });
  }
}
