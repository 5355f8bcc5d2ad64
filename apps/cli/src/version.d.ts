/** Put in by the build. */
declare const MOTE_VERSION: string;
