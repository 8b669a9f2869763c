import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { kubectlWith, type Kubectl } from '../../lab/kubectl.ts';
import { lacksKubernetes } from '../../lab/real-cluster.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/image-cleaner.mjs', import.meta.url));

describe.skipIf(lacksKubernetes())('kubectl image-cleaner', () => {
  let folder: string;
  let kubectl: Kubectl;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-test-plugin-'));
    // As npm puts it there.
    await symlink(PROGRAM, join(folder, 'kubectl-image_cleaner'));
    kubectl = await kubectlWith({ kubeconfig: inject('kubeconfig'), home: folder, plugins: [folder, dirname(process.execPath)] });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('is what image-cleaner cluster is, with the cluster that kubectl has', async () => {
    const { code, stdout, stderr } = await kubectl(['image-cleaner', 'version', '-n', 'nothing-here', '-o', 'json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ program: packageJson.version, installation: null });
  });

  test('calls itself so in its help', async () => {
    const { stdout } = await kubectl(['image-cleaner', 'version', '--help']);
    expect(stdout).toMatch(/^Usage: kubectl image-cleaner version /);
  });

  test('ends with the code of the program', async () => {
    const { code, stderr } = await kubectl(['image-cleaner', 'clean']);
    expect(code).toBe(2);
    expect(stderr).toContain("unknown command 'clean'");
  });
});
