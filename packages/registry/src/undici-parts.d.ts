/**
 * The parts of undici that every request needs, by their files: its entry point also loads fetch, WebSocket and caches, and
 * so takes three times as long to start. undici is pinned to an exact version for it.
 */
declare module "undici/lib/dispatcher/agent.js" {
  import { Agent } from "undici";
  export default Agent;
}
declare module "undici/lib/api/api-request.js" {
  import type { Dispatcher } from "undici";
  export default function request(
    this: Dispatcher,
    options: Dispatcher.RequestOptions,
  ): Promise<Dispatcher.ResponseData>;
}
