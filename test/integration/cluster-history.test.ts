import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { NodeScan } from '../../src/store/cluster-history.ts';
import { openTestClusterHistory } from '../fakes/cluster-history-in-test.ts';
import { analysisOf } from '../fakes/fake-reader.ts';
import { finding, image, imageId, report } from '../fakes/images.ts';
import { startImageServer } from '../fakes/image-server.ts';
import { runCli } from './run-cli.ts';
import { lookAt, NEVER, nodeResults, removedOn, keptOn, workerPod } from '../fakes/node-results.ts';

/** The history of a cluster on real filesystems, written by real processes. */

let folder: string;
let program: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'image-cleaner-cluster-history-'));
  program = join(folder, 'cluster-history-process.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('cluster-history-process.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

let folders = 0;
function newFolder(): string {
  const path = join(folder, String((folders += 1)));
  mkdirSync(path);
  return path;
}

interface ManagerProcess {
  readonly child: ChildProcess;
  /** Nodes that it has said are on record. */
  readonly recorded: number[];
  readonly faults: string[];
}

function start(path: string, job: string, first: number): ManagerProcess {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, path, job, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [recorded, faults]: [number[], string[]] = [[], []];
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('fault')) faults.push(line);
    else if (line !== 'begun') recorded.push(Number(line));
  });
  return { child, recorded, faults };
}

async function kill({ child }: ManagerProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

function mount(kilobytes: number): string {
  const path = newFolder();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(kilobytes)}k,mode=0755`, 'tmpfs', path]);
  onTestFinished(() => void execFileSync('umount', ['--lazy', path]));
  return path;
}

/** Until not one block is left. */
function fill(path: string): void {
  const file = openSync(join(path, 'fill'), 'a');
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  } finally {
    closeSync(file);
  }
  expect(statfsSync(path).bavail).toBe(0);
}

/** What is wrong with the file, and how many runs there are of each job; each with all its decisions. */
function inspect(path: string): { readonly runs: Record<string, number>; readonly nodes: Set<string> } {
  const database = new DatabaseSync(path, { timeout: 10_000 });
  const all = (sql: string): Record<string, unknown>[] => database.prepare(sql).all();
  expect(all('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  expect(all('PRAGMA foreign_key_check')).toEqual([]);
  expect(all('SELECT run_id FROM node_run WHERE (SELECT count(*) FROM decision WHERE decision.run_id = node_run.run_id) <> 60')).toEqual(
    [],
  );
  expect(all('SELECT id FROM run WHERE id NOT IN (SELECT run_id FROM node_run)')).toEqual([]);
  expect(all("SELECT uid FROM job WHERE json_extract(totals, '$.nodes') <> (SELECT count(*) FROM node_run WHERE job_key = key)")).toEqual(
    [],
  );
  expect(all('SELECT bytes FROM log_size WHERE bytes <> ifnull((SELECT sum(length(packed)) FROM log_piece), 0)')).toEqual([]);
  const rows = all('SELECT uid, node FROM node_run JOIN job ON job.key = job_key');
  database.close();
  const runs: Record<string, number> = {};
  for (const { uid } of rows) runs[String(uid)] = (runs[String(uid)] ?? 0) + 1;
  return { runs, nodes: new Set(rows.map(({ uid, node }) => `${String(uid)} ${String(node)}`)) };
}

describe('a manager that is killed', () => {
  test('at any moment has on record all that it has acknowledged, and each of it whole', { timeout: 300_000 }, async () => {
    const path = join(newFolder(), 'history.db');
    const acknowledged = new Set<string>();
    let next = 0;
    for (let round = 0; round < 25; round += 1) {
      const manager = start(path, 'job-1', next);
      if (round % 5 > 0) await expect.poll(() => manager.recorded.length, { timeout: 30_000, interval: 5 }).toBeGreaterThan(0);
      await delay((round * 37) % 120);
      await kill(manager);
      for (const number of manager.recorded) acknowledged.add(`job-1 node-${number}`);
      next = Math.max(next, ...manager.recorded.map((number) => number + 1)) + 12;
      if (round === 0 && manager.recorded.length === 0) continue;
      const { nodes } = inspect(path);
      expect([...acknowledged].filter((node) => !nodes.has(node))).toEqual([]);
    }
    expect(acknowledged.size).toBeGreaterThan(100);
    const { history } = await openTestClusterHistory({ path });
    for (const node of acknowledged) {
      const pod = workerPod(node.slice('job-1 '.length));
      expect(await history.results.recordedDigest(pod, NEVER)).toBe(`digest ${pod.node.slice('node-'.length)}`);
      expect(await history.logs.position(pod, 'remover', NEVER)).toMatchObject({ pieces: 1 });
    }
  });

  test('and the one that takes over may write at once', { timeout: 60_000 }, async () => {
    const path = join(newFolder(), 'history.db');
    const managers = [start(path, 'job-1', 0), start(path, 'job-2', 0), start(path, 'job-1', 1_000_000)];
    await expect.poll(() => Math.min(...managers.map(({ recorded }) => recorded.length)), { timeout: 50_000 }).toBeGreaterThan(40);
    await Promise.all(managers.map(kill));
    const { runs, nodes } = inspect(path);
    expect(runs['job-1']).toBeGreaterThan(80);
    for (const [at, { recorded, faults }] of managers.entries()) {
      const job = at === 1 ? 'job-2' : 'job-1';
      expect(recorded.filter((number) => !nodes.has(`${job} node-${number}`))).toEqual([]);
      // To wait for another is no fault.
      expect(faults).toEqual([]);
    }
  });
});

const decisions = Array.from({ length: 60 }, (_, number) => {
  const findings = Array.from({ length: 40 }, (_, cve) => finding({ id: `CVE-${number}-${cve}` }));
  return removedOn(image(number), { ruling: { outcome: 'remove', reason: { code: 'vulnerable', findings } } });
});

describe('a full disk', () => {
  test('rejects what there is no room for, keeps what was acknowledged, and goes on when there is room', async () => {
    const volume = mount(3_072);
    const { history, path, faults } = await openTestClusterHistory({ path: join(volume, 'history.db') });
    const record = (node: number): Promise<string> =>
      history.results.record(workerPod(`node-${node}`), nodeResults(decisions), `digest ${node}`, NEVER).then(
        () => 'done',
        (error: unknown) => String((error as { code?: unknown }).code),
      );
    for (let node = 0; node < 20; node += 1) expect(await record(node)).toBe('done');
    fill(volume);
    const outcomes: string[] = [];
    for (let node = 20; node < 400 && outcomes.at(-1) !== 'full'; node += 1) outcomes.push(await record(node));
    expect(outcomes.at(-1)).toBe('full');
    const last = 20 + outcomes.length - 1;
    expect(await Promise.all([record(last), record(last + 1)])).toEqual(['full', 'full']);
    await expect(
      history.images.observe(workerPod('node-1'), lookAt(Array.from({ length: 2_000 }, (_, at) => image(at))), NEVER),
    ).rejects.toMatchObject({
      code: 'full',
    });
    // What is on record can be asked for all the time.
    expect(await history.results.recordedDigest(workerPod('node-0'), NEVER)).toBe('digest 0');
    rmSync(join(volume, 'fill'));
    expect(await Promise.all([record(last), record(last + 1)])).toEqual(['done', 'done']);
    expect(faults).toEqual(['full', null, ...faults.slice(2)]);
    await history.close();
    expect(inspect(path).runs).toEqual({ 'job-1': last + 2 });
  });

  test('at the beginning is no end: the file is made when there is room', async () => {
    const volume = mount(1_024);
    fill(volume);
    const { history, faults } = await openTestClusterHistory({ path: join(volume, 'history.db') });
    expect(faults).toEqual(['full']);
    const record = (): Promise<unknown> => history.results.record(workerPod('node-1'), nodeResults([]), 'a', NEVER);
    await expect(record()).rejects.toMatchObject({ code: 'full' });
    rmSync(join(volume, 'fill'));
    await expect
      .poll(
        () =>
          record().then(
            () => 'done',
            () => 'not yet',
          ),
        { timeout: 10_000 },
      )
      .toBe('done');
    expect(history.fault).toBeNull();
  });
});

test('a volume that is mounted for reading rejects what is to be written, until it is not', async () => {
  const volume = mount(4_096);
  const first = await openTestClusterHistory({ path: join(volume, 'history.db') });
  await first.history.results.record(workerPod('node-1'), nodeResults([]), 'a', NEVER);
  await first.history.close();
  execFileSync('mount', ['-o', 'remount,ro', volume]);
  const { history, faults } = await openTestClusterHistory({ path: first.path });
  await expect(history.results.record(workerPod('node-2'), nodeResults([]), 'a', NEVER)).rejects.toMatchObject({ code: 'read-only' });
  execFileSync('mount', ['-o', 'remount,rw', volume]);
  await expect
    .poll(
      () =>
        history.results.record(workerPod('node-2'), nodeResults([]), 'a', NEVER).then(
          () => 'done',
          () => 'not yet',
        ),
      { timeout: 10_000 },
    )
    .toBe('done');
  expect(await history.results.recordedDigest(workerPod('node-1'), NEVER)).toBe('a');
  expect(faults).toEqual(['read-only', null]);
});

describe('the command line', () => {
  test('shows the runs of nodes, with node and job, and explains an image beside them', async () => {
    const { history, path } = await openTestClusterHistory({ path: join(newFolder(), 'history.db') });
    await history.recordJobBegan({ uid: 'uid-1', name: 'imagejob-abcde', mode: 'automatic', startedAt: 0 }, NEVER);
    const record = (node: string, job: string, ...[results, digest = 'a']: [ReturnType<typeof nodeResults>, string?]): Promise<void> =>
      history.results.record(workerPod(node, job), results, digest, NEVER);
    await record('node-1', 'uid-1', nodeResults([removedOn(image(1)), keptOn(image(2))], { omittedFindings: 3 }));
    await record('node-2\u001b[31m', 'uid-1', nodeResults([keptOn(image(1))]));
    await record('node-1', 'uid-2', nodeResults([], { state: 'failed', message: 'no runtime', runtime: null, summary: null }));
    await history.close();
    const cli = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await runCli([...args, '--history', path]);
      expect([args, code], stderr).toEqual([args, 0]);
      return stdout;
    };
    const lines = (await cli('history')).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^RUN +NODE +JOB +STARTED/);
    expect(lines[1]).toMatch(/^3 +node-1 +uid-2 .* failed .* no runtime$/);
    expect(lines[2]).not.toContain('\u001b');
    expect(lines[3]).toMatch(/^1 +node-1 +imagejob-abcde /);
    expect(JSON.parse(await cli('history', '-o', 'json'))).toMatchObject([
      { id: 3, node: { name: 'node-1', job: { uid: 'uid-2', name: null } } },
      { id: 2 },
      {
        id: 1,
        node: { name: 'node-1', job: { uid: 'uid-1', name: 'imagejob-abcde' }, omittedFindings: 3, recordedAt: '2026-11-01T00:00:00.000Z' },
      },
    ]);
    const run = await cli('history', '1');
    expect(run).toMatch(/^Node: +node-1$/m);
    expect(run).toMatch(/^Job: +imagejob-abcde \(uid uid-1\)$/m);
    expect(run).toMatch(/^Findings: +3 of the least severe were left out$/m);
    expect(run).toMatch(/^removed .*image-1:1 .*no container uses it$/m);
    expect(run).not.toMatch(/^Command:/m);
    const ofImage = (await cli('history', '--image', 'image-1:1')).trimEnd().split('\n');
    expect(ofImage).toHaveLength(3);
    expect(ofImage[0]).toMatch(/^RUN +NODE +STARTED/);
    expect(ofImage[2]).toMatch(/^1 +node-1 .* removed .*image-1:1/);
    expect(JSON.parse(await cli('history', '--image', 'image-1:1', '-o', 'json'))).toMatchObject([
      { runId: 2, job: { name: 'imagejob-abcde' } },
      { runId: 1, node: 'node-1', job: { uid: 'uid-1' } },
    ]);
    await using server = await startImageServer([{ id: imageId(1), repoTags: ['docker.io/library/image-1:1'], size: 5n }]);
    expect(await cli('explain', 'image-1:1', '--scanner', 'none', '--runtime-endpoint', server.socketPath)).toMatch(
      /REMOVE: no container uses it/,
    );
  });

  test('shows which node has read which image, and takes back what one has told, while the manager has the history open', async () => {
    const { history, path } = await openTestClusterHistory({ path: join(newFolder(), 'history.db') });
    const scanner = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: '2026-10-31T06:00:00Z', databaseMark: 'server:cluster 1' };
    const told = (node: string, number: number): NodeScan[] => [
      { reportedBy: node, report: { ...report(image(number)), scanner }, analysis: analysisOf(imageId(number)), asOf: 0 },
    ];
    await history.scans.keep([...told('node-1', 1), ...told('node-2', 2), ...told('node-1', 3)], NEVER);
    await history.results.record(workerPod('node-2'), nodeResults([keptOn(image(1))]), 'a', NEVER);
    const cli = (...args: string[]): ReturnType<typeof runCli> => runCli(['history', ...args, '--history', path]);
    const imagesOf = async (...args: string[]): Promise<unknown> => {
      const { code, stdout, stderr } = await cli(...args, '-o', 'json');
      expect(code, stderr).toBe(0);
      return (JSON.parse(stdout) as Record<string, unknown>[]).map(({ node, imageId: id }) => [node, id]);
    };
    const all = [
      ['node-1', imageId(1)],
      ['node-1', imageId(3)],
      ['node-2', imageId(2)],
    ];
    expect(await imagesOf('--verdicts')).toEqual(all);
    expect((await cli('--verdicts', '--node', 'node-1')).stdout).toMatch(
      /^NODE .*\nnode-1 +.*image-1:1 .* trivy 0\.74\.0 .*\nnode-1 .*\n$/,
    );
    expect(await cli('--revoke', 'node-9')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^error: the history knows no node node-9$/m) as string,
    });
    expect((await cli('--revoke', 'node-1', '--node', 'node-2')).code).toBe(2);
    expect(await imagesOf('--verdicts')).toEqual(all);
    expect(await imagesOf('--revoke', 'node-1')).toEqual(all.slice(0, 2));
    expect(await imagesOf('--verdicts')).toEqual(all.slice(2));
    const known = await history.scans.readAnalyses({ imageIds: [1, 2, 3].map(imageId), scanner }, NEVER);
    expect([...known.keys()]).toEqual([imageId(2)]);
    expect(await history.scans.lastRevocation(NEVER)).toBeGreaterThan(0);
    expect(await imagesOf('--revoke', 'node-2')).toEqual(all.slice(2));
    expect((await cli('--verdicts')).stdout).toBe('Nothing is kept that a node has told of an image.\n');
  });

  test('shows no node and no job where there are none', async () => {
    await using server = await startImageServer([]);
    const path = join(newFolder(), 'history.db');
    const cleaned = await runCli(['clean', '--yes', '--scanner', 'none', '--runtime-endpoint', server.socketPath, '--history', path]);
    expect(cleaned.code, cleaned.stderr).toBe(0);
    expect((await runCli(['history', '--history', path])).stdout).toMatch(/^RUN +STARTED/);
    const [shown] = JSON.parse((await runCli(['history', '--history', path, '-o', 'json'])).stdout) as Record<string, unknown>[];
    expect(Object.keys(shown ?? {})).not.toContain('node');
  });
});
