import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { buildImage, importImages, listImageIds } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { onTerminal } from './on-terminal.ts';
import { runCli } from './run-cli.ts';

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
