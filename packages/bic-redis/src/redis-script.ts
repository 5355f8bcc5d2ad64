import type { RedisClient } from "./redis-connection.js";

/** A script, whose first arguments are the names of its keys. */
export interface RedisScript {
  readonly lua: string;
  /** Default 1. */
  readonly numberOfKeys?: number;
}

type RunScript = (...keysAndArguments: string[]) => Promise<unknown>;

/** Makes scripts known to a client. */
export function defineScripts(client: RedisClient, scripts: Readonly<Record<string, RedisScript>>): void {
  for (const [name, script] of Object.entries(scripts))
    client.defineCommand(commandOf(name), { numberOfKeys: 1, ...script });
}

/** Runs a script that was defined, by its digest where the server knows it. */
export function runScript(client: RedisClient, name: string, keysAndArguments: readonly string[]): Promise<unknown> {
  const script = Reflect.get(client, commandOf(name)) as RunScript;
  return Reflect.apply(script, client, keysAndArguments);
}

function commandOf(script: string): string {
  return `mote${script}`;
}
