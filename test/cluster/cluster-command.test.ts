import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { isAlive } from '../../lab/processes.ts';
import { readClusterState } from '../../lab/cluster-state.ts';

const script = join(import.meta.dirname, '../../lab/cluster-command.ts');

describe.skipIf(lacksNodeAccess())('npm run cluster', () => {
  const state = join(tmpdir(), `image-cleaner-test-cluster-${String(process.pid)}.json`);

  /** The command, on a cluster apart from the developer's. */
  function command(...args: readonly string[]): { readonly code: number | null; readonly output: string } {
    const env = { ...process.env, IMAGE_CLEANER_CLUSTER_STATE: state };
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { env, encoding: 'utf8' });
    return { code: status, output: stdout + stderr };
  }
  const hostPid = (): number => {
    const condition = readClusterState(state);
    if (condition.kind !== 'up') throw new Error(`the cluster is ${condition.kind}`);
    return condition.state.pid;
  };
  afterAll(() => {
    command('down');
  });

  test('brings a cluster up that stays, shows it, and takes it down', () => {
    expect(command('status')).toEqual({ code: 1, output: 'No cluster is up.\n' });
    const up = command('up', '--nodes', '2');
    expect(up).toMatchObject({ code: 0 });
    const kubeconfig = /^export KUBECONFIG=(.+)$/m.exec(up.output)?.[1] ?? '';
    expect(readFileSync(kubeconfig, 'utf8')).toContain('https://172.30.');
    const pid = hostPid();
    expect(isAlive(pid)).toBe(true);

    expect(command('up')).toMatchObject({ code: 0, output: expect.stringContaining('A cluster is up already.') as string });
    expect(hostPid()).toBe(pid);
    expect(command('status').output).toMatch(/n0 +Ready[^]*n1 +Ready[^]*export KUBECONFIG=/);

    expect(command('down')).toEqual({ code: 0, output: 'The cluster is down.\n' });
    expect(isAlive(pid)).toBe(false);
    expect(() => readFileSync(dirname(kubeconfig))).toThrow('ENOENT');
    expect(command('down')).toEqual({ code: 0, output: 'No cluster is up.\n' });
  });

  test('removes what a killed cluster left', async () => {
    expect(command('up')).toMatchObject({ code: 0 });
    const pid = hostPid();
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false));
    expect(command('status')).toMatchObject({ code: 1, output: expect.stringContaining('was killed') as string });
    expect(command('down').output).toBe('The cluster had been killed; what it left is removed.\n');
    expect(command('status').output).toBe('No cluster is up.\n');
  });

  test.each(['', 'sideways', 'up --nodes 4', 'up 2 3'])('refuses "%s"', (args) => {
    expect(command(...args.split(' ').filter(Boolean))).toEqual({
      code: 2,
      output: 'usage: npm run cluster up [--nodes 1|2|3] | down | status\n',
    });
  });
});
