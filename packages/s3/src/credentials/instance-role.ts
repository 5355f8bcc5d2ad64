import { type Cancellable, MoteError } from "@mote/core";
import { parseCredentialsDocument, requestCredentials } from "./credential-requests.js";
import type { Credentials } from "./credentials.js";
import type { Environment } from "./profile-files.js";

const folder = "/latest/meta-data/iam/security-credentials/";

/** Requests the credentials of the role of this machine from its metadata service (EC2, IMDSv2). */
export async function instanceCredentials(env: Environment, { signal }: Cancellable = {}): Promise<Credentials> {
  const base = new URL(env.AWS_EC2_METADATA_SERVICE_ENDPOINT || "http://169.254.169.254");
  const request = (method: "GET" | "PUT", path: string, headers: Record<string, string>) => {
    // Elsewhere than on EC2, nothing responds at this address.
    return requestCredentials({ method, url: new URL(path, base), headers, timeoutMs: 1000, retries: 1, signal });
  };
  const token = await request("PUT", "/latest/api/token", { "x-aws-ec2-metadata-token-ttl-seconds": "21600" });
  const headers = { "x-aws-ec2-metadata-token": token.trim() };
  const role = (await request("GET", folder, headers)).split("\n")[0]?.trim() ?? "";
  if (!/^[\w+=,.@-]{1,128}$/.test(role))
    throw new MoteError("MOTE_UNAUTHORIZED", "this machine has no role; assign one");
  return parseCredentialsDocument(await request("GET", folder + role, headers), base.host);
}
