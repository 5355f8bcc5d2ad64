import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { TlsFiles } from "../src/index.js";

/** Creates a P-256 key and a self-signed certificate for 127.0.0.1 in a folder. `more`: further arguments of `openssl req`. */
export function makeCertificate(folder: string, name: string, more: readonly string[] = ["-days", "2"]): TlsFiles {
  const files = { certFile: join(folder, `${name}.crt`), keyFile: join(folder, `${name}.key`) };
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const out = ["-keyout", files.keyFile, "-out", files.certFile];
  execFileSync("openssl", ["req", ...kind, ...out, ...subject, ...more], { stdio: "ignore" });
  return files;
}
