import type { TestProject } from 'vitest/node';
import type { ClusterFacts } from '../../lab/cluster.ts';
import { startCluster } from '../../lab/cluster.ts';
import { startControlPlane } from '../../lab/control-plane.ts';
import { describeGivenCluster } from '../../lab/given-cluster.ts';
import { LabError } from '../../lab/lab-error.ts';
import '../../lab/real-cluster.ts';

/** What the tests get; `stop` ends what was started for them. */
interface Setting {
  readonly kubeconfig: string;
  readonly cluster: ClusterFacts;
  stop(): Promise<void>;
}

const print = (line: string): unknown => process.stderr.write(`${line}\n`);

/**
 * Starts a control plane and a three-node cluster for all test files, or takes the cluster of IMAGE_CLEANER_TEST_KUBECONFIG as both. On a
 * developer's machine that can't have them, the tests are skipped with the reason; in CI that is an error, so that no pipeline is green
 * because it tested nothing.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['IMAGE_CLEANER_TEST_KUBECONFIG'] ?? '';
  try {
    const setting = given === '' ? await startBoth() : await takeGiven(given);
    project.provide('kubeconfig', setting.kubeconfig);
    project.provide('cluster', setting.cluster);
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

async function startBoth(): Promise<Setting> {
  const controlPlane = await startControlPlane(undefined, print);
  try {
    const cluster = await startCluster({ nodes: 3 }, print);
    const stop = async (): Promise<void> => {
      await cluster.stop();
      await controlPlane.stop();
    };
    return { kubeconfig: controlPlane.kubeconfig, cluster: cluster.facts, stop };
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
}

async function takeGiven(kubeconfig: string): Promise<Setting> {
  return { kubeconfig, cluster: await describeGivenCluster(kubeconfig, print), stop: () => Promise.resolve() };
}
