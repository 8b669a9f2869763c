import { carryOutEnable } from '../../cluster/carry-out-enable.ts';
import type { ClusterSite } from '../../cluster/cluster-site.ts';
import { formatChange } from '../../cluster/diff-values.ts';
import { planEnable, type EnablePlan, type EnableRequest } from '../../cluster/plan-enable.ts';
import { describePlan } from '../../cluster/plan-object.ts';
import type { VersionChange } from '../../cluster/plan-settings.ts';
import { waitUntilReady } from '../../cluster/wait-until-ready.ts';
import { SYSTEM_TIMING } from '../../platform/timing.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { confirmOrRefuse } from './confirm-or-refuse.ts';
import { withSite } from './connect-site.ts';
import type { EnableOptions } from './enable-options.ts';
import { readGivenConfiguration, settingsOf } from './read-enable-options.ts';

/** What `enable` and `update` do. */
export async function enableCluster(context: CliContext, options: EnableOptions, command: EnableRequest['command']): Promise<ExitCode> {
  const configuration = await readGivenConfiguration(options);
  const request = { command, version: context.version, settings: settingsOf(options), configuration };
  return withSite(context, options, async (site) => {
    const plan = await planEnable(site, request);
    return options.dryRun ? showPlan(context, site, plan) : carryOut(context, options, { site, plan, command });
  });
}

/** Of what nobody should do without knowing. */
async function confirmPlan(context: CliContext, options: EnableOptions, { site, plan, command }: Planned): Promise<boolean> {
  const tell = (line: string): unknown => context.stderr.write(`${line}\n`);
  if (plan.objects.some(({ action }) => action === 'replace')) {
    tell(`The namespace ${site.namespace} has an Eraser. Its manager is replaced; configuration, exclusions and lists are kept.`);
    const question = { question: 'Replace it?', what: `${command} replaces the Eraser that is installed` };
    if (!(await confirmOrRefuse(context, options, question))) return false;
  }
  if (plan.downgrade !== null) {
    tell(describeDowngrade(plan.downgrade));
    const question = { question: 'Go back to it?', what: `${command} goes back to an older version` };
    if (!(await confirmOrRefuse(context, options, question))) return false;
  }
  return true;
}

function describeDowngrade({ from, to }: VersionChange): string {
  return (
    `Installed is ${from}, which is newer than ${to}. Keys of the configuration and flags of the manager that ${to} does not know keep it from ` +
    'running until they are taken out; it reads no history that a newer one has written.'
  );
}

function showPlan(context: CliContext, site: ClusterSite, plan: EnablePlan): ExitCode {
  context.stdout.write(`${plan.objects.flatMap(describePlan).join('\n')}\n`);
  tellNotes(context, plan);
  if (plan.downgrade !== null) context.stderr.write(`warning: ${describeDowngrade(plan.downgrade)}\n`);
  context.stderr.write(`Dry run: nothing was changed at ${site.client.server}.\n`);
  return EXIT.done;
}

interface Planned {
  readonly site: ClusterSite;
  readonly plan: EnablePlan;
  readonly command: EnableRequest['command'];
}

async function carryOut(context: CliContext, options: EnableOptions, planned: Planned): Promise<ExitCode> {
  const { site, plan } = planned;
  tellNotes(context, plan);
  if (!(await confirmPlan(context, options, planned))) return context.signal.aborted ? EXIT.interrupted : EXIT.refused;
  const tell = (line: string): unknown => context.stderr.write(`${line}\n`);
  await carryOutEnable(site, plan, { timing: SYSTEM_TIMING, tell });
  for (const change of plan.configuration.changes) tell(`Configuration: ${formatChange(change)}`);
  await waitUntilReady(site, { timeoutMs: options.waitTimeout, timing: SYSTEM_TIMING, tell });
  const changed = plan.objects.filter(({ action }) => action !== 'keep').length;
  context.stdout.write(
    `Image Cleaner is enabled in the namespace ${site.namespace} (${plan.images.image}): ` +
      `${changed === 0 ? 'nothing had to be changed' : `${String(changed)} of ${String(plan.objects.length)} objects made or changed`}.\n`,
  );
  return EXIT.done;
}

function tellNotes(context: CliContext, { notes }: EnablePlan): void {
  for (const note of notes) context.stderr.write(`${note}\n`);
}
