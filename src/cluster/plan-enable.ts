import { LABELS, MANAGER } from '../installation/make-manifest.ts';
import { hasCode } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { DEPLOYMENTS } from '../kube/resource.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import { readConfiguration, RUN_REQUESTED, type StoredConfiguration } from './configuration-store.ts';
import { installationObjects, type InstallationObject } from './installation-objects.ts';
import {
  NO_SETTINGS,
  parseStoredSettings,
  SETTINGS_ANNOTATION,
  settingsOfDeployment,
  type InstallationSettings,
} from './installed-settings.ts';
import { judgeConfiguration } from './judge-configuration.ts';
import { planConfiguration, type ConfigurationPlan, type GivenConfiguration } from './plan-configuration.ts';
import { planObject, type ObjectPlan } from './plan-object.ts';
import { findDowngrade, planSettings, type GivenSettings, type VersionChange } from './plan-settings.ts';
import { lookAtNamespace } from './look-at-namespace.ts';
import { describeNodes, refuseSecondInstallation, requireFitNamespace, requireRightsFor, requireServerVersion } from './preflight.ts';

export interface EnableRequest {
  /** `update` only changes what is installed. */
  readonly command: 'enable' | 'update';
  /** Of this program. */
  readonly version: string;
  /** What was given explicitly. */
  readonly settings: GivenSettings;
  readonly configuration: GivenConfiguration;
}

/** All that an enable will do; as yet nothing is changed. */
export interface EnablePlan {
  /** In the order in which they are to be made. */
  readonly objects: readonly ObjectPlan[];
  readonly configuration: ConfigurationPlan;
  /** null: there is none. */
  readonly stored: StoredConfiguration | null;
  /** An automatic run is to begin at once, though by what is on record of the time before a disable none may be due. */
  readonly requestsRun: boolean;
  readonly images: Pick<InstallationSettings, 'image' | 'scannerImage'>;
  /** null: what is installed is not newer. */
  readonly downgrade: VersionChange | null;
  readonly notes: readonly string[];
}

/**
 * Looks whether the cluster, its user and the request are fit for it, and at what would change, the latter by dry runs: what the API server would refuse
 * of any object, it refuses here. Throws a ClusterError `unfit`, `not-installed` or `bad-value`, or a KubeError.
 */
export async function planEnable(site: ClusterSite, request: EnableRequest): Promise<EnablePlan> {
  const { client, namespace, call } = site;
  await Promise.all([requireServerVersion(site), requireRightsFor(site, installationObjects(namespace, NO_SETTINGS, ''))]);
  const [place, deployment, stored] = await Promise.all([
    lookAtNamespace(site),
    client.find({ resource: DEPLOYMENTS, namespace, name: MANAGER }, call),
    readConfiguration(site),
    refuseSecondInstallation(site),
  ]);
  requireFitNamespace(namespace, place);
  if (request.command === 'update' && deployment === null) throw notInstalled(namespace);
  const isForeign = deployment !== null && !isOurs(deployment);
  const installed =
    deployment === null || isForeign ? parseStoredSettings(stored?.annotations[SETTINGS_ANNOTATION]) : settingsOfDeployment(deployment);
  const settings = planSettings(request.settings, installed, request.version);
  const configuration = planConfiguration(stored?.text ?? null, request.configuration, {
    planned: settings,
    installed,
    version: request.version,
  });
  const objects = installationObjects(namespace, settings, configuration.text).filter(
    ({ object }) => object.kind !== 'Namespace' || place?.madeBy !== 'others',
  );
  const requestsRun = deployment === null && stored !== null && beginsImmediately(configuration.text);
  const context = { site, hasPlace: place !== null, isForeign, configuration, stored, requestsRun };
  return {
    objects: await Promise.all(objects.map((of) => planOne(of, context))),
    configuration,
    stored,
    requestsRun,
    images: settings,
    downgrade: findDowngrade(settings, installed, request.version),
    notes: [...(await describeNodes(site, configuration.text)), ...configuration.warnings.map((line) => `warning: ${line}`)],
  };
}

function notInstalled(namespace: string): ClusterError {
  return new ClusterError({
    code: 'not-installed',
    message: `Image Cleaner is not installed in the namespace ${namespace}: there is no Deployment ${MANAGER}`,
    hint: 'To install, or after a disable: image-cleaner cluster enable. Installed elsewhere: name its namespace with -n.',
  });
}

function isOurs({ metadata }: KubeObject): boolean {
  const labels = (metadata['labels'] ?? {}) as Readonly<Record<string, string>>;
  return labels['app.kubernetes.io/name'] === LABELS['app.kubernetes.io/name'];
}

function beginsImmediately(configuration: string): boolean {
  const judged = judgeConfiguration(configuration);
  const schedule = judged.ok ? judged.accepted.scheduling.schedule : null;
  return schedule?.kind === 'interval' && schedule.beginImmediately;
}

interface PlanningContext {
  readonly site: ClusterSite;
  /** Whether the namespace is there. */
  readonly hasPlace: boolean;
  readonly isForeign: boolean;
  readonly configuration: ConfigurationPlan;
  readonly stored: StoredConfiguration | null;
  readonly requestsRun: boolean;
}

async function planOne(
  of: InstallationObject,
  { site, hasPlace, isForeign, configuration, stored, requestsRun }: PlanningContext,
): Promise<ObjectPlan> {
  const plan = (action: ObjectPlan['action'], changes: ObjectPlan['changes'] = []): ObjectPlan => ({ of, action, changes, takenOver: [] });
  const { reference, care, object } = of;
  // In a namespace that is not there nothing can be tried.
  if (!hasPlace && reference.namespace === site.namespace) return plan('create');
  if (care === 'users') return plan((await site.client.find(reference, site.call)) === null ? 'create' : 'keep');
  if (care === 'configuration') {
    if (stored === null) return plan('create');
    const requested = requestsRun
      ? [{ path: `metadata.annotations.${RUN_REQUESTED}`, from: stored.annotations[RUN_REQUESTED], to: '(new)' }]
      : [];
    return configuration.action === 'keep' && !requestsRun ? plan('keep') : plan('change', [...configuration.changes, ...requested]);
  }
  if (isForeign && object.kind === 'Deployment') return plan('replace');
  return planObject(site, of).catch((error: unknown) => {
    // What a binding grants is looked up in its role, which may be about to be made.
    if (object.kind?.endsWith('RoleBinding') === true && hasCode(error, 'forbidden', 'not-found')) return plan('create');
    throw error;
  });
}
