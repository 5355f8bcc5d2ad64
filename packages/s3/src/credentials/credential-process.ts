import { exec } from "node:child_process";
import { type Cancellable, MoteError } from "@mote/core";
import { parseCredentialsDocument } from "./credential-requests.js";
import type { Credentials } from "./credentials.js";

const timeoutMs = 60_000;
const maxBytes = 256 * 1024;

/** Runs the `credential_process` of a profile in a shell, as the AWS tools do, and returns the credentials that it prints. */
export async function processCredentials(command: string, { signal }: Cancellable = {}): Promise<Credentials> {
  const options = { timeout: timeoutMs, maxBuffer: maxBytes, windowsHide: true, ...(signal && { signal }) };
  const printed = await new Promise<string>((resolve, reject) => {
    exec(command, options, (error, stdout) => {
      if (error === null) resolve(stdout);
      else if (signal?.aborted) reject(signal.reason);
      // The message contains the command and its output, which may be secret.
      else reject(failed(error.killed ? `no result within ${timeoutMs / 1000} seconds` : `exit code ${error.code}`));
    });
  });
  return parseCredentialsDocument(printed, "credential_process");
}

function failed(reason: string): MoteError {
  return new MoteError(
    "MOTE_UNAUTHORIZED",
    `cannot get credentials for S3 from the credential_process of the AWS profile: ${reason}; run it by hand to see why`,
  );
}
