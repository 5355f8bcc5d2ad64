import { readFile } from "node:fs/promises";
import { type Cancellable, MoteError } from "@mote/core";
import { childText, parseXml, type XmlElement } from "../http/xml.js";
import { issuedCredentials, requestCredentials } from "./credential-requests.js";
import type { Credentials } from "./credentials.js";

export interface WebIdentity {
  readonly tokenFile: string;
  readonly roleArn: string;
  readonly sessionName: string;
  /** The URL of the security token service. */
  readonly service: URL;
}

/** Exchanges the token in a file, as Kubernetes and CI services write it, for credentials of a role (STS, AssumeRoleWithWebIdentity). */
export async function webIdentityCredentials(
  identity: WebIdentity,
  { signal }: Cancellable = {},
): Promise<Credentials> {
  const { tokenFile, roleArn, sessionName, service } = identity;
  const token = await readFile(tokenFile, "utf8").catch((cause: unknown) => {
    throw new MoteError("MOTE_UNAUTHORIZED", `cannot read ${tokenFile}; check AWS_WEB_IDENTITY_TOKEN_FILE`, { cause });
  });
  const body = new URLSearchParams({
    ...{ Action: "AssumeRoleWithWebIdentity", Version: "2011-06-15" },
    ...{ RoleArn: roleArn, RoleSessionName: sessionName, WebIdentityToken: token.trim() },
  });
  const text = await requestCredentials({
    ...{ method: "POST", url: service, body: body.toString() },
    headers: { "content-type": "application/x-www-form-urlencoded" },
    ...(signal === undefined ? {} : { signal }),
  });
  const keys = findElement(parseDocument(text), "Credentials");
  const field = (name: string) => keys && childText(keys, name);
  return issuedCredentials(service.host, {
    accessKeyId: field("AccessKeyId"),
    secretAccessKey: field("SecretAccessKey"),
    sessionToken: field("SessionToken"),
    expiration: field("Expiration"),
  });
}

function parseDocument(text: string): XmlElement | undefined {
  try {
    return parseXml(text);
  } catch {
    return undefined;
  }
}

function findElement(element: XmlElement | undefined, name: string): XmlElement | undefined {
  if (element === undefined || element.name === name) return element;
  for (const child of element.children) {
    const found = findElement(child, name);
    if (found !== undefined) return found;
  }
  return undefined;
}
