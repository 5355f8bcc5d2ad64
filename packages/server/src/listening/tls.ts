import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import fs from "node:fs";
import { MoteError, readRegularFile, reasonOf } from "@mote/core";

const maxPemBytes = 1024 * 1024;

export interface TlsFiles {
  /** The path of the certificate and of those that it was signed with, in PEM. */
  readonly certFile: string;
  /** The path of the private key, in PEM and without a passphrase. */
  readonly keyFile: string;
}

export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads a certificate and its key.
 * @throws MOTE_CONFIG if a file cannot be read, they do not belong together, or the certificate has expired or is not valid yet
 */
export function readTlsPair({ certFile, keyFile }: TlsFiles): TlsPair {
  const cert = readPem(certFile, "certificate");
  const key = readPem(keyFile, "key");
  const certificate = parse(certFile, "certificate", () => new X509Certificate(cert));
  const privateKey: KeyObject = parse(keyFile, "private key without a passphrase", () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw invalid(certFile, `the key in ${keyFile} does not belong to it; give the key that it was made with`);
  }
  const now = Date.now();
  if (now > Date.parse(certificate.validTo)) {
    throw invalid(certFile, `it expired on ${certificate.validTo}; renew it`);
  }
  if (now < Date.parse(certificate.validFrom)) {
    throw invalid(certFile, `it is not valid before ${certificate.validFrom}; check the clock of this machine`);
  }
  return { cert, key };
}

function readPem(file: string, what: string): string {
  try {
    return new TextDecoder().decode(readRegularFile(file, fs, maxPemBytes));
  } catch (cause) {
    const message = `cannot read the ${what} ${file}: ${reasonOf(cause)}; check the file and its permissions`;
    throw new MoteError("MOTE_CONFIG", message, { cause, details: { file } });
  }
}

function parse<Result>(file: string, expected: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    throw new MoteError("MOTE_CONFIG", `${file} is not a ${expected} in PEM; check the file`, {
      cause,
      details: { file },
    });
  }
}

function invalid(file: string, reason: string): MoteError {
  return new MoteError("MOTE_CONFIG", `cannot use the certificate ${file}: ${reason}`, { details: { file } });
}
