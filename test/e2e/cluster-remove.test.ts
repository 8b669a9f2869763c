import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test, vi } from 'vitest';
import * as z from 'zod';
import { MANUAL, SOON, connectSite, lacksCluster, type Installation } from './site.ts';
import { library, runnable, vulnerable } from './sample-images.ts';
import { runClusterCli } from './start-cluster-cli.ts';

const WORKLOADS = 'remove';
const USED = library('used:1');
const STAYS = library('stays:1');

const endSchema = z.object({
  phase: z.string(),
  nodes: z.looseObject({ desired: z.number(), succeeded: z.number(), failed: z.number() }),
  removedImages: z.number(),
  inUse: z.array(z.object({ image: z.string(), namespace: z.string(), pod: z.string(), node: z.string().nullable() })),
});

describe.skipIf(lacksCluster())('image-cleaner cluster remove', () => {
  let site: Installation;
  let first: Installation['nodes'][number];

  beforeAll(async () => {
    site = await connectSite();
    const [node] = site.nodes;
    if (node === undefined) throw new Error('no node');
    first = node;
    await first.import([await runnable(USED)]);
    await site.do(['create', 'namespace', WORKLOADS]);
    await vi.waitFor(() => site.do(['get', 'serviceaccount', '-n', WORKLOADS, 'default']), SOON);
    await site.do(['apply', '-f', '-'], {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'user', namespace: WORKLOADS },
      spec: {
        nodeName: first.name,
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'main', image: 'used:1', imagePullPolicy: 'Never' }],
      },
    });
    await site.do(['wait', '-n', WORKLOADS, '--for=condition=Ready', '--timeout=60s', 'pod/user']);
    await site.install(MANUAL);
  }, 300_000);

  afterAll(async () => {
    await site.do(['delete', 'namespace', WORKLOADS, '--wait']);
    await site.remove();
    await site.close();
  });

  beforeEach(async () => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
    await site.do(['delete', 'imagelists', '--all', '--wait']);
    for (const node of site.nodes) await node.import(['gone:1', 'gone:2', 'stays:1'].map((name) => vulnerable(library(name))));
  });

  const tagsOfAll = async (): Promise<string[][]> => Promise.all(site.nodes.map((node) => node.tags()));

  test('removes what is listed from all nodes, twice as once, and tells what is in use and stays', async () => {
    for (const time of ['first', 'again']) {
      const before = (await tagsOfAll()).flat().length;
      const { code, stdout, stderr } = await runClusterCli(['remove', 'gone:1', library('gone:2'), 'used:1', '-o', 'json']);
      expect(code, `${time}: ${stderr}`).toBe(0);
      expect(await tagsOfAll()).toEqual([[STAYS, USED], [STAYS], [STAYS]]);
      const end = endSchema.parse(JSON.parse(stdout));
      expect(end).toMatchObject({ phase: 'Completed', nodes: { desired: 3, succeeded: 3, failed: 0 } });
      expect(end.removedImages).toBe(before - 4);
      expect(end.inUse).toEqual([{ image: 'used:1', namespace: WORKLOADS, pod: 'user', node: first.name }]);
      // The same list once more: it is another run.
      for (const node of site.nodes) await node.import([vulnerable(library('gone:1'))]);
    }
  });

  test("refuses what is no image, everything without consent, and to lose somebody's list, with nothing sent", async () => {
    const refusals: [readonly string[], number, string][] = [
      [['remove', 'gone:1', 'not an image'], 2, '"not an image"'],
      [['remove', '*'], 3, '--yes'],
      [['remove', 'gone:*', '--yes'], 2, 'no wildcards'],
    ];
    for (const [args, expected, message] of refusals) {
      const { code, stderr } = await runClusterCli(args);
      expect(stderr).toContain(message);
      expect(code).toBe(expected);
    }
    expect(await site.do(['get', 'imagelists', '-o', 'name'])).toBe('');
    await site.applyList([library('somebodys:1')]);
    await site.untilListIsDone();
    const { code, stderr } = await runClusterCli(['remove', 'gone:1']);
    expect(code).toBe(3);
    expect(stderr).toContain(library('somebodys:1'));
    expect((await site.list()).spec?.images).toEqual([library('somebodys:1')]);
    expect((await tagsOfAll()).flat()).toContain(library('gone:1'));
    const replaced = await runClusterCli(['remove', 'gone:1', '--replace-list']);
    expect(replaced.code, replaced.stderr).toBe(0);
    expect((await tagsOfAll()).flat()).not.toContain(library('gone:1'));
  });

  test('removes everything that nothing uses, when that is confirmed', async () => {
    const { code, stdout, stderr } = await runClusterCli(['remove', '*', '--yes']);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('3 of 3 nodes succeeded');
    expect(await tagsOfAll()).toEqual([[USED], [], []]);
  });
});
