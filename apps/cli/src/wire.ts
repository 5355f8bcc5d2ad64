import fs from "node:fs";
import { type Logger, MoteError, readRegularFile, reasonOf } from "@mote/core";
import {
  examineMote as examine,
  type Finding,
  logIn as logInWith,
  logOut as logOutWith,
  type OpenMote,
  type OpenMoteOptions,
  openExchange as openExchangeWith,
  openMote,
  openPasswordAccess as openPasswordAccessWith,
  type WarmMirrorOptions,
  warmMirror as warmMirrorWith,
  writeOutputFile as writeFileWith,
} from "@mote/preset";
import type { Context } from "./context.js";
import { isBucket } from "./settings/kinds.js";
import type { Settings } from "./settings/load-settings.js";

export type {
  DeltaLayer,
  DeltaMode,
  DeltaProgress,
  DeltaReport,
  FileInput,
  Finding,
  ImageDiff,
  ImageFiles,
  ImageUsage,
  Inspection,
  MadeDelta,
  MoveReport,
  OpenMote,
  PlacedFiles,
  PlacedModel,
  ServedRequest,
  SpaceUsage,
  SyncedImage,
  SyncReport,
  SyncSource,
  TransferEvent,
  TransferReport,
  WarmedImage,
} from "@mote/preset";
export {
  archiveTransport,
  bareDestination,
  checkCacheFolder,
  formatRef,
  goesToStdout,
  hasTransport,
  incompleteManifests,
  isArchiveFile,
  isIntact,
  isStdout,
  listArchive,
  measureSpace,
  missingBlobs,
  namesOfIncomplete,
  openExchangeHub,
  parsePersonalRef,
  partialIndexes,
  tagFilter,
  transports,
  verifyArchive,
} from "@mote/preset";

type CacheOptions = Pick<OpenMoteOptions, "cacheOptional" | "readOnly" | "offline" | "maxSize">;

/** Opens the cache with the settings of the command. This file is the only place that selects implementations. */
export async function openCache(context: Context, options: CacheOptions = {}): Promise<OpenMote> {
  const { dir, settings, signal } = context;
  const { plainHttp, durability, maxSize, maxUnpacked, maxEntries, tier, bic } = settings;
  return openMote({
    ...options,
    ...cacheLocation(dir, tier),
    plainHttp,
    durability,
    bic,
    maxSize: options.maxSize ?? maxSize,
    unpack: { maxUnpackedBytes: maxUnpacked, maxEntries },
    registries: registriesOptions(settings),
    signal,
    logger: loggerOf(context),
  });
}

/** A bucket has no tier behind it: mostly it is the tier of the settings itself. */
function cacheLocation(
  dir: string | undefined,
  tier: string | undefined,
): Pick<OpenMoteOptions, "dir" | "cache" | "tier"> {
  return dir !== undefined && isBucket(dir) ? { cache: dir } : { dir, tier };
}

/** Opens the cache read-only: creates no directory and cleans up nothing. */
export function openReadOnly(context: Context): Promise<OpenMote> {
  return openCache(context, { readOnly: true });
}

/** Opens the access control of `mote serve`. */
export function openPasswordAccess(
  context: Context,
  options: { readonly htpasswd: string | undefined; readonly anonymousPull: boolean },
): ReturnType<typeof openPasswordAccessWith> {
  return openPasswordAccessWith({ ...options, logger: loggerOf(context) });
}

/** Opens the exchange of a worker with the other workers of its parent. */
export function openExchange(): ReturnType<typeof openExchangeWith> {
  return openExchangeWith(process);
}

/** Checks the environment and the connections to `hosts`. */
export function examineMote({ dir, settings, signal }: Context, hosts: readonly string[]): AsyncIterable<Finding> {
  const { plainHttp, tier, bic } = settings;
  const where = cacheLocation(dir, tier);
  return examine({ ...where, hosts, plainHttp, bic, registries: registriesOptions(settings), signal });
}

export async function logIn(
  context: Context,
  host: string,
  login: { readonly username: string; readonly password: string },
): Promise<Awaited<ReturnType<typeof logInWith>>> {
  const { settings, signal } = context;
  const { plainHttp } = settings;
  const registries = registriesOptions(settings);
  return logInWith(host, login, { plainHttp, registries, signal, logger: loggerOf(context) });
}

export function logOut(context: Context, host: string): ReturnType<typeof logOutWith> {
  return logOutWith(host, { signal: context.signal, logger: loggerOf(context) });
}

/** Has a running mirror fetch images. */
export function warmMirror(
  context: Context,
  url: string,
  list: string,
  options: Pick<WarmMirrorOptions, "platforms" | "onImage">,
): Promise<void> {
  const { settings, signal } = context;
  const { plainHttp } = settings;
  const registries = registriesOptions(settings);
  return warmMirrorWith(url, list, { ...options, plainHttp, registries, signal, logger: loggerOf(context) });
}

export function writeOutputFile(context: Context, path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  return writeFileWith(path, chunks, { signal: context.signal, logger: loggerOf(context) });
}

function loggerOf({ out }: Context): Logger {
  return { debug() {}, info() {}, warn: (message) => out.warn(message), error: (message) => out.warn(message) };
}

function registriesOptions(settings: Settings): OpenMoteOptions["registries"] {
  const { insecure, mirrors, retries, certsDir } = settings;
  return {
    insecure,
    ...(certsDir === undefined ? {} : { certsDirs: [certsDir] }),
    mirrors,
    retries,
    ca: readPem("ca", settings),
    cert: readPem("cert", settings),
    key: readPem("key", settings),
    connectTimeoutMs: settings.connectTimeout,
    answerTimeoutMs: settings.answerTimeout,
    idleTimeoutMs: settings.idleTimeout,
    minBytesPerSecond: settings.minRate,
    fallbackAfterMs: settings.fallbackAfter,
  };
}

/** Limit in bytes. A bundle of all public authorities has about 250 kB. */
const maxPemBytes = 16 * 1024 * 1024;

function readPem(name: "ca" | "cert" | "key", settings: Settings): string | undefined {
  const path = settings[name];
  if (path === undefined) return undefined;
  try {
    return new TextDecoder().decode(readRegularFile(path, fs, maxPemBytes));
  } catch (cause) {
    const message = `cannot read ${path} (${name}): ${reasonOf(cause)}; check the file and its permissions`;
    throw new MoteError("MOTE_CONFIG", message, { cause, details: { key: name, file: path } });
  }
}
