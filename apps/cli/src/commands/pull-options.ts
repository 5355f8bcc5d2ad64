/** What can be given to `mote pull`, besides settings. */
export interface PullOptions {
  readonly platform?: string;
  readonly allPlatforms?: boolean;
  readonly force?: boolean;
  readonly link?: boolean;
  readonly offline?: boolean;
  readonly unpack?: string;
  readonly into?: string;
  readonly preferCached?: boolean;
  readonly delta?: string;
  readonly only?: readonly string[];
  readonly onlyAnnotation?: readonly string[];
}
