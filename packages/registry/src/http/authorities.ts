import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isAbsent, reasonOf } from "@mote/core";
import { readPlainFile } from "../disk/plain-file.js";

type Environment = Readonly<Record<string, string | undefined>>;

export interface AuthoritiesOptions {
  readonly env: Environment;
  /** Receives warnings of unreadable files, and unusable certificates in them. */
  readonly warn: (message: string) => void;
  /** Default: the paths of the supported systems. */
  readonly system?: SystemStore | undefined;
}

/** Uses the first existing file; if there is none, all of the first existing folder. */
interface SystemStore {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** Debian, Ubuntu, Alpine, Arch; Fedora, RHEL; SUSE; OpenELEC; RHEL 7; Alpine, BSD, macOS. */
const usualStore: SystemStore = {
  files: [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
  ],
  folders: ["/etc/ssl/certs", "/etc/pki/tls/certs"],
};

/** Maximum size of a file. A bundle of all public authorities has about 250,000 bytes. */
const maxPemBytes = 16 * 1024 * 1024;
/** Maximum number of files to read in a folder. */
const mostFiles = 10_000;

/**
 * Returns all trusted authorities in PEM: those of Node, which reads `NODE_EXTRA_CA_CERTS`; of `SSL_CERT_FILE` and
 * `SSL_CERT_DIR`, as OpenSSL and Go read them; and of the system. Undefined if that equals Node's default.
 */
export async function defaultAuthorities(options: AuthoritiesOptions): Promise<readonly string[] | undefined> {
  const { env, warn, system = usualStore } = options;
  const tls = (await import("node:tls")).default;
  const known = new Set(tls.rootCertificates.map(bare));
  const found = new Map<string, string>();
  const add = (text: string, source: string) => {
    for (const [pem] of text.matchAll(certificate)) {
      const key = bare(pem);
      if (known.has(key) || found.has(key)) continue;
      if (isUsable(pem)) found.set(key, pem);
      else warn(`a certificate in ${source} is damaged, and is ignored; correct or remove it`);
    }
  };

  if (env.SSL_CERT_FILE) readNamedFile(env.SSL_CERT_FILE, { add, warn });
  // Node uses the system's separator for paths; OpenSSL's list uses colons except on Windows.
  const folders = (env.SSL_CERT_DIR ?? "").split(process.platform === "win32" ? ";" : ":").filter(Boolean);
  for (const folder of folders) {
    const reason = readFolder(folder, { add, warn });
    if (reason !== undefined)
      warn(`SSL_CERT_DIR names ${folder}, which cannot be read: ${reason}; correct or unset it`);
  }
  if (!readFirstFile(system.files, { add, warn })) {
    system.folders.find((folder) => readFolder(folder, { add, warn }) === undefined);
  }
  for (const pem of ofSystemApi(tls)) add(pem, "the system's store");
  if (found.size === 0) return undefined;
  return [...(await authoritiesOfNode(env)), ...found.values()];
}

interface Reading {
  readonly add: (text: string, source: string) => void;
  readonly warn: (message: string) => void;
}

const certificate =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

function readNamedFile(file: string, { add, warn }: Reading): void {
  try {
    const text = readPlainFile(file, maxPemBytes);
    if (text.search(certificate) < 0) throw new Error("it has no certificate in PEM");
    add(text, file);
  } catch (error) {
    warn(`SSL_CERT_FILE is ${file}, which cannot be used: ${reasonOf(error)}; correct or unset it`);
  }
}

/** Reads the first file that exists. Returns whether there is one. */
function readFirstFile(files: readonly string[], { add, warn }: Reading): boolean {
  for (const file of files) {
    try {
      add(readPlainFile(file, maxPemBytes), file);
      return true;
    } catch (error) {
      if (isAbsent(error)) continue;
      warn(`${file}, the system's certificates, cannot be read: ${reasonOf(error)}; correct it`);
      return true;
    }
  }
  return false;
}

/** Skips files without certificates and dangling links. Returns why the folder cannot be read. */
function readFolder(folder: string, { add, warn }: Reading): string | undefined {
  let names: readonly string[];
  try {
    names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() || entry.isSymbolicLink())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    return reasonOf(error);
  }
  for (const name of names.slice(0, mostFiles)) {
    const file = join(folder, name);
    try {
      add(readPlainFile(file, maxPemBytes), file);
    } catch (error) {
      if (!isAbsent(error))
        warn(`${file}, of certificate authorities, cannot be read: ${reasonOf(error)}; correct or remove it`);
    }
  }
  return undefined;
}

/** The system's store on macOS and Windows is not a file; Node reads it since 22.15. */
function ofSystemApi(tls: object): readonly string[] {
  const current: unknown = "getCACertificates" in tls ? tls.getCACertificates : undefined;
  const isOther = process.platform === "darwin" || process.platform === "win32";
  return isOther && typeof current === "function" ? current("system") : [];
}

/** Returns Node's default authorities, which a custom list must include. */
export async function authoritiesOfNode(env: Environment): Promise<readonly string[]> {
  const tls = (await import("node:tls")).default;
  // Since Node 22.15, including NODE_EXTRA_CA_CERTS.
  const current: unknown = "getCACertificates" in tls ? tls.getCACertificates : undefined;
  if (typeof current === "function") return current();
  return [...tls.rootCertificates, ...extraOfNode(env.NODE_EXTRA_CA_CERTS)];
}

/** Node itself warns of an unusable file. */
function extraOfNode(file: string | undefined): readonly string[] {
  try {
    const text = file ? readPlainFile(file, maxPemBytes) : "";
    return [...text.matchAll(certificate)].map(([pem]) => pem).filter(isUsable);
  } catch {
    return [];
  }
}

function isUsable(pem: string): boolean {
  const { X509Certificate } = process.getBuiltinModule("node:crypto");
  try {
    return new X509Certificate(pem).raw.byteLength > 0;
  } catch {
    return false;
  }
}

/** The same certificate may be wrapped and terminated differently. */
function bare(pem: string): string {
  return pem.replace(/-----[^-]*-----|\s/g, "");
}
