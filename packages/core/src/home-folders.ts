/** The folders of the current user: absolute paths, or undefined if unknown. */
export interface HomeFolders {
  readonly home: string | undefined;
  /** `$XDG_CONFIG_HOME`, else `.config` in the home folder. */
  readonly config: string | undefined;
  /** `$XDG_CACHE_HOME`, else `.cache` in the home folder. */
  readonly cache: string | undefined;
  /** `$XDG_RUNTIME_DIR`. */
  readonly runtime: string | undefined;
}

/**
 * Returns the folders of the current user. The home folder is `$HOME` or `$USERPROFILE`, or else the one in the user database. Empty and
 * relative paths are ignored (XDG Base Directory specification).
 * @param userInfo `userInfo` of `node:os`; it may throw
 */
export function homeFolders(
  env: Readonly<Record<string, string | undefined>>,
  userInfo: () => { readonly homedir: string | null },
): HomeFolders {
  const home = absolute(env.HOME) ?? absolute(env.USERPROFILE) ?? homeOfUser(userInfo);
  const below = (name: string) => (home === undefined ? undefined : `${home.replace(/[\\/]+$/, "")}/${name}`);
  return {
    home,
    config: absolute(env.XDG_CONFIG_HOME) ?? below(".config"),
    cache: absolute(env.XDG_CACHE_HOME) ?? below(".cache"),
    runtime: absolute(env.XDG_RUNTIME_DIR),
  };
}

function homeOfUser(userInfo: () => { readonly homedir: string | null }): string | undefined {
  try {
    return absolute(userInfo().homedir ?? undefined);
  } catch {
    // The user database has no entry, as in some containers.
    return undefined;
  }
}

function absolute(path: string | undefined): string | undefined {
  return path !== undefined && /^(?:\/|\\\\|[A-Za-z]:[\\/])/.test(path) ? path : undefined;
}
