import type { ContentEvent } from "@mote/core";

/** What a registry's client waits for, and does about an error. */
export type RegistryEvent = ContentEvent;
