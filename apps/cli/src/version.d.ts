/** Defined by the build. */
declare const MOTE_VERSION: string;
