import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../../lab/containerd.ts';
import { demoDatabase } from '../../../lab/demo-images.ts';
import { buildImage, importImages, listImageIds } from '../../../lab/images.ts';
import { lacksRealPart } from '../../../lab/real-parts.ts';
import { alpineFiles } from '../../../lab/sample-packages.ts';
import { ensureTrivy } from '../../../lab/tools.ts';
import { writeTrivyDatabase } from '../../../lab/trivy-database.ts';
import { onTerminal } from '../on-terminal.ts';

/** Terminals that are narrow, know no width, or understand little; and keys at the wrong moment. */

const COLOUR = '\u001b[31m';

describe.skipIf(lacksRealPart('containerd-debian'))('a terminal', () => {
  let containerd: PrivateContainerd;
  const image = buildImage({
    refs: ['docker.io/library/an-unused-image-with-a-long-name:1'],
    layers: [{ files: alpineFiles('3.22.0', [{ name: 'openssl', version: '3.0.0-r0' }]) }],
  });
  beforeAll(async () => {
    containerd = await startContainerd({ version: 'debian' });
    await importImages(containerd, [image]);
  });
  afterEach(() => importImages(containerd, [image]));
  afterAll(() => containerd.stop());
  const clean = (...args: string[]): string[] => ['clean', '--runtime-endpoint', containerd.endpoint, ...args];
  const unscanned = (...args: string[]): string[] => clean('--scanner', 'none', ...args);

  test.each([20, 0])('of %i columns: asks with the whole name, and removes after a yes', async (columns) => {
    const { code, screen } = await onTerminal(unscanned(), { answer: 'y\r' }, { columns });
    expect(code).toBe(0);
    expect(screen).toContain('docker.io/library/an-unused-image-with-a-long-name:1');
    expect(screen).toContain('Remove 1 image (');
    expect(await listImageIds(containerd)).toEqual([]);
  });

  describe.skipIf(lacksRealPart('trivy'))('and the line of a scan, which is written over', () => {
    let folder: string;
    let scanning: string[];
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'image-cleaner-terminals-'));
      await writeTrivyDatabase(folder, demoDatabase());
      const trivy = await ensureTrivy();
      if (trivy.kind === 'missing') throw new Error(trivy.reason);
      scanning = ['--dry-run', '--trivy', trivy.path, '--trivy-cache-dir', folder, '--skip-db-update'];
    });
    afterAll(() => rm(folder, { recursive: true }));

    test.each([
      [20, '  scanned 1/1 docke'],
      [0, '  scanned 1/1 docker.io/library/an-unused-image-with-a-long-name:1'],
    ])('fits into %i columns, where 0 is a terminal that does not know', async (columns, line) => {
      const { code, screen } = await onTerminal(clean(...scanning), {}, { columns });
      expect(code).toBe(0);
      expect(screen).toContain(`\u001b[K${line}\r`);
    });
  });

  test('TERM=dumb: no escape sequence at all, and it asks and removes all the same', async () => {
    const { code, screen } = await onTerminal(unscanned(), { answer: 'y\r' }, { env: { TERM: 'dumb' } });
    expect(code).toBe(0);
    expect(screen).toContain('Remove 1 image (');
    expect(screen).not.toContain('\u001b');
    expect(await listImageIds(containerd)).toEqual([]);
  });

  test('NO_COLOR: no colours, which a terminal gets otherwise', async () => {
    expect((await onTerminal(unscanned('--dry-run'))).screen).toContain(`${COLOUR}remove`);
    expect((await onTerminal(unscanned('--dry-run'), {}, { env: { NO_COLOR: '1' } })).screen).not.toContain(COLOUR);
    // Empty is not set (no-color.org).
    expect((await onTerminal(unscanned('--dry-run'), {}, { env: { NO_COLOR: '' } })).screen).toContain(COLOUR);
  });

  test('Ctrl-C while keys that were typed ahead are dropped is an interrupt: exits with 130 and removes nothing', async () => {
    // The table comes immediately before the keys are dropped, and the question only after it.
    const { code, screen } = await onTerminal(unscanned(), { at: 'REASON', answer: '\u0003' });
    expect(code).toBe(130);
    expect(screen).toContain('nothing was removed');
    expect(screen).not.toContain('[y/N]');
    expect(await listImageIds(containerd)).toEqual([image.id]);
  });
});
