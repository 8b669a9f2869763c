import type { TestProject } from 'vitest/node';
import type { ClusterFacts } from '../../lab/cluster.ts';
import { startCluster } from '../../lab/cluster.ts';
import { startControlPlane } from '../../lab/control-plane.ts';
import { describeGivenCluster } from '../../lab/given-cluster.ts';
import { LabError } from '../../lab/lab-error.ts';
import '../../lab/real-cluster.ts';
import { ensureBundle } from '../ensure-bundle.ts';

/** What the tests of a project get; `stop` ends what was started for them. */
interface Setting {
  readonly kubeconfig?: string;
  readonly auditLog?: string;
  readonly cluster?: ClusterFacts;
  stop(): Promise<void>;
}

const print = (line: string): unknown => process.stderr.write(`${line}\n`);

/**
 * Starts three nodes for the project `cluster` and an API server alone for `cluster-api`, or takes the cluster of IMAGE_CLEANER_TEST_KUBECONFIG for
 * them; and builds the controller. On a developer's machine that can't have them, the tests are skipped with the reason; in CI that is an error, so that no
 * pipeline is green because it tested nothing.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['IMAGE_CLEANER_TEST_KUBECONFIG'] ?? '';
  await ensureBundle();
  try {
    const setting = given === '' ? await start(project.name) : await takeGiven(given);
    if (setting.kubeconfig !== undefined) project.provide('kubeconfig', setting.kubeconfig);
    project.provide('auditLog', setting.auditLog ?? null);
    if (setting.cluster !== undefined) project.provide('cluster', setting.cluster);
    project.provide('hasNodeAccess', given === '');
    project.provide('missingKubernetes', null);
    return () => setting.stop();
  } catch (error) {
    if (!(error instanceof LabError) || process.env['CI'] === 'true') throw error;
    const reason = error.hint === undefined ? error.message : `${error.message} ${error.hint}`;
    print(`Skipping tests that need Kubernetes: ${reason}`);
    project.provide('missingKubernetes', reason);
    return () => Promise.resolve();
  }
}

async function start(projectName: string): Promise<Setting> {
  if (projectName === 'cluster') {
    const cluster = await startCluster({ nodes: 3 }, print);
    return { cluster: cluster.facts, stop: () => cluster.stop() };
  }
  if (projectName !== 'cluster-api') return { stop: () => Promise.resolve() };
  const controlPlane = await startControlPlane(undefined, print);
  return { kubeconfig: controlPlane.kubeconfig, auditLog: controlPlane.auditLog, stop: () => controlPlane.stop() };
}

async function takeGiven(kubeconfig: string): Promise<Setting> {
  return { kubeconfig, cluster: await describeGivenCluster(kubeconfig, print), stop: () => Promise.resolve() };
}
