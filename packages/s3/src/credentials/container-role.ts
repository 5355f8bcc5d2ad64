import { readFile } from "node:fs/promises";
import { type Cancellable, MoteError } from "@mote/core";
import { parseCredentialsDocument, requestCredentials } from "./credential-requests.js";
import type { Credentials } from "./credentials.js";
import type { Environment } from "./profile-files.js";

/** The addresses of the services that give containers their credentials over plain HTTP: ECS and EKS. */
const plainHosts: ReadonlySet<string> = new Set([
  "127.0.0.1",
  "localhost",
  "[::1]",
  "169.254.170.2",
  "169.254.170.23",
  "[fd00:ec2::23]",
]);

/** Returns the URL of the service that gives this container its credentials; undefined if there is none. @throws MOTE_CONFIG */
export function containerService(env: Environment): URL | undefined {
  if (env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI)
    return new URL(env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI.replace(/^\/*/, "/"), "http://169.254.170.2");
  const full = env.AWS_CONTAINER_CREDENTIALS_FULL_URI;
  if (!full) return undefined;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url?.protocol === "https:" || (url?.protocol === "http:" && plainHosts.has(url.hostname))) return url;
  throw new MoteError(
    "MOTE_CONFIG",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI is not allowed; use https, or an address of this machine",
  );
}

/** Requests the credentials of the role of this container. */
export async function containerCredentials(
  url: URL,
  env: Environment,
  { signal }: Cancellable = {},
): Promise<Credentials> {
  const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE;
  const token = file
    ? await readFile(file, "utf8").catch((cause: unknown) => {
        throw new MoteError("MOTE_UNAUTHORIZED", `cannot read ${file}; check AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`, {
          cause,
        });
      })
    : env.AWS_CONTAINER_AUTHORIZATION_TOKEN;
  const headers = token ? { authorization: token.trim() } : {};
  const text = await requestCredentials({ method: "GET", url, headers, signal });
  return parseCredentialsDocument(text, url.host);
}
