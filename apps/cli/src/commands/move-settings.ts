import type { Context } from "../context.js";

/** Returns the settings of a command that moves content. `allPlatforms` overrides the platform of the settings. */
export function moveSettings({ settings, signal }: Context, { allPlatforms = false } = {}) {
  const { concurrency, connectionsPerBlob, maxRate } = settings;
  const platform = allPlatforms ? undefined : settings.platform?.split(",");
  return { platform, concurrency, connectionsPerBlob, maxRate, signal };
}
