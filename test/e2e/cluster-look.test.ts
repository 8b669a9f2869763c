import { afterAll, beforeAll, describe, expect, onTestFailed, test, vi } from 'vitest';
import * as z from 'zod';
import { AUTOMATIC, SOON, connectSite, lacksCluster, type InspectedNode, type Installation } from './site.ts';
import { runClusterCli, type ClusterCliResult } from './start-cluster-cli.ts';
import { healthy, library, vulnerable } from './sample-images.ts';

/** What an operator sees of an installation by the command line, held against the API server's objects and the runtimes' lists. */
describe.skipIf(lacksCluster())('looking at a cluster', () => {
  let site: Installation;
  let [node, other]: InspectedNode[] = [];
  let run = '';

  const cli = (...args: string[]): Promise<ClusterCliResult> => runClusterCli(args);

  async function ask<Schema extends z.ZodType>(schema: Schema, ...args: string[]): Promise<z.output<Schema>> {
    const { code, stdout, stderr } = await cli(...args, '-o', 'json');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    return schema.parse(JSON.parse(stdout));
  }

  beforeAll(async () => {
    site = await connectSite();
    [node, other] = site.nodes;
    await node?.import([vulnerable(library('bad:1')), vulnerable('ghcr.io/acme/kept:1'), healthy(library('good:1'))]);
    await other?.import([vulnerable(library('bad:1'))]);
    await site.do(['create', 'namespace', site.namespace]);
    expect(await cli('exclude', 'add', 'ghcr.io/acme/*')).toMatchObject({ code: 0 });
    await site.install(AUTOMATIC);
    await site.untilJobsEnd();
    await vi.waitFor(async () => expect(await site.workerPods()).toEqual([]), SOON);
    run = (await site.jobs())[0]?.metadata.name ?? '';
  }, 300_000);

  afterAll(async () => {
    await site.remove();
    await site.close();
  });

  const sees = (name: string, check: () => Promise<void>): void => {
    test(name, async () => {
      onTestFailed(async () => void process.stderr.write(await site.logs()));
      await check();
    });
  };

  sees('what exclude add wrote, the manager goes by', async () => {
    expect(await node?.tags()).toEqual(['ghcr.io/acme/kept:1', library('good:1')].sort());
    expect(await other?.tags()).toEqual([]);
    const listed = await ask(z.object({ entries: z.array(z.object({ pattern: z.string(), inForce: z.boolean() })) }), 'exclude', 'list');
    expect(listed.entries).toEqual([{ pattern: 'ghcr.io/acme/*', inForce: true }]);
  });

  sees('status is healthy, and tells of the leader, the run and the next one', async () => {
    const schema = z.object({
      healthy: z.boolean(),
      leader: z.object({ pod: z.string() }),
      automatic: z.object({ nextRunAt: z.string() }),
      runs: z.array(z.looseObject({ name: z.string(), removedImages: z.number(), succeeded: z.number() })),
    });
    const status = await ask(schema, 'status');
    const [pod] = await site.managerPods();
    const [job] = await site.jobs();
    expect(status).toMatchObject({
      healthy: true,
      leader: { pod: pod?.metadata.name },
      runs: [{ name: run, removedImages: job?.status?.removedImages, succeeded: 3, phase: 'Completed' }],
    });
    const daysMs = Date.parse(status.automatic.nextRunAt) - Date.parse(job?.status?.startTime ?? '');
    expect(Math.abs(daysMs - 86_400_000)).toBeLessThan(60_000);
    expect((await cli('status')).stdout).toMatch(/Nothing needs a person/);
  });

  sees('history tells of the run what the job does', async () => {
    const [job] = await site.jobs();
    const runs = await ask(
      z.array(z.looseObject({ name: z.string(), uid: z.string(), nodes: z.number(), sums: z.looseObject({}) })),
      'history',
    );
    const { removedImages, reclaimedBytes } = job?.status ?? {};
    expect(runs).toMatchObject([
      {
        name: run,
        uid: job?.metadata.uid,
        nodes: 3,
        sums: { removed: removedImages, reclaimedBytes, images: expect.any(Number) as number },
      },
    ]);
  });

  const nodeRuns = z.array(
    z.object({
      node: z.object({ name: z.string() }),
      decisions: z.array(z.object({ repoTags: z.array(z.string()), outcome: z.string(), message: z.string(), cves: z.array(z.string()) })),
    }),
  );

  sees('history of the run tells of each node what went, what stayed, and why', async () => {
    const nodes = await ask(nodeRuns, 'history', run);
    expect(nodes.map(({ node: { name } }) => name)).toEqual(site.nodes.map(({ name }) => name).sort());
    const of = (name: string | undefined, tag: string) =>
      nodes.find((one) => one.node.name === name)?.decisions.find(({ repoTags }) => repoTags.includes(tag));
    expect(of(node?.name, library('bad:1'))).toMatchObject({ outcome: 'remove', cves: ['CVE-2026-10001', 'CVE-2026-10002'] });
    expect(of(other?.name, library('bad:1'))).toMatchObject({ outcome: 'remove' });
    expect(of(node?.name, 'ghcr.io/acme/kept:1')?.message).toMatch(
      /excluded by "ghcr\.io\/acme\/\*" \(image-cleaner-excluded\/excluded\.json\)/,
    );
    expect(of(node?.name, library('good:1'))).toMatchObject({ outcome: 'keep' });
    const [alone] = await ask(nodeRuns, 'history', run, '--node', other?.name ?? '');
    expect(alone?.node.name).toBe(other?.name);
    const table = await cli('history', run);
    expect(table.stdout).toMatch(/removed +docker\.io\/library\/bad:1/);
  });

  sees('history of an image, on one node or all', async () => {
    const decisions = z.array(z.object({ node: z.string(), outcome: z.string() }));
    const all = await ask(decisions, 'history', '--image', 'bad:1');
    expect(all.map((one) => one.node).sort()).toEqual([node?.name, other?.name].sort());
    expect(await ask(decisions, 'history', '--image', 'bad:1', '--node', node?.name ?? '')).toEqual([
      { node: node?.name, outcome: 'remove' },
    ]);
    expect(await cli('history', '--image', 'never:1')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/knows no image named "never:1"/) as string,
    });
  });

  sees('logs outlive their pods', async () => {
    expect(await site.workerPods()).toEqual([]);
    const all = await cli('logs', run);
    expect(all).toMatchObject({ code: 0, stderr: '' });
    for (const { name } of site.nodes)
      for (const container of ['collector', 'remover']) expect(all.stdout).toContain(`${name} ${container}: `);
    const one = await cli('logs', run, node?.name ?? '', '-c', 'remover');
    expect(one.stdout).toMatch(/bad:1|removed/);
    expect(one.stdout).not.toMatch(/^\S+ remover: /m);
    expect(await cli('logs', 'no-such-run')).toMatchObject({ code: 1, stderr: expect.stringMatching(/no run no-such-run/) as string });
  });

  sees('explain tells of each node the last decision, with its reason', async () => {
    const schema = z.object({ nodes: z.array(z.looseObject({ node: z.string(), outcome: z.string(), cves: z.array(z.string()) })) });
    const { nodes } = await ask(schema, 'explain', 'bad:1');
    expect(nodes.map((one) => [one.node, one.outcome]).sort()).toEqual([node?.name, other?.name].sort().map((name) => [name, 'removed']));
    expect(nodes[0]?.cves[0]).toMatch(/^CVE-/);
    const never = await cli('explain', 'ghcr.io/acme/never:1');
    expect(never.stdout).toMatch(/ghcr\.io\/acme\/\*/);
  });

  sees('who may not exec is told what is lacking', async () => {
    await site.do(['create', 'serviceaccount', '-n', site.namespace, 'looker']);
    await site.do(['create', 'clusterrolebinding', 'looker', '--clusterrole=view', `--serviceaccount=${site.namespace}:looker`]);
    try {
      const token = (await site.do(['create', 'token', '-n', site.namespace, 'looker'])).trim();
      const kubeconfig = await site.kubeconfigWith(token);
      const denied = await runClusterCli(['history'], kubeconfig);
      expect(denied.code).toBe(1);
      expect(denied.stderr).toMatch(/forbidden/);
      expect(denied.stderr).toMatch(/"get" and "create" on "pods\/exec"/);
      expect((await runClusterCli(['exclude', 'list'], kubeconfig)).code).toBe(0);
    } finally {
      await site.do(['delete', 'clusterrolebinding', 'looker']);
    }
  });

  sees('a list that is stalled makes status end with 1, and say what to do', async () => {
    await site.applyList(['not an image !']);
    await vi.waitFor(async () => {
      const { code, stdout } = await cli('status');
      expect(code).toBe(1);
      expect(stdout).toMatch(/imagelist imagelist is Stalled: /);
    }, SOON);
    await site.do(['delete', 'imagelist', 'imagelist']);
  });

  sees('exclude remove takes away what was added, and a manual run then removes it', async () => {
    expect(await cli('exclude', 'remove', 'ghcr.io/acme/*')).toMatchObject({ code: 0 });
    await site.applyList(['ghcr.io/acme/kept:1']);
    await site.untilListIsDone();
    expect(await node?.tags()).toEqual([library('good:1')]);
    expect((await cli('exclude', 'remove', 'ghcr.io/acme/*')).code).toBe(1);
  });
});
