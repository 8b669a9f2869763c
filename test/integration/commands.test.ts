import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { runningContainer } from '../../lab/containers.ts';
import { demoDatabase, demoImages } from '../../lab/demo-images.ts';
import { importImages, listImageIds } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { ensureTrivy } from '../../lab/tools.ts';
import { writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { runCli, type CliResult } from './run-cli.ts';

/** The commands beside `clean`, and bad input, through the command line. */

describe.skipIf(lacksRealPart('containerd-v2') || lacksRealPart('trivy'))('the commands', () => {
  let containerd: PrivateContainerd;
  let folder: string;
  let scanning: string[];
  let before: string[];
  const run = (...args: string[]): Promise<CliResult> => runCli([...args, '--runtime-endpoint', containerd.endpoint]);

  beforeAll(async () => {
    containerd = await startContainerd({ version: 'v2' });
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-test-'));
    await writeTrivyDatabase(folder, demoDatabase());
    await importImages(containerd, (await demoImages()).all);
    await runningContainer(containerd, { image: 'docker.io/library/shop:2.1', name: 'shop', pod: { name: 'shop-0', namespace: 'web' } });
    const trivy = await ensureTrivy();
    if (trivy.kind === 'missing') throw new Error(trivy.reason);
    scanning = ['--trivy', trivy.path, '--trivy-cache-dir', folder, '--skip-db-update'];
    before = await listImageIds(containerd);
  });
  afterAll(async () => {
    await containerd.stop();
    await rm(folder, { recursive: true });
  });

  test('list shows every image with its state, as table, JSON and YAML', async () => {
    const table = await run('list');
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/docker\.io\/library\/shop:2\.1 +[0-9a-f]{12} +\S+ MiB +in use +1\n/);
    expect(table.stdout).toMatch(/registry\.k8s\.io\/pause:3\.10 .* pinned +0\n/);
    const json = JSON.parse((await run('list', '-o', 'json')).stdout) as { images: { imageId: string }[] };
    expect(json.images.map(({ imageId }) => imageId).sort()).toEqual(before);
    expect(parse((await run('list', '-o', 'yaml')).stdout)).toEqual(json);
  });

  test('the runtime is found by CONTAINER_RUNTIME_ENDPOINT', async () => {
    const { code, stdout } = await runCli(['list', '-o', 'json'], { CONTAINER_RUNTIME_ENDPOINT: containerd.endpoint });
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { images: unknown[] }).images).toHaveLength(before.length);
  });

  test('explain shows the rule that holds, and why those before it do not', async () => {
    const vulnerable = await run('explain', 'web:1.0', ...scanning);
    expect(vulnerable.code).toBe(0);
    expect(vulnerable.stdout).toMatch(/ 1\. no container in any state uses it/);
    expect(vulnerable.stdout).toMatch(/10\. REMOVE: vulnerable: CVE-2026-10001 \(CRITICAL\)/);
    expect(vulnerable.stdout).toContain('CVE-2026-10001 CRITICAL openssl 3.0.0-r0, fixed in 3.0.1-r0');
    // Only the one image is scanned.
    expect(vulnerable.stderr).toContain('Scanning 1 image ');
    const inUse = await run('explain', 'shop:2.1', '--scanner', 'none');
    expect(inUse.stdout).toMatch(/ 1\. KEEP: in use by container web\/shop-0\/shop \(running\)/);
  });

  test('explain takes the beginning of an id, and says so when nothing has that name', async () => {
    const id = before[0]?.slice(7, 19) ?? '';
    expect((await run('explain', id, '--scanner', 'none')).stdout).toContain(before[0]);
    const unknown = await run('explain', 'nothing:1', '--scanner', 'none');
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toContain('no image on this node is named "nothing:1"');
  });

  test('scan shows the findings of an image in use too', async () => {
    const { code, stdout } = await run('scan', 'shop:2.1', 'proxy:9', ...scanning);
    expect(code).toBe(0);
    expect(stdout).toMatch(/shop:2\.1\n +alpine 3\.22\.0: 1 CRITICAL, 1 MEDIUM\n/);
    expect(stdout).toMatch(/CVE-2026-10001 +CRITICAL +openssl +3\.0\.0-r0 +3\.0\.1-r0/);
    expect(stdout).toMatch(/proxy:9\n +debian 12\.5: nothing that the policy counts/);
  });

  test('nothing of this removed an image', async () => {
    expect(await listImageIds(containerd)).toEqual(before);
  });

  describe('bad input removes nothing, names the input and what is allowed', () => {
    const clean = (...args: string[]): Promise<CliResult> =>
      run('clean', '--yes', ...(args.includes('--ignorefile') ? [] : ['--scanner', 'none']), ...args);
    const file = async (name: string, text: string): Promise<string> => {
      const path = join(folder, name);
      await writeFile(path, text);
      return path;
    };

    const cases: readonly (readonly [name: string, args: () => Promise<string[]>, message: RegExp])[] = [
      ['a malformed exclusion', () => Promise.resolve(['--exclude', 'UPPER/case:']), /UPPER\/case:/],
      [
        'a policy with a manual list',
        () => Promise.resolve(['--image', '*', '--severity', 'HIGH']),
        /--severity and --image exclude each other/,
      ],
      ['a policy without a scanner', () => Promise.resolve(['--keep-unscannable']), /--keep-unscannable and --scanner none exclude/],
      ['the beginning of an id as an exclusion', () => Promise.resolve(['--exclude', '1dfc32189877']), /1dfc32189877.+all 64 digits/],
      [
        'an option that is taken for a value',
        () => Promise.resolve(['--exclude', '--dry-run']),
        /--exclude <pattern> has no value, but --dry-run/,
      ],
      ['an empty value, as of an unset variable', () => Promise.resolve(['--image', '']), /--image <entry> has an empty value/],
      [
        'an exclusion file with its key twice',
        async () => ['--exclude-file', await file('twice.json', '{"excluded": ["nginx"], "excluded": ["redis"]}')],
        /twice\.json.+twice/,
      ],
      ['a malformed range', () => Promise.resolve(['--exclude', 'nginx:<<1']), /nginx:<<1/],
      ['a malformed list entry', () => Promise.resolve(['--image', 'not a name']), /not a name/],
      ['an unknown severity', () => Promise.resolve(['--severity', 'SEVERE']), /SEVERE.+CRITICAL, HIGH, MEDIUM, LOW/s],
      ['an unknown option', () => Promise.resolve(['--dryrun']), /--dryrun.+--dry-run/s],
      ['an unknown output format', () => Promise.resolve(['-o', 'xml']), /xml.+table, json, yaml/s],
      ['a malformed duration', () => Promise.resolve(['--timeout-per-image', '5 minutes']), /5 minutes/],
      ['a malformed quantity', () => Promise.resolve(['--scan-memory', '2 gigs']), /2 gigs/],
      ['a concurrency of zero', () => Promise.resolve(['--concurrency', '0']), /1 to 9999/],
      ['an exclusion file that is absent', () => Promise.resolve(['--exclude-file', '/nonexistent.json']), /\/nonexistent\.json/],
      ['an exclusion file that is no JSON', async () => ['--exclude-file', await file('no.json', 'excluded: []')], /no\.json.+JSON/],
      [
        'an exclusion file with another key',
        async () => ['--exclude-file', await file('key.json', '{"exclude": ["a"]}')],
        /key\.json.+exclude/,
      ],
      [
        'an exclusion file with a bad entry',
        async () => ['--exclude-file', await file('entry.json', '{"excluded": ["a b"]}')],
        /entry\.json.+a b/,
      ],
      [
        'an ignore file with an unknown key',
        async () => ['--ignorefile', await file('i.yaml', 'vulnerabilities: [{id: CVE-1, paths: [a]}]')],
        /i\.yaml.+paths/,
      ],
      [
        'an ignore file with a bad date',
        async () => ['--ignorefile', await file('d.yaml', 'vulnerabilities: [{id: CVE-1, expired_at: soon}]')],
        /d\.yaml.+expired_at/,
      ],
    ];
    test.each(cases)('%s', async (_name, args, message) => {
      const { code, stdout, stderr } = await clean(...(await args()));
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(message);
      expect(stderr).not.toContain('    at ');
      expect(await listImageIds(containerd)).toEqual(before);
    });
  });
});

describe('without a container runtime', () => {
  test('bad input is found before the runtime is looked for', async () => {
    const { code, stderr } = await runCli(['clean', '--exclude', 'Foo/Bar', '--yes', '--runtime-endpoint', 'unix:///nonexistent.sock']);
    expect(code).toBe(2);
    expect(stderr).toContain('Foo/Bar');
  });

  test('a socket that is not there, and one that is no runtime, are named', async () => {
    const absent = await runCli(['list', '--runtime-endpoint', 'unix:///nonexistent/containerd.sock']);
    expect(absent).toMatchObject({ code: 1, stdout: '' });
    expect(absent.stderr).toContain('/nonexistent/containerd.sock');

    const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-test-'));
    const server = createServer((socket) => socket.end('hello\n')).listen(join(folder, 'other.sock'));
    try {
      const other = await runCli(['clean', '--yes', '--runtime-endpoint', `unix://${folder}/other.sock`]);
      expect(other).toMatchObject({ code: 1, stdout: '' });
      expect(other.stderr).toContain('other.sock');
    } finally {
      server.close();
      await rm(folder, { recursive: true });
    }
  });

  test('an endpoint that cannot be one is bad usage', async () => {
    for (const endpoint of ['tcp://127.0.0.1:1', 'run/containerd.sock', '']) {
      const { code, stderr } = await runCli(['list', '--runtime-endpoint', endpoint]);
      expect(code, endpoint).toBe(2);
      expect(stderr).toMatch(/endpoint/);
    }
  });

  test('--help and --version need none', async () => {
    const help = await runCli(['clean', '--help']);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('Examples:');
    expect((await runCli(['--help'])).stdout).toContain('Exit codes:');
    expect(await runCli(['--version'])).toMatchObject({ code: 0, stdout: '0.1.0\n' });
  });

  test('an unknown command is bad usage', async () => {
    const { code, stderr } = await runCli(['claen']);
    expect(code).toBe(2);
    expect(stderr).toContain('clean');
  });
});
