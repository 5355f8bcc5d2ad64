import type { MoteError } from "@mote/core";
import type { HttpResponse } from "./http/http-transport.js";
import type { RegistryResponse } from "./registry-request.js";
import { statusError } from "./reports/status-error.js";
import type { Subject } from "./reports/subject.js";

const maxErrorBytes = 64 * 1024;

/** Reads the body of an error response, and returns its error. */
export async function responseError(
  response: RegistryResponse,
  subject: Subject,
  { what, writes }: { readonly what: string; readonly writes: boolean },
): Promise<MoteError> {
  const text = await readText(response);
  const contentType = response.header("content-type")?.split(";")[0]?.trim();
  const { status, redirectedTo, sentLogin, secrets } = response;
  const retryAfter = response.header("retry-after");
  const unusedLogin = await response.unusedLogin?.();
  const told = { status, sentLogin, secrets, writes, redirectedTo, retryAfter, contentType, text, unusedLogin };
  return statusError(subject, told, what);
}

/** Returns the beginning of the body, even if it is interrupted. */
async function readText(response: HttpResponse): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length >= maxErrorBytes) break;
    }
  } catch {
    // The status suffices for the error.
  }
  return text;
}
