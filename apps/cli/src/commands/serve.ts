import type { Context } from "../context.js";
import { readFleetSecret } from "../serve/fleet-plan.js";
import { serveCache } from "../serve/serve-cache.js";
import { planServe, type ServeCommandOptions, type ServePlan } from "../serve/serve-plan.js";

export async function serve(context: Context, options: ServeCommandOptions): Promise<void> {
  const plan = planServe(options, context.settings);
  const cluster = plan.workers === 1 ? undefined : (await import("node:cluster")).default;
  if (cluster?.isWorker) {
    const { followParent } = await import("../serve/worker.js");
    const parent = followParent(context);
    await serveCache(
      parent.context,
      withSecret(plan, () => {}),
      { ready: (serves) => void process.send?.({ serves }) },
    );
    return parent.leave();
  }
  if (plan.sendsPasswordsInClear) {
    context.out.warn("passwords are sent unencrypted; use --tls-cert and --tls-key, or put a proxy with TLS in front");
  }
  const warned = withSecret(plan, (message) => context.out.warn(message));
  if (cluster === undefined) return serveCache(context, warned);
  const { serveWithWorkers } = await import("../serve/worker-pool.js");
  return serveWithWorkers(context, plan);
}

/** Returns the plan with the secret of the fleet. */
function withSecret(plan: ServePlan, warn: (message: string) => void): ServePlan & { readonly fleetSecret?: string } {
  return plan.secretFile === undefined ? plan : { ...plan, fleetSecret: readFleetSecret(plan.secretFile, warn) };
}
