import { chmod, copyFile, cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test, vi } from 'vitest';
import { declareTrivyDatabase, writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { AUTOMATIC, SOON, connectSite, lacksCluster, type Installation } from './site.ts';
import { healthy, library, vulnerable } from './sample-images.ts';

const NUMBERS = [1, 2, 3, 4, 5, 6];
const sick = NUMBERS.map((number) => library(`sick:${String(number)}`));
const well = NUMBERS.map((number) => library(`well:${String(number)}`));
/** A run, and the time to change what the next one goes by. */
const EVERY = { ...AUTOMATIC, manager: { ...AUTOMATIC.manager, scheduling: { repeatInterval: '40s', beginImmediately: true } } };

/** Of this machine's processes, those whose command line has this in it. */
async function pidsOf(command: string): Promise<string[]> {
  const pids: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(command)) pids.push(pid);
  }
  return pids;
}

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

  /** Of a copy of the manager's database: SQLite itself does not find its way into the pod. */
  async function readRows(query: string): Promise<Record<string, unknown>[]> {
    const [pid = ''] = await pidsOf('/usr/bin/controller\0');
    const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-e2e-history-'));
    try {
      for (const file of ['history.db', 'history.db-wal']) {
        await copyFile(`/proc/${pid}/root/var/lib/image-cleaner/${file}`, join(folder, file));
      }
      const database = new DatabaseSync(join(folder, 'history.db'));
      const rows = database.prepare(query).all();
      database.close();
      return rows;
    } finally {
      await rm(folder, { recursive: true });
    }
  }

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

  test('a new vulnerability database judges what was read before: no node reads an image again', async () => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
    const before = await readScans();
    const found = { ecosystem: 'alpine', release: '3.22', packageName: 'openssl', id: 'CVE-2026-90001' } as const;
    await writeTrivyDatabase(trivyCache, declareTrivyDatabase([{ ...found, fixedVersion: '9.0.0-r0', severity: 'CRITICAL' }], new Date()));
    for (const pid of await pidsOf('trivy\0server')) process.kill(Number(pid), 'SIGKILL');
    await vi.waitFor(async () => expect(await tags()).toEqual([[], [], []]), { ...SOON, timeout: 150_000 });
    await vi.waitFor(async () => expect((await readScans()).length).toBeGreaterThan(before.length), SOON);
    const scans = (await readScans()).slice(before.length);
    expect(scans.map(([scanned]) => scanned)).toEqual(scans.map(() => 0));
    expect(await readRows('SELECT id_key FROM analysis')).toHaveLength(12);
  }, 200_000);
});
