import { randomUUID } from 'node:crypto';
import { hasCode } from '../kube/kube-error.ts';
import { DEFINITIONS } from '../kube/resource.ts';
import type { Timing } from '../platform/timing.ts';
import type { ClusterSite } from './cluster-site.ts';
import { changeConfiguration, RUN_REQUESTED } from './configuration-store.ts';
import { deleteAndWait } from './delete-and-wait.ts';
import { describeObject } from './installation-objects.ts';
import type { EnablePlan } from './plan-enable.ts';
import { FIELD_MANAGER, type ObjectPlan } from './plan-object.ts';
import { untilServed } from './until-served.ts';

export interface CarryOutOptions {
  readonly timing: Timing;
  readonly tell: (line: string) => void;
}

/** An old manager may be at work for as long as its pod has to end. */
const REPLACED_MS = 120_000;

/** Makes and changes what the plan says. Once more after a failure, it goes on with what is left. */
export async function carryOutEnable(site: ClusterSite, plan: EnablePlan, { timing, tell }: CarryOutOptions): Promise<void> {
  const isDefinition = ({ of }: ObjectPlan): boolean => of.reference.resource === DEFINITIONS;
  const definitions = plan.objects.filter(isDefinition);
  for (const object of definitions) await carryOut(site, object, plan, { timing, tell });
  await untilServed(
    site,
    definitions.map(({ of }) => of.reference.name),
    timing,
  );
  for (const object of plan.objects.filter((each) => !isDefinition(each))) await carryOut(site, object, plan, { timing, tell });
}

async function carryOut(site: ClusterSite, object: ObjectPlan, plan: EnablePlan, { timing, tell }: CarryOutOptions): Promise<void> {
  const { of, action, takenOver } = object;
  const { client, call } = site;
  for (const field of takenOver) tell(`${describeObject(of.object)}: taken over from ${field}`);
  if (of.care === 'configuration' && action !== 'create') return changeStored(site, plan);
  if (action === 'keep') return;
  if (of.care !== 'ours') {
    await client.create(of.reference, of.object, call).catch((error: unknown) => {
      // What somebody made meanwhile is theirs.
      if (of.care !== 'users' || !hasCode(error, 'already-exists')) throw error;
    });
    return;
  }
  if (action === 'replace') await deleteAndWait(site, of.reference, { timeoutMs: REPLACED_MS, timing });
  await client.patch(of.reference, { strategy: 'apply', object: of.object, fieldManager: FIELD_MANAGER, force: true }, call);
}

async function changeStored(site: ClusterSite, { configuration, stored, requestsRun }: EnablePlan): Promise<void> {
  if (stored === null || (configuration.action === 'keep' && !requestsRun)) return;
  await changeConfiguration(site, stored, {
    ...(configuration.action === 'keep' ? {} : { text: configuration.text }),
    ...(requestsRun ? { annotations: { [RUN_REQUESTED]: randomUUID() } } : {}),
  });
}
