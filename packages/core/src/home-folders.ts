/** The folders of the user who runs the process. Each is an absolute path, or undefined where nothing says which it is. */
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
 * Returns the user's folders. The home folder is `$HOME` (on Windows also `$USERPROFILE`), else what the system's user database
 * says; a container's user may have neither. Paths that are empty or relative are ignored, as the XDG Base Directory specification asks.
 * `userInfo` is that of `node:os`, and may throw.
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
    // A user id without an entry in the database.
    return undefined;
  }
}

function absolute(path: string | undefined): string | undefined {
  return path !== undefined && /^(?:\/|\\\\|[A-Za-z]:[\\/])/.test(path) ? path : undefined;
}
