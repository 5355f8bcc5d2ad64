import type { CommandSpec } from "./input/command.js";
import { add } from "./table/add.js";
import { bicExport } from "./table/bic-export.js";
import { bicMerge } from "./table/bic-merge.js";
import { bicStats } from "./table/bic-stats.js";
import { cat } from "./table/cat.js";
import { completion } from "./table/completion.js";
import { config } from "./table/config.js";
import { copy } from "./table/copy.js";
import { delta } from "./table/delta.js";
import { demo } from "./table/demo.js";
import { diff } from "./table/diff.js";
import { doctor } from "./table/doctor.js";
import { du } from "./table/du.js";
import { get } from "./table/get.js";
import { info } from "./table/info.js";
import { inspect } from "./table/inspect.js";
import { locate } from "./table/locate.js";
import { login } from "./table/login.js";
import { logout } from "./table/logout.js";
import { ls } from "./table/ls.js";
import { pin } from "./table/pin.js";
import { prune } from "./table/prune.js";
import { pull } from "./table/pull.js";
import { push } from "./table/push.js";
import { ref } from "./table/ref.js";
import { rm } from "./table/rm.js";
import { serve } from "./table/serve.js";
import { serveWarm } from "./table/serve-warm.js";
import { sync } from "./table/sync.js";
import { tags } from "./table/tags.js";
import { unpin } from "./table/unpin.js";
import { verify } from "./table/verify.js";

/** Every command. Within a group, the help lists them in this order. */
export const table: readonly CommandSpec[] = [
  pull,
  push,
  copy,
  sync,
  delta,
  get,
  inspect,
  tags,
  diff,
  ls,
  info,
  du,
  locate,
  bicStats,
  cat,
  ref,
  add,
  rm,
  pin,
  unpin,
  prune,
  verify,
  bicExport,
  bicMerge,
  serve,
  serveWarm,
  login,
  logout,
  config,
  doctor,
  completion,
  demo,
];
