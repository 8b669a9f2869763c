import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { verifyAuditLog } from '../../src/store/audit-chain.ts';
import { AuditLog } from '../../src/store/audit-log.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { recordRun } from '../../src/cli/record-run.ts';
import { FakeRuntime } from '../fakes/fake-runtime.ts';
import { finding, image, imageId, report } from '../fakes/images.ts';
import { startImageServer } from '../fakes/image-server.ts';
import { openTestHistory, type TestHistory } from '../fakes/history-in-test.ts';
import { ending, ENDPOINT, HOLDER, plan, removal, runStart } from '../fakes/runs.ts';
import { runCli } from './run-cli.ts';

let folder: string;
let program: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'image-cleaner-store-'));
  chmodSync(folder, 0o755);
  program = join(folder, 'history-process.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('history-process.ts', import.meta.url))],
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

interface HistoryProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly nextLine: () => Promise<string | null>;
}

function start(args: readonly string[], options: { readonly uid?: number } = {}): HistoryProcess {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string | null> => {
    const { value, done } = await lines.next();
    return done === true ? null : value;
  };
  return { child, pid: child.pid ?? 0, nextLine };
}

/** What a process says of opening a history. */
async function outcomeOf(args: readonly string[], options: { readonly uid?: number } = {}): Promise<string | null> {
  const { nextLine } = start(args, options);
  expect(await nextLine()).toBe('begun');
  return nextLine();
}

async function kill({ child }: HistoryProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Waits as any reader has to: the last process that lets go of a history holds it alone for a moment, to take away its log. */
function integrityOf(path: string): unknown {
  const database = new DatabaseSync(path, { timeout: 10_000 });
  const checked = database.prepare('PRAGMA integrity_check').get()?.['integrity_check'];
  const broken = database.prepare('PRAGMA foreign_key_check').all();
  database.close();
  return broken.length === 0 ? checked : broken;
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

function makeRoom(path: string): void {
  rmSync(join(path, 'fill'));
}

async function locked(path: string): Promise<TestHistory> {
  const it = await openTestHistory({ path });
  await it.history.lockRuns(HOLDER);
  return it;
}

const images = Array.from({ length: 40 }, (_, number) => image(number));
const decisions = images.map((target) =>
  removal(target, {
    reason: { code: 'vulnerable', findings: Array.from({ length: 100 }, (_, cve) => finding({ id: `${target.id} ${cve}` })) },
  }),
);

describe('a full disk', () => {
  async function wholeRun({ history }: TestHistory): Promise<void> {
    const run = await history.beginRun(runStart());
    await run.planned(plan(...decisions));
    for (const decision of decisions) {
      await run.removalBegan(decision);
      await run.removalEnded({ decision, outcome: { kind: 'removed' } });
    }
    await run.end(ending());
  }

  async function statesOf({ history }: TestHistory, runId: number): Promise<(string | undefined)[]> {
    return (await history.readDecisions(runId)).map(({ removal: record }) => record?.state);
  }

  test.each<[string, number]>([
    ['before the plan', 0],
    ['after the plan', 1],
    ['in the middle of the removals', 20],
    ['before the end', 41],
  ])('%s: the run goes on, and all of it is on record once there is space', async (_, filledAt) => {
    const path = mount(2_048);
    const it = await locked(join(path, 'history.db'));
    await wholeRun(it);
    let step = 0;
    const next = (): void => {
      if (step === filledAt) fill(path);
      // The removals make space, at last.
      if (step === 41) makeRoom(path);
      step += 1;
    };
    const run = await it.history.beginRun(runStart());
    next();
    await run.planned(plan(...decisions));
    for (const decision of decisions) {
      next();
      await run.removalBegan(decision);
      await run.removalEnded({ decision, outcome: { kind: 'removed' } });
    }
    if (filledAt === 41) fill(path);
    else next();
    if (filledAt === 41) makeRoom(path);
    await run.end(ending({ reclaimedBytes: new Map([[imageId(3), 33]]) }));
    expect(await statesOf(it, 2)).toEqual(images.map(() => 'removed'));
    expect((await it.history.readDecisions(2))[3]?.removal?.reclaimedBytes).toBe(33);
    expect(await it.history.readRun(2)).toMatchObject({ state: 'completed' });
    expect(it.warnings.length).toBe(filledAt === 41 ? 0 : 1);
    await it.history.close();
    expect(integrityOf(it.path)).toBe('ok');
  });

  test('from the beginning of a run to past its end: its end says so, and nothing older is harmed', async () => {
    const path = mount(2_048);
    const it = await locked(join(path, 'history.db'));
    await wholeRun(it);
    fill(path);
    await expect(wholeRun(it)).rejects.toMatchObject({
      code: 'full',
      message: expect.stringContaining(it.path) as string,
      hint: expect.stringContaining('Make room') as string,
    });
    expect(it.warnings).toEqual([expect.stringContaining('kept in memory') as string]);
    expect((await it.history.listRuns({ limit: 9 })).map(({ id, state }) => [id, state])).toContainEqual([1, 'completed']);
    expect(await statesOf(it, 1)).toEqual(images.map(() => 'removed'));
    await it.history.close();

    makeRoom(path);
    expect(integrityOf(it.path)).toBe('ok');
    const later = await locked(it.path);
    for (const { run } of await later.history.unfinishedRuns()) await later.history.settleKilledRun(run.id, new Set(), 0);
    await wholeRun(later);
    expect((await later.history.listRuns({ limit: 1 }))[0]).toMatchObject({ state: 'completed' });
  });

  test('already when it opens: what was there is read, and the run makes space for its own record', async () => {
    const path = mount(2_048);
    const first = await locked(join(path, 'history.db'));
    await first.history.memoryOf(ENDPOINT).observe({ images, inUse: new Set() });
    await wholeRun(first);
    await first.history.close();
    fill(path);
    const it = await locked(first.path);
    expect(await statesOf(it, 1)).toEqual(images.map(() => 'removed'));
    it.clock.pass(5_000);
    const known = await it.history.memoryOf(ENDPOINT).observe({ images, inUse: new Set([imageId(1)]) });
    expect(known.size).toBe(images.length);
    expect(known.get(imageId(1))?.lastInUseAt).toBe(it.clock.now());
    await it.history.scanRecords.keep(report(image(1), { scanner: plan().scanner ?? expect.fail() }), null);
    await it.history.scanRecords.rememberScannerVersion('trivy', '1');
    const run = await it.history.beginRun(runStart());
    await run.planned(plan(...decisions));
    makeRoom(path);
    await run.end(ending());
    expect(await it.history.readRun(run.runId)).toMatchObject({ state: 'completed' });
    await it.history.close();
    expect(integrityOf(it.path)).toBe('ok');
  });

  test('where there never was a history: opening it says so', async () => {
    const path = mount(64);
    fill(path);
    await expect(openTestHistory({ path: join(path, 'history.db') })).rejects.toMatchObject({ code: 'full' });
    await expect(openTestHistory({ path: join(path, 'new', 'history.db') })).rejects.toMatchObject({ code: 'full' });
    await expect(openTestHistory({ path: join(path, 'history.db'), readOnly: true })).resolves.toBeDefined();
  });

  describe('can be read', () => {
    const filesOf = (path: string): string[] => ['', '-wal'].map((suffix) => readFileSync(`${path}${suffix}`, 'hex'));

    test('a history that was closed, and whose log is written back', async () => {
      const path = mount(2_048);
      const it = await locked(join(path, 'history.db'));
      await wholeRun(it);
      await it.history.close();
      fill(path);
      const before = readFileSync(it.path);
      expect(await outcomeOf(['open', it.path, 'read-only'])).toBe('runs: 1');
      expect(readFileSync(it.path).equals(before)).toBe(true);
      const shown = await runCli(['history', '--history', it.path, '-o', 'json']);
      expect([shown.code, JSON.parse(shown.stdout)]).toMatchObject([0, [{ id: 1, state: 'completed' }]]);
      // Whoever writes to it meanwhile spoils the answers: they are refused.
      const reading = await openTestHistory({ path: it.path, readOnly: true });
      expect(await reading.history.readRun(1)).toMatchObject({ state: 'completed' });
      makeRoom(path);
      const other = await locked(it.path);
      await wholeRun(other);
      await other.history.close();
      await expect(reading.history.readRun(2)).rejects.toMatchObject({ code: 'busy' });
    });

    test('one whose last entries are in the log that a killed run left', async () => {
      const path = mount(4_096);
      const it = await locked(join(folder, 'living.db'));
      await wholeRun(it);
      await it.history.beginRun(runStart());
      // As the end of its process leaves them; the index beside is not there, as after a run that had the history to itself.
      const file = join(path, 'history.db');
      for (const suffix of ['', '-wal']) copyFileSync(`${it.path}${suffix}`, `${file}${suffix}`);
      fill(path);
      const before = filesOf(file);
      expect(await outcomeOf(['open', file, 'read-only'])).toBe('full');
      // A place without room is passed over.
      expect(await outcomeOf(['open', file, `read-only:${path}`])).toBe('full');
      const place = newFolder();
      expect(await outcomeOf(['open', file, `read-only:${place}`])).toBe('runs: 2');
      expect(readdirSync(place)).toEqual([]);
      const shown = await runCli(['history', '--history', file, '-o', 'json']);
      expect([shown.code, JSON.parse(shown.stdout)]).toMatchObject([0, [{ id: 2, state: 'running' }, { id: 1 }]]);
      expect(filesOf(file)).toEqual(before);
    });
  });

  test('while a killed run is to be settled: the run goes on, and says what is not on record and what to do', async () => {
    await using server = await startImageServer([]);
    const path = mount(2_048);
    const it = await locked(join(path, 'history.db'));
    const run = await it.history.beginRun(runStart({ runtimeEndpoint: `unix://${server.socketPath}` }));
    await run.planned(plan(...decisions));
    for (const decision of decisions.slice(0, 2)) await run.removalBegan(decision);
    await it.history.close();
    fill(path);
    const args = ['--runtime-endpoint', server.socketPath, '--scanner', 'none', '--history', it.path];
    const full = await runCli(['clean', '--yes', ...args]);
    expect(full.stderr).toMatch(
      /^Warning: Run 1 of \S+ was killed; what became of the 40 removals .+ is not on record: .+no space is left.+ Make room there/m,
    );
    makeRoom(path);
    const next = await runCli(['clean', '--yes', ...args]);
    expect(next.code, next.stderr).toBe(0);
    expect(next.stderr).toMatch(/^Run 1 of \S+ was killed; by what the runtime has now it had removed 2 images\./m);
    expect(next.stderr).not.toContain('Make room');
  });

  test('of the audit log, while a killed run is settled: its removals are in the log of a later run', async () => {
    const path = mount(2_048);
    const [auditLog, file] = [join(path, 'audit.log'), join(newFolder(), 'history.db')];
    const it = await locked(file);
    const run = await it.history.beginRun(runStart());
    await run.planned(plan(...decisions));
    for (const decision of decisions) await run.removalBegan(decision);
    await it.history.close();
    const context = {
      ...{ now: Date.now, version: '1', env: {}, commandLine: [], signal: new AbortController().signal },
      machine: { userId: 0, pid: 1, hostName: 'node-1' },
    };
    const goOn = async (): Promise<unknown> => {
      const { history } = await openTestHistory({ path: file });
      const retention = { maxAgeMs: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER };
      const options = { auditLog, history, runtimeEndpoint: ENDPOINT, mode: 'automatic', retention } as const;
      const ended = await recordRun(context, options, async (recorded) => {
        await recorded.settleKilledRuns(new FakeRuntime([]), context.signal);
        return EXIT.done;
      }).catch((error: unknown) => error);
      await history.close();
      return ended;
    };
    const audited = (): number => readFileSync(auditLog, 'utf8').split('\n').length - 1;
    new AuditLog({ path: auditLog, now: Date.now }).close();
    fill(path);
    expect(await goOn()).toMatchObject({ code: 'incomplete' });
    expect(audited()).toBeLessThan(images.length);
    makeRoom(path);
    expect(await goOn()).toBe(EXIT.done);
    const lines = readFileSync(auditLog, 'utf8').trimEnd().split('\n');
    expect(new Set(lines.map((line) => (JSON.parse(line) as { imageId: string }).imageId))).toEqual(new Set(images.map(({ id }) => id)));
    const before = audited();
    expect(await goOn()).toBe(EXIT.done);
    expect(audited()).toBe(before);
  });

  test('of the audit log: what cannot be written waits, and what never could is told at the end', async () => {
    const path = mount(64);
    const entryOf = (number: number): Parameters<AuditLog['append']>[0] => ({
      ...{
        at: 0,
        runId: 1,
        settled: false,
        host: 'node-1',
        user: 'ada',
        imageId: imageId(number),
        repoTags: ['x'.repeat(700)],
        repoDigests: [],
      },
      ...{ reason: { code: 'unused', message: 'unused' }, vulnerabilityIds: [], bytes: 1, outcome: 'removed', message: null },
    });
    const log = new AuditLog({ path: join(path, 'audit.log'), now: () => 0 });
    log.append(entryOf(0));
    fill(path);
    for (let number = 1; number < 20; number += 1) log.append(entryOf(number));
    expect(await verifyAuditLog(join(path, 'audit.log'))).toMatchObject({ ok: true, isTorn: false });
    makeRoom(path);
    log.append(entryOf(20));
    const text = readFileSync(join(path, 'audit.log'), 'utf8').trimEnd();
    expect(text.split('\n').map((line) => (JSON.parse(line) as { imageId: string }).imageId)).toEqual(
      Array.from({ length: 21 }, (_, number) => imageId(number)),
    );
    fill(path);
    for (let number = 0; number < 20; number += 1) log.append(entryOf(number));
    expect(() => {
      log.close();
    }).toThrow(expect.objectContaining({ code: 'incomplete' }) as Error);
    expect(await verifyAuditLog(join(path, 'audit.log'))).toMatchObject({ ok: true, isTorn: false });
  });
});

describe('rights', () => {
  const NOBODY = { uid: 65_534 };

  async function closedHistory(path: string): Promise<void> {
    const { history } = await openTestHistory({ path });
    await history.lockRuns(HOLDER);
    await (await history.beginRun(runStart())).end(ending());
    await history.close();
  }

  test('a filesystem that is mounted for reading can be read', async () => {
    const path = mount(1_024);
    const file = join(path, 'history.db');
    await closedHistory(file);
    execFileSync('mount', ['-o', 'remount,ro', path]);
    expect(await outcomeOf(['open', file])).toBe('read-only');
    expect(await outcomeOf(['open', join(path, 'new', 'history.db')])).toBe('read-only');
    expect(await outcomeOf(['open', file, 'read-only'])).toBe('runs: 1');
    expect(await outcomeOf(['open', join(path, 'new', 'history.db'), 'read-only'])).toBe('runs: 0');
  });

  test('a history that may be read but not written, and one that may not even be read', async () => {
    const path = newFolder();
    const file = join(path, 'history.db');
    await closedHistory(file);
    expect(await outcomeOf(['open', file], NOBODY)).toBe('unreadable');
    expect(await outcomeOf(['open', file, 'read-only'], NOBODY)).toBe('unreadable');
    chmodSync(file, 0o644);
    expect(await outcomeOf(['open', file], NOBODY)).toBe('read-only');
    expect(await outcomeOf(['open', file, 'read-only'], NOBODY)).toBe('runs: 1');
    chmodSync(path, 0o700);
    expect(await outcomeOf(['open', file, 'read-only'], NOBODY)).toBe('unreadable');
    expect(await outcomeOf(['open', file], NOBODY)).toBe('unreadable');
  });
});

describe('processes', () => {
  test('that make a history at once do not harm each other', async () => {
    for (let round = 0; round < 5; round += 1) {
      const path = join(newFolder(), 'history.db');
      const outcomes = await Promise.all(Array.from({ length: 6 }, () => outcomeOf(['open', path])));
      expect(outcomes).toEqual(outcomes.map(() => 'runs: 0'));
      expect(integrityOf(path)).toBe('ok');
    }
  });

  test('clean one at a time, and a killed one holds nobody up', async () => {
    const path = join(newFolder(), 'history.db');
    const first = start(['hold', path]);
    expect([await first.nextLine(), await first.nextLine()]).toEqual(['begun', 'locked']);
    const { history } = await openTestHistory({ path });
    await expect(history.lockRuns(HOLDER)).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining(`process ${String(first.pid)} on `) as string,
    });
    await history.memoryOf(ENDPOINT).observe({ images, inUse: new Set() });
    await kill(first);
    await history.lockRuns(HOLDER);
    expect(await outcomeOf(['hold', path])).toBe('locked');
  });

  test('killed at any moment leave a history that agrees with what is there', { timeout: 600_000 }, async () => {
    const at = newFolder();
    const [path, store] = [join(at, 'history.db'), join(at, 'images')];
    mkdirSync(store);
    const random = seededRandom(20_261_121);
    const gone = new Set<string>();
    let [lastRun, next, settledRuns, openRemovals] = [0, 1, 0, 0];
    for (let round = 0; round < 120; round += 1) {
      const cleaning = start(['clean', path, store, String(next)]);
      await cleaning.nextLine();
      // In the midst of its removals, however busy the machine is; each third time while it opens and settles the run before, perhaps.
      if (round % 3 > 0) await firstRemoval(store);
      await delay(random() ** 2 * 150);
      await kill(cleaning);

      expect(integrityOf(path)).toBe('ok');
      const { history } = await openTestHistory({ path });
      await history.lockRuns(HOLDER);
      const present = new Set(readdirSync(store).map((name) => `sha256:${name}`));
      const unfinished = await history.unfinishedRuns();
      expect(unfinished.length).toBeLessThanOrEqual(1);
      for (const { run, open } of unfinished) {
        settledRuns += 1;
        openRemovals += open.length;
        await history.settleKilledRun(run.id, present, Date.now());
      }
      const runs = (await history.listRuns({ limit: 100_000 })).filter(({ id }) => id > lastRun).reverse();
      expect(runs.map(({ id }) => id)).toEqual(runs.map((_, place) => lastRun + 1 + place));
      // The last run of the round before may have been settled by the process itself, and those between ended by themselves.
      for (const { id, state } of runs.slice(0, -1)) expect([id, state]).toEqual([id, 'completed']);
      for (const { id } of runs) {
        for (const { imageId: image, ruling, removal: record } of await history.readDecisions(id)) {
          if (record?.state === 'removed') {
            expect([image, gone.has(image), present.has(image)]).toEqual([image, false, false]);
            gone.add(image);
          } else if (id === runs.at(-1)?.id) {
            expect([image, ruling.outcome, record?.state, present.has(image)]).toEqual([image, ruling.outcome, record?.state, true]);
          }
          expect(['removed', 'failed', 'not-attempted', undefined]).toContain(record?.state);
        }
      }
      lastRun = runs.at(-1)?.id ?? lastRun;
      // Nothing lost: each image ever made is there, or on record as removed.
      next = Math.max(next, ...[...present, ...gone].map((id) => Number.parseInt(id.slice(-12), 16) + 1));
      const made = Array.from({ length: next - 1 }, (_, before) => imageId(before + 1));
      expect(made.filter((id) => present.has(id) === gone.has(id))).toEqual([]);
      await history.close();
    }
    expect(settledRuns).toBeGreaterThan(30);
    expect(openRemovals).toBeGreaterThan(30);
    expect(gone.size).toBeGreaterThan(300);
  });
});

/** Resolves when a file of the folder is gone. */
async function firstRemoval(store: string): Promise<void> {
  const seen = new Set<string>();
  for (;;) {
    const present = new Set(readdirSync(store));
    if ([...seen].some((name) => !present.has(name))) return;
    for (const name of present) seen.add(name);
    await delay(1);
  }
}

/** Mulberry32: the same numbers for the same seed, between 0 and 1. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
