import * as z from 'zod';
import { DEFINITIONS } from '../kube/resource.ts';
import type { Timing } from '../platform/timing.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';

const SERVED_MS = 30_000;
const POLL_MS = 100;
const conditionSchema = z.object({ type: z.string(), status: z.string(), message: z.string().default('') });
/** For a moment after it was made, a definition has a status whose conditions are null. */
const definitionSchema = z.object({ status: z.object({ conditions: z.array(conditionSchema).nullish() }).nullish() });

/** Until the API server knows the kinds: a manager that starts before has to try again. */
export async function untilServed({ client, call }: ClusterSite, names: readonly string[], timing: Timing): Promise<void> {
  const startedAt = timing.now();
  for (const name of names) {
    for (;;) {
      const { status } = definitionSchema.parse(await client.get({ resource: DEFINITIONS, name }, call));
      const conditions = status?.conditions ?? [];
      if (conditions.some(({ type, status }) => type === 'Established' && status === 'True')) break;
      const refused = conditions.find(({ type, status }) => type === 'NamesAccepted' && status === 'False');
      if (refused !== undefined || timing.now() - startedAt > SERVED_MS) {
        throw new ClusterError({
          code: 'not-ready',
          message: `The definition ${name} is stored, but the API server does not serve it${refused === undefined ? '' : `: ${refused.message}`}`,
          hint: `See kubectl describe crd ${name}; then enable again.`,
        });
      }
      await timing.sleep(POLL_MS, call.signal);
    }
  }
}
