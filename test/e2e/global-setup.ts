import type { TestProject } from 'vitest/node';
import { LabError } from '../../lab/lab-error.ts';
import { ensureHelm } from '../../lab/tools.ts';
import { prepareCluster } from './prepare-cluster.ts';
import './prepared.ts';

const print = (line: string): unknown => process.stderr.write(`${line}\n`);

/** What `prepareCluster` says. On a developer's machine that cannot have it, the tests are skipped with the reason; in CI that is an error. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  try {
    await ensureHelm(print);
    const site = await prepareCluster(print);
    project.provide('prepared', site.prepared);
    project.provide('missing', null);
    return async () => {
      await site[Symbol.asyncDispose]();
    };
  } catch (error) {
    if (!(error instanceof LabError) || process.env['CI'] === 'true') throw error;
    const reason = error.hint === undefined ? error.message : `${error.message} ${error.hint}`;
    print(`Skipping tests that need Kubernetes: ${reason}`);
    project.provide('missing', reason);
    return () => Promise.resolve();
  }
}
