import { ErrorResponse, type RequestContext } from "../routing/response.js";
import type { Access, AccessDecision, AccessRequest } from "./access.js";

type Asked = Omit<AccessRequest, "authorization">;

/** Asks about the client of a request. Without an `Access`, everything is allowed. */
export class AccessCheck {
  readonly #access: Access | undefined;

  constructor(access: Access | undefined) {
    this.#access = access;
  }

  /**
   * Returns normally if the client may do this.
   * @throws ErrorResponse 401 if it has to log in first, 403 if it may not
   */
  async demand(request: RequestContext, asked: Asked): Promise<Extract<AccessDecision, { kind: "allowed" }>> {
    const decision = await this.#decide(request, asked);
    if (decision.kind === "allowed") {
      request.facts.user = decision.user;
      return decision;
    }
    if (decision.kind === "denied")
      throw new ErrorResponse(403, "DENIED", `access is denied: ${asked.action}; ask the operator of this server`);
    throw new ErrorResponse(
      401,
      "UNAUTHORIZED",
      "a valid login is required; log in with the client, such as mote login",
      {
        headers: { "www-authenticate": decision.challenge },
      },
    );
  }

  /** For what a request does only if it may, such as mounting from another repository. */
  async allows(request: RequestContext, asked: Asked): Promise<boolean> {
    return (await this.#decide(request, asked)).kind === "allowed";
  }

  async #decide(request: RequestContext, asked: Asked): Promise<AccessDecision> {
    if (this.#access === undefined) return { kind: "allowed" };
    const { signal } = request;
    return this.#access.decide({ ...asked, authorization: request.header("authorization") }, { signal });
  }
}
