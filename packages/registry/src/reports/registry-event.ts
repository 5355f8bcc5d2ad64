import type { CallOptions, ContentEvent, EventOptions } from "@mote/core";

/** What a registry's client waits for, and does about an error. */
export type RegistryEvent = ContentEvent;

/** Who hears of the events that a request causes. */
export type RequestEvents = EventOptions;

/** Options of a method that sends requests. */
export type RequestOptions = CallOptions;
