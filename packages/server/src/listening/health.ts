import { reasonOf, within } from "@mote/core";
import { type ApiResponse, jsonResponse } from "../routing/response.js";

/** How long a check may take: a network file system can hang. */
const checkMs = 5000;

/** Returns whether the request is a health check. Such requests need no login, and are not limited. */
export function isHealthRequest(method: string, target: string): boolean {
  return (method === "GET" || method === "HEAD") && /^\/(livez|readyz)(\?|$)/.test(target);
}

export interface HealthState {
  /** Rejects with the reason why content cannot be served. */
  readonly checkReady: () => Promise<unknown>;
  readonly isDraining: boolean;
}

/** `/livez`: the process answers. `/readyz`: it can serve content, too. */
export async function healthResponse(target: string, { checkReady, isDraining }: HealthState): Promise<ApiResponse> {
  if (target.startsWith("/livez")) return jsonResponse(200, { status: "live" });
  if (isDraining) return jsonResponse(503, { status: "not ready", reason: "the server is stopping" });
  try {
    await within(checkReady(), checkMs, () => new Error(`no answer within ${checkMs / 1000} s`));
    return jsonResponse(200, { status: "ready" });
  } catch (error) {
    return jsonResponse(503, { status: "not ready", reason: `the cache cannot be read: ${reasonOf(error)}` });
  }
}
