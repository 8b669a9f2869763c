import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { startControlPlane } from '../../lab/control-plane.ts';
import { ensureKubernetes } from '../../lab/kubernetes.ts';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { runCommand } from '../../lab/run-command.ts';
import { listRemains } from '../../lab/sweep-place.ts';

describe.skipIf(lacksNodeAccess())('a control plane', () => {
  test('keeps its address and what is stored when the API server is away, and leaves nothing', async () => {
    const { kubectl: program } = await ensureKubernetes(() => undefined);
    const controlPlane = await startControlPlane();
    const kubectl = (args: readonly string[]): Promise<string> =>
      runCommand(program, ['--kubeconfig', controlPlane.kubeconfig, '--cache-dir', `${controlPlane.place.root}/kubectl`, ...args]);
    try {
      expect(await readFile(controlPlane.kubeconfig, 'utf8')).toContain(controlPlane.url);
      await kubectl(['create', 'namespace', 'kept']);
      await controlPlane.stopApiserver();
      await expect(kubectl(['get', 'namespace', 'kept'])).rejects.toThrow('refused');
      await controlPlane.startApiserver();
      expect(await kubectl(['get', 'namespace', 'kept', '-o', 'name'])).toBe('namespace/kept\n');
      await controlPlane.restartApiserver('SIGTERM');
      // Tokens can be asked for and are told apart from others.
      await kubectl(['create', 'serviceaccount', '-n', 'kept', 'asker']);
      const token = (await kubectl(['create', 'token', '-n', 'kept', 'asker'])).trim();
      const bearer = ['--kubeconfig', '/dev/null', '--server', controlPlane.url, '--token', token];
      const trusting = [...bearer, '--certificate-authority', `${controlPlane.place.root}/pki/ca.crt`];
      const whoAmI = ['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'];
      expect(await runCommand(program, [...trusting, ...whoAmI])).toBe('system:serviceaccount:kept:asker');
      await expect(runCommand(program, [...trusting, 'get', 'pods'])).rejects.toThrow('Forbidden');
    } finally {
      await controlPlane.stop();
    }
    expect(listRemains(controlPlane.place)).toEqual([]);
    await controlPlane.stop(); // once more does no harm
  });
});
