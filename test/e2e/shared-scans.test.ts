import { chmod, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test, vi } from 'vitest';
import * as z from 'zod';
import { ManagerPod } from '../../lab/manager-pod.ts';
import { declareTrivyDatabase, writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { AUTOMATIC, SOON, connectSite, lacksCluster, type Installation } from './site.ts';
import { runClusterCli } from './start-cluster-cli.ts';
import { healthy, library, vulnerable } from './sample-images.ts';

const NUMBERS = [1, 2, 3, 4, 5, 6];
const sick = NUMBERS.map((number) => library(`sick:${String(number)}`));
const well = NUMBERS.map((number) => library(`well:${String(number)}`));
/** A run, and the time to change what the next one goes by. */
const EVERY = { ...AUTOMATIC, manager: { ...AUTOMATIC.manager, scheduling: { repeatInterval: '40s', beginImmediately: true } } };

/** Three nodes that have the same images; told by the runtimes' lists and the rows of the history. */
describe.skipIf(lacksCluster())('scans of a cluster', () => {
  let site: Installation;
  let trivyCache: string;

  beforeAll(async () => {
    trivyCache = await mkdtemp(join(tmpdir(), 'image-cleaner-e2e-trivy-'));
    await cp(inject('prepared').trivyCache, trivyCache, { recursive: true });
    // Trivy's server is nobody in particular.
    await chmod(trivyCache, 0o777);
    site = await connectSite({ trivyCache });
    const images = [...sick.map(vulnerable), ...well.map(healthy)];
    for (const node of site.nodes) await node.import(images);
    await site.install(EVERY);
  }, 300_000);

  afterAll(async () => {
    await site.remove();
    await site.close();
    await rm(trivyCache, { recursive: true });
  });

  const readRows = async (query: string): Promise<Record<string, unknown>[]> => (await ManagerPod.find(site)).readRows(query);

  const tags = async (): Promise<string[][]> => Promise.all(site.nodes.map((node) => node.tags()));

  /** Of each job, in their order: how many images its nodes have read, and how many verdicts they had from elsewhere. */
  async function readScans(): Promise<[number, number][]> {
    const rows = await readRows(
      `SELECT sum(json_extract(summary, '$.scanned')) AS scanned, sum(json_extract(summary, '$.verdictsReused')) AS reused
       FROM node_run JOIN run ON run.id = run_id GROUP BY job_key ORDER BY job_key`,
    );
    return rows.map(({ scanned, reused }) => [Number(scanned), Number(reused)]);
  }

  test('each image is read by one node, and judged for all three', async () => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
    await vi.waitFor(async () => expect(await tags()).toEqual([well, well, well]), SOON);
    await vi.waitFor(async () => expect(await readScans()).toEqual([[12, 24]]), SOON);
    const analyses = await readRows('SELECT id_key, reported_by FROM analysis');
    expect(analyses).toHaveLength(12);
    const nodes = new Set(site.nodes.map(({ name }) => name));
    expect(analyses.every(({ reported_by: node }) => nodes.has(String(node)))).toBe(true);
  });

  test('what a revoked node has read is read anew by others, and nothing else is', async () => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
    const analyses = async (): Promise<{ id: string; node: string; keptMs: number }[]> =>
      (await readRows('SELECT id_key, reported_by, kept_ms FROM analysis')).map(({ id_key, reported_by, kept_ms }) => ({
        id: String(id_key),
        node: String(reported_by),
        keptMs: Number(kept_ms),
      }));
    // Of an image that is on no node any more, nobody can say anything anew.
    const present = new Set(well.map((name) => healthy(name).id.replace('sha256:', '')));
    const byNode = Map.groupBy(
      (await analyses()).filter(({ id }) => present.has(id)),
      ({ node }) => node,
    );
    const [rooted = '', lost = []] = [...byNode].toSorted(([, one], [, other]) => other.length - one.length)[0] ?? [];
    expect(lost.length).toBeGreaterThan(0);
    const before = await analyses();
    expect(await runClusterCli(['verdicts', 'revoke', '--node', 'never-heard-of', '--yes'])).toMatchObject({ code: 1, stdout: '' });
    expect(await runClusterCli(['verdicts', 'revoke', '--node', rooted])).toMatchObject({ code: 3, stdout: '' });
    const listed = await runClusterCli(['verdicts', 'revoke', '--node', rooted, '--dry-run', '-o', 'json']);
    const told = before.filter(({ node }) => node === rooted).map(({ id }) => `sha256:${id}`);
    const { verdicts } = z.object({ verdicts: z.array(z.object({ imageId: z.string() })) }).parse(JSON.parse(listed.stdout));
    expect(verdicts.map(({ imageId }) => imageId).sort()).toEqual(told.sort());
    expect(await analyses()).toEqual(before);

    await site.do(['label', 'node', rooted, 'eraser.sh/cleanup.filter=true']);
    try {
      const revoked = await runClusterCli(['verdicts', 'revoke', '--node', rooted, '--yes']);
      expect(revoked.code, revoked.stderr).toBe(0);
      const others = before.filter(({ node }) => node !== rooted);
      const now = await analyses();
      expect(now.filter(({ node }) => node === rooted)).toEqual([]);
      expect(now).toEqual(expect.arrayContaining(others));
      await vi.waitFor(async () => expect(await analyses()).toHaveLength(others.length + lost.length), { ...SOON, timeout: 150_000 });
      const after = await analyses();
      expect(after).toEqual(expect.arrayContaining(others));
      const anew = after.filter(({ id }) => lost.some((each) => each.id === id));
      expect(anew.map(({ node }) => node)).not.toContain(rooted);
      expect(anew).toHaveLength(lost.length);
      expect(Math.min(...anew.map(({ keptMs }) => keptMs))).toBeGreaterThan(Math.max(...lost.map(({ keptMs }) => keptMs)));
      expect(await tags()).toEqual([well, well, well]);
      // The analyses are there before the run's results are.
      const scanned = async (): Promise<number> => (await readScans()).reduce((sum, [each]) => sum + each, 0);
      await vi.waitFor(async () => expect(await scanned()).toBe(12 + lost.length), SOON);
    } finally {
      await site.do(['label', 'node', rooted, 'eraser.sh/cleanup.filter-']);
    }
  }, 300_000);

  test('a new vulnerability database judges what was read before: no node reads an image again', async () => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
    const before = await readScans();
    const analyses = (await readRows('SELECT id_key FROM analysis')).length;
    const found = { ecosystem: 'alpine', release: '3.22', packageName: 'openssl', id: 'CVE-2026-90001' } as const;
    await writeTrivyDatabase(trivyCache, declareTrivyDatabase([{ ...found, fixedVersion: '9.0.0-r0', severity: 'CRITICAL' }], new Date()));
    for (const pid of (await ManagerPod.find(site)).trivyPids()) process.kill(pid, 'SIGKILL');
    await vi.waitFor(async () => expect(await tags()).toEqual([[], [], []]), { ...SOON, timeout: 150_000 });
    await vi.waitFor(async () => expect((await readScans()).length).toBeGreaterThan(before.length), SOON);
    const scans = (await readScans()).slice(before.length);
    expect(scans.map(([scanned]) => scanned)).toEqual(scans.map(() => 0));
    expect(await readRows('SELECT id_key FROM analysis')).toHaveLength(analyses);
  }, 200_000);
});
