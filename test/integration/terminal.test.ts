import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { buildImage, importImages, listImageIds } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { onTerminal } from './on-terminal.ts';
import { newHistory, runCli } from './run-cli.ts';

/** What `clean` does on a terminal, and where there is none. */

describe.skipIf(lacksRealPart('containerd-debian'))('clean and the terminal', () => {
  let containerd: PrivateContainerd;
  const image = buildImage({ refs: ['docker.io/library/unused:1'], layers: [{ files: { 'app/content': 'x' } }] });
  const clean = (): string[] => ['clean', '--runtime-endpoint', containerd.endpoint, '--scanner', 'none'];

  beforeAll(async () => {
    containerd = await startContainerd({ version: 'debian' });
    await importImages(containerd, [image]);
  });
  afterEach(() => importImages(containerd, [image]));
  afterAll(() => containerd.stop());

  test('asks, and removes after a yes', async () => {
    const { code, screen } = await onTerminal(clean(), { answer: 'y\r' });
    expect(screen).toContain('Remove 1 image (');
    expect(screen).toContain('docker.io/library/unused:1');
    expect(code).toBe(0);
    expect(await listImageIds(containerd)).toEqual([]);
  });

  test.each([
    ['no', 'n\r'],
    ['an empty line', '\r'],
    ['the end of input', '\u0004'],
  ])('removes nothing after %s, and exits with 3', async (_answer, keys) => {
    const { code, screen } = await onTerminal(clean(), { answer: keys });
    expect(screen).toContain('nothing was removed');
    expect(code).toBe(3);
    expect(await listImageIds(containerd)).toEqual([image.id]);
  });

  test.each([
    ['a line', 'y\r', '\r'],
    ['a key without its line', 'y', '\r'],
  ])('%s that was typed before the question is no answer to it', async (_what, early, answer) => {
    const { code, screen } = await onTerminal(clean(), { early, answer });
    expect(screen).toContain('nothing was removed');
    expect(code).toBe(3);
    expect(await listImageIds(containerd)).toEqual([image.id]);
  });

  test('removes nothing after Ctrl-C at the question, and exits with 130', async () => {
    const { code } = await onTerminal(clean(), { answer: '\u0003' });
    expect(code).toBe(130);
    expect(await listImageIds(containerd)).toEqual([image.id]);
  });

  test('without a terminal and without --yes refuses, exits with 3 and removes nothing', async () => {
    const { code, stdout, stderr } = await runCli(clean());
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('--yes');
    expect(await listImageIds(containerd)).toEqual([image.id]);
  });

  test('without a terminal writes plain lines: data on standard output, talk on standard error', async () => {
    const { code, stdout, stderr } = await runCli([...clean(), '--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^DECISION +IMAGE/);
    expect(stdout + stderr).not.toContain('\u001b');
    expect(stderr).toContain('1 image');
  });
});

describe.skipIf(lacksRealPart('containerd-debian'))('tables on a small terminal', () => {
  let containerd: PrivateContainerd;
  const name = 'registry.example.com/team/department/service-with-a-long-name:1.25.3-alpine';
  const history = newHistory();
  const letters = (text: string): string => text.replaceAll(/\s/g, '');
  /** What the terminal shows; no line of it is longer than the terminal is wide. */
  const show = async (columns: number, ...args: string[]): Promise<string> => {
    const { code, screen } = await onTerminal([...args], {}, { columns, env: { NO_COLOR: '1', IMAGE_CLEANER_HISTORY: history } });
    expect([code, screen]).toEqual([0, expect.any(String)]);
    for (const line of screen.split('\r\n')) expect(line.length, line).toBeLessThanOrEqual(columns);
    return screen;
  };
  const runtime = (): string[] => ['--runtime-endpoint', containerd.endpoint];

  beforeAll(async () => {
    containerd = await startContainerd({ version: 'debian' });
    const images = [name, 'docker.io/library/kept:1'].map((ref) =>
      buildImage({ refs: [ref], layers: [{ files: { 'app/content': ref } }] }),
    );
    await importImages(containerd, images);
    const args = ['--scanner', 'none', '--exclude', 'kept', '--yes', '--history', history];
    expect((await runCli(['clean', ...runtime(), ...args])).code).toBe(0);
    await importImages(containerd, images);
  });
  afterAll(() => containerd.stop());

  test.each([20, 40])('%d columns: each row is a block, with whole names and reasons', async (columns) => {
    const list = await show(columns, 'list', ...runtime());
    for (const text of [name, 'docker.io/library/kept:1', 'STATE: unused']) expect(letters(list)).toContain(letters(text));
    const decisions = await show(columns, 'history', '--image', name);
    for (const text of [name, 'OUTCOME: removed', 'no container uses it']) expect(letters(decisions)).toContain(letters(text));
    expect(letters(await show(columns, 'history'))).toContain('STATE:completed');
    const doctor = letters(await show(columns, 'doctor', '--scanner', 'none', ...runtime()));
    for (const text of ['CHECK:history-integrity', `SQLite finds ${history} whole`]) expect(doctor).toContain(letters(text));
    // Progress goes to the same screen, and is left to the terminal.
    const { screen } = await onTerminal(['clean', '--dry-run', '--scanner', 'none', ...runtime()], {}, { columns, env: { NO_COLOR: '1' } });
    for (const text of [name, 'DECISION: remove', 'no container uses it']) expect(letters(screen)).toContain(letters(text));
  });

  test('80 columns: long names and reasons are wrapped within their columns', async () => {
    const list = await show(80, 'list', ...runtime());
    expect(list).toMatch(/^IMAGE +ID +SIZE +STATE +CONTAINERS\r\n/);
    expect(list).toMatch(/^registry\.example\.com\/team\/ +[0-9a-f]{12} .*unused +0\r\ndepartment\/service-with-a-long-na\r\nme:1\.25/m);
    expect(letters(await show(80, 'history'))).toContain('MODE:automaticSTATE:completed');
    expect(await show(80, 'doctor', '--scanner', 'none', ...runtime())).toMatch(/^STATUS +CHECK +FOUND\r\n/);
  });

  test('elsewhere each row is one line', async () => {
    const { stdout } = await runCli(['history', '--image', name, '--history', history]);
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
  });
});
