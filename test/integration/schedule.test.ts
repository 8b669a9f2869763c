import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { buildImage, importImages, listImageIds, type Image } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { waitUntil } from '../../lab/wait-until.ts';
import { CLI, newHistory, runCli, startCli, type RunningCli } from './run-cli.ts';

/** `clean --schedule` as a process that stays, on a real containerd; what went is read from the runtime's own list. */
describe.skipIf(lacksRealPart('containerd-debian'))('clean --schedule', () => {
  let containerd: PrivateContainerd;
  const running: RunningCli[] = [];
  const image = (name: string): Image =>
    buildImage({ refs: [`docker.io/library/${name}:1`], layers: [{ files: { 'app/content': name } }] });
  const schedule = (when: string, ...args: string[]): RunningCli => {
    const options = ['--runtime-endpoint', containerd.endpoint, '--scanner', 'none', '--yes', '--schedule', when];
    const started = startCli(['clean', ...options, ...args]);
    running.push(started);
    return started;
  };
  const isGone = ({ id }: Image): Promise<void> =>
    waitUntil(`${id} is removed`, async () => !(await listImageIds(containerd)).includes(id));

  /** An import that is slow would have its image removed before its content is unpacked. */
  async function importBeside(child: RunningCli['child'], added: Image): Promise<void> {
    child.kill('SIGSTOP');
    await importImages(containerd, [added]);
    child.kill('SIGCONT');
  }

  beforeAll(async () => {
    containerd = await startContainerd({ version: 'debian' });
  });
  afterEach(async () => {
    for (const { child, result } of running.splice(0)) {
      if (child.exitCode === null) child.kill('SIGKILL');
      await result;
    }
  });
  afterAll(() => containerd.stop());

  test.each(['SIGTERM', 'SIGINT'] as const)('cleans again and again; %s between runs ends it with 0', async (end) => {
    const [first, second] = [image('first'), image('second')];
    await importImages(containerd, [first]);
    const { child, result } = schedule('1s');
    await isGone(first);
    await importBeside(child, second);
    await isGone(second);
    await importBeside(child, first);
    await isGone(first);
    child.kill(end);
    const { code, stderr } = await result;
    expect(code).toBe(0);
    // A log without a terminal: every line has its time.
    for (const line of stderr.split('\n').filter((text) => text !== '')) {
      if (!line.startsWith('Stopping after')) expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /);
    }
  });

  test('a run that fails since the runtime is away is reported; the process stays, and cleans when it is back', async () => {
    const back = image('back');
    await containerd.kill();
    const { child, result, seen } = schedule('1s', '--history', newHistory());
    await seen('error: ');
    await seen('the next one comes at its time');
    await containerd.restart();
    await importBeside(child, back);
    await isGone(back);
    child.kill('SIGTERM');
    expect((await result).code).toBe(0);
  });

  test('a restart does not run again before the time', async () => {
    const [first, second] = [image('before-restart'), image('after-restart')];
    const history = newHistory();
    await importImages(containerd, [first]);
    const one = schedule('1h', '--history', history);
    await isGone(first);
    await one.seen('The next run is in ');
    one.child.kill('SIGTERM');
    const before = await one.result;
    expect(before.code).toBe(0);
    await importImages(containerd, [second]);
    const other = schedule('1h', '--history', history);
    await other.seen('The next run is in ');
    other.child.kill('SIGTERM');
    // Due when it was due before, but for the rounding to seconds.
    expect(Math.abs(dueIn((await other.result).stderr) - dueIn(before.stderr))).toBeLessThanOrEqual(1000);
    expect(await listImageIds(containerd)).toContain(second.id);
    // Of another mode: the run of all does not stand for one of these.
    const manual = schedule('1h', '--history', history, '--image', 'after-restart:1');
    await isGone(second);
    manual.child.kill('SIGTERM');
    await manual.result;
  });

  test('not to begin at once, and cron: waits for its time, and ends with 0', async () => {
    const stays = image('stays');
    await importImages(containerd, [stays]);
    for (const [option, when] of [
      ['--no-begin-immediately', '24h'],
      ['--time-zone=Asia/Tokyo', '0 3 29 2 *'],
    ] as const) {
      const { child, result, seen } = schedule(when, option);
      await seen('The next run is in ');
      child.kill('SIGTERM');
      expect((await result).code).toBe(0);
    }
    expect(await listImageIds(containerd)).toContain(stays.id);
  });

  test('a stream of documents, one for each run', async () => {
    const { child, result, seen } = schedule('1s', '-o', 'yaml');
    await seen('0 of 0 images would go');
    child.kill('SIGTERM');
    const documents = parseAllDocuments((await result).stdout).map((document) => document.toJS() as { dryRun: boolean });
    expect(documents.length).toBeGreaterThan(1);
    expect(documents.every(({ dryRun }) => !dryRun)).toBe(true);
  });

  test('when the readers of both outputs are gone, ends with 1 before the next run; while one is there, goes on', async () => {
    const history = newHistory();
    const states = async (): Promise<string[]> =>
      (JSON.parse((await runCli(['history', '--history', history, '-o', 'json'])).stdout) as { state: string }[]).map(({ state }) => state);
    const one = schedule('1s', '--history', history);
    await one.seen('The next run is in ');
    one.child.stderr?.destroy();
    const before = await states();
    await waitUntil('two more runs', async () => (await states()).length >= before.length + 2);
    one.child.stdout?.destroy();
    expect((await one.result).code).toBe(1);
    // The run whose report nobody saw is on record, too.
    expect(new Set(await states())).toEqual(new Set(['completed']));
  });

  test('goes on when the files of the program are gone, as in the middle of an upgrade', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-test-'));
    const program = join(folder, 'program');
    await cp(dirname(CLI), program, { recursive: true });
    const orphan = image('orphan');
    await importImages(containerd, [orphan]);
    const options = ['--scanner', 'none', '--yes', '--schedule', '2s', '--no-begin-immediately', '-o', 'yaml'];
    const audit = ['--audit-log', join(folder, 'audit.jsonl')];
    const started = startCli(
      ['clean', ...options, ...audit, '--runtime-endpoint', containerd.endpoint],
      {},
      join(program, 'image-cleaner.mjs'),
    );
    running.push(started);
    await started.seen('The next run is in ');
    await rm(program, { recursive: true });
    await isGone(orphan);
    started.child.kill('SIGTERM');
    const { code, stdout, stderr } = await started.result;
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('error') as string });
    expect(stdout).toContain('docker.io/library/orphan:1');
    expect(await readFile(join(folder, 'audit.jsonl'), 'utf8')).toContain(orphan.id);
    await rm(folder, { recursive: true });
  });

  test.each([
    ['an exclusion that does not parse', ['--schedule', '24h', '--yes', '--exclude', '***'], /exclude/],
    ['no --yes', ['--schedule', '24h'], /--yes/],
    ['--dry-run', ['--schedule', '24h', '--yes', '--dry-run'], /--dry-run/],
    ['no schedule at all', ['--time-zone', 'UTC', '--yes'], /--schedule/],
  ])('is refused at once with exit code 2: %s', async (_what, args, message) => {
    const { code, stderr } = await runCli(['clean', '--runtime-endpoint', containerd.endpoint, ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

/** The time of the next run, as the log says it. */
function dueIn(log: string): number {
  return Date.parse(/The next run is in \S+, at (\S+Z)\./.exec(log)?.[1] ?? '');
}
