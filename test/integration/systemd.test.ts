import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { onPath } from '../../lab/debian-tools.ts';
import { demoDatabase, demoImages } from '../../lab/demo-images.ts';
import { importImages, listImages } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { runService, SYSTEMD_MANAGER, type ServiceEnd } from '../../lab/systemd-machine.ts';
import { ensureSystemd, type Systemd } from '../../lab/systemd.ts';
import { ensureTrivy } from '../../lab/tools.ts';
import { writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { CLI } from './run-cli.ts';

/** The units of deploy/systemd, read by systemd's own checks. */

const UNITS = ['image-cleaner.service', 'image-cleaner.timer'] as const;
/** Of 10; unhardened services of root have 9.6. */
const EXPOSURE = '2.5';

interface Verdict {
  readonly code: number | null;
  /** All that it said, on either output. */
  readonly said: string;
}

describe.skipIf(onPath('apt-get') === null)('the units for systemd', () => {
  let systemd: Systemd;
  let folder: string;

  beforeAll(async () => {
    systemd = await ensureSystemd(() => undefined);
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-test-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** The units as they are, but for the program's place, and a change. */
  const write = async (change: (unit: string) => string = (unit) => unit): Promise<string[]> => {
    const paths = UNITS.map((name) => join(folder, name));
    for (const name of UNITS) {
      const text = await readFile(fileURLToPath(new URL(`../../deploy/systemd/${name}`, import.meta.url)), 'utf8');
      await writeFile(join(folder, name), change(text.replace('/usr/local/bin/image-cleaner', CLI)));
    }
    return paths;
  };
  const analyze = (...args: readonly string[]): Promise<Verdict> =>
    new Promise((resolve, reject) => {
      const child = spawn(systemd.analyze, args, { env: systemd.env, stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (said += text));
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, said }));
    });

  test('are read without a word', async () => {
    expect(await analyze('verify', ...(await write()))).toEqual({ code: 0, said: '' });
  });

  test.each([
    ['a key that systemd does not know', 'MemoryMax=', 'MemoryMaximum=', /Unknown key/],
    ['a value that it does not understand', 'ProtectSystem=strict', 'ProtectSystem=very', /ProtectSystem|protect/],
    ['a time that never comes', 'OnCalendar=weekly', 'OnCalendar=sometimes', /calendar/],
    ['a program that is not there', CLI, '/nonexistent/image-cleaner', /not executable/],
    ['a filter of no system call', '@system-service', '@no-such-group', /no-such-group/],
  ])('the check sees %s', async (_what, from, to, message) => {
    const { said } = await analyze('verify', ...(await write((unit) => unit.replace(from, to))));
    expect(said).toMatch(message);
  });

  test('the service is locked up, and the check sees when it is not', async () => {
    const security = async (): Promise<Verdict> => {
      const threshold = String(Number(EXPOSURE) * 10);
      return analyze('security', '--offline=true', '--no-pager', `--threshold=${threshold}`, join(folder, 'image-cleaner.service'));
    };
    await write();
    const { code, said } = await security();
    expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining('Overall exposure level') as string });
    await write((unit) => unit.replace('CapabilityBoundingSet=', '').replace('ProtectSystem=strict', ''));
    expect((await security()).code).toBe(1);
  });

  test('every week, also when the machine was off, and not at the same moment on all nodes', async () => {
    await write();
    const timer = await readFile(join(folder, 'image-cleaner.timer'), 'utf8');
    const [, when = ''] = /^OnCalendar=(.*)$/m.exec(timer) ?? [];
    const { code, said } = await analyze('calendar', '--iterations=2', '--base-time=2026-11-21 12:00:00 UTC', when);
    expect(code).toBe(0);
    expect(said).toMatch(/Mon 2026-11-23 00:00:00[^]*Mon 2026-11-30 00:00:00/);
    expect(timer).toMatch(/^Persistent=yes$/m);
    expect(timer).toMatch(/^RandomizedDelaySec=\d+h$/m);
  });
});

describe.skipIf(SYSTEMD_MANAGER === null || lacksRealPart('containerd-debian') || lacksRealPart('trivy'))(
  'the service, run by systemd',
  () => {
    let containerd: PrivateContainerd;
    beforeAll(async () => {
      containerd = await startContainerd({ version: 'debian' });
    });
    afterAll(() => containerd.stop());

    const run = async (options: string, change: (unit: string) => string = (unit) => unit): Promise<ServiceEnd> => {
      const trivy = await ensureTrivy();
      if (trivy.kind === 'missing' || SYSTEMD_MANAGER === null) throw new Error('a real part is missing');
      const cache = await mkdtemp(join(tmpdir(), 'image-cleaner-test-'));
      await writeTrivyDatabase(cache, demoDatabase());
      const environment = `IMAGE_CLEANER_OPTIONS="--runtime-endpoint ${containerd.socket} --skip-db-update ${options}"\n`;
      const files = {
        '/usr/local/lib/image-cleaner': { copyOf: dirname(CLI) },
        '/usr/local/bin/image-cleaner': { linkTo: '../lib/image-cleaner/image-cleaner.mjs' },
        '/usr/local/bin/node': { copyOf: process.execPath },
        '/usr/local/bin/trivy': { copyOf: trivy.path },
        '/etc/image-cleaner/image-cleaner.env': environment,
        '/var/cache/image-cleaner/trivy/db/trivy.db': { copyOf: join(cache, 'db', 'trivy.db') },
        '/var/cache/image-cleaner/trivy/db/metadata.json': { copyOf: join(cache, 'db', 'metadata.json') },
      };
      const unit = change(await readFile(fileURLToPath(new URL('../../deploy/systemd/image-cleaner.service', import.meta.url)), 'utf8'));
      // The programs lie below folders of root's, which the service may not see.
      const shared = [containerd.place.state, containerd.place.root];
      return runService({ manager: SYSTEMD_MANAGER, name: 'image-cleaner.service', unit, files, shared }).finally(() =>
        rm(cache, { recursive: true }),
      );
    };

    test('scans with Trivy and removes, locked up as it is', async () => {
      const demo = await demoImages();
      await importImages(containerd, demo.all);
      const { result, stdout, stderr } = await run(`--exclude 'ghcr.io/acme/*'`);
      expect({ result, stderr }).toEqual({ result: 'success', stderr: expect.stringContaining('scanned') as string });
      expect(stdout).toMatch(/removed +docker\.io\/library\/web:1\.0 .*CVE-2026-10001/);
      expect(stdout).toMatch(/kept +ghcr\.io\/acme\/billing:1/);
      const tags = (await listImages(containerd)).flatMap(({ repoTags }) => repoTags);
      expect(tags).not.toContain('docker.io/library/web:1.0');
      expect(tags).toEqual(expect.arrayContaining(['docker.io/library/web:1.1', 'ghcr.io/acme/billing:1']));
    });

    test('it has no privileges, and can write where it must only', async () => {
      const probe = `grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; for f in /usr /etc /root /var/lib/image-cleaner /var/cache/image-cleaner /var/tmp; do touch $$f/x && echo wrote $$f; done`;
      const { stdout } = await run('', (unit) => unit.replace(/^ExecStart=.*$/m, `ExecStart=/bin/sh -c "${probe}"`));
      const nothing = '0000000000000000';
      expect(stdout.replaceAll('\t', ' ').trim().split('\n')).toEqual([
        `CapEff: ${nothing}`,
        `CapBnd: ${nothing}`,
        'NoNewPrivs: 1',
        'Seccomp: 2',
        'wrote /var/lib/image-cleaner',
        'wrote /var/cache/image-cleaner',
        'wrote /var/tmp',
      ]);
    });

    test('a run that fails is a failed service', async () => {
      const { result, stderr } = await run('--severity WHATEVER');
      expect(result).toBe('exit-code');
      expect(stderr).toContain('WHATEVER');
    });
  },
);
