import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { demoDatabase, demoImages } from '../../lab/demo-images.ts';
import { importImages, listImages } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { ensureTrivy } from '../../lab/tools.ts';
import { writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { CHART, configMapOf, V1ALPHA1, V1ALPHA2, V1ALPHA3 } from '../fakes/eraser-configs.ts';
import { parseClean, reasonsByTag, runCli, type CliResult } from './run-cli.ts';

/** `--config`: a file of Eraser's own form, through the command line as users run it. */

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-cleaner-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Uint8Array | object): Promise<string> {
  const path = join(folder, name);
  const isWritten = typeof content === 'string' || content instanceof Uint8Array;
  await writeFile(path, isWritten ? content : stringify(content));
  return path;
}

const made = (manager: object, components: object = {}): object => ({
  apiVersion: 'eraser.sh/v1alpha3',
  kind: 'EraserConfig',
  manager,
  components: { collector: { enabled: true }, ...components },
});
const withScanner = (scanner: object): object => made({}, { scanner: { enabled: true, ...scanner } });

/** There is no runtime there: whoever gets past the configuration ends with code 1, which names the socket. */
const NO_RUNTIME = 'unix:///nonexistent/containerd.sock';
const clean = (...args: string[]): Promise<CliResult> => runCli(['clean', '--yes', '--runtime-endpoint', NO_RUNTIME, ...args]);
const PAST_THE_OPTIONS = { code: 1, stdout: '' };

describe('configurations that are read', () => {
  test.each([
    ['v1alpha1', stringify(V1ALPHA1)],
    ['v1alpha2', stringify(V1ALPHA2)],
    ['v1alpha3', stringify(V1ALPHA3)],
    ['the chart', stringify(CHART)],
    ['JSON', JSON.stringify(V1ALPHA3)],
    ['the ConfigMap of v1alpha1', configMapOf(V1ALPHA1)],
    ['the ConfigMap of v1alpha3', configMapOf(V1ALPHA3)],
  ])('%s', async (name, text) => {
    const config = await file(`${name.replaceAll(' ', '-')}.yaml`, text);
    const results = await Promise.all([
      clean('--config', config),
      runCli(['explain', 'a', '--runtime-endpoint', NO_RUNTIME, '--config', config]),
      runCli(['scan', 'a', '--runtime-endpoint', NO_RUNTIME, '--config', config]),
      runCli(['list', '--runtime-endpoint', NO_RUNTIME, '--config', config]),
    ]);
    for (const result of results) {
      expect(result).toMatchObject(PAST_THE_OPTIONS);
      expect(result.stderr).toContain('/nonexistent/containerd.sock');
    }
  });

  test('the address of the runtime, unless it is the usual one; the command line and the environment win', async () => {
    const config = await file('address.yaml', made({ runtime: { name: 'containerd', address: 'unix:///nonexistent/of-the-file.sock' } }));
    expect((await runCli(['list', '--config', config])).stderr).toContain('/nonexistent/of-the-file.sock');
    const env = { CONTAINER_RUNTIME_ENDPOINT: 'unix:///nonexistent/of-the-environment.sock' };
    expect((await runCli(['list', '--config', config], env)).stderr).toContain('/nonexistent/of-the-environment.sock');
    expect((await runCli(['list', '--config', config, '--runtime-endpoint', NO_RUNTIME], env)).stderr).toContain(
      '/nonexistent/containerd.sock',
    );
    const usual = await file('usual.yaml', V1ALPHA3);
    expect((await runCli(['list', '--config', usual], env)).stderr).toContain('/nonexistent/of-the-environment.sock');
  });

  test('what has no effect is a warning', async () => {
    const config = await file('warning.yaml', withScanner({ config: 'vulnerabilities: {securityChecks: [vuln, secret]}' }));
    const result = await clean('--config', config);
    expect(result).toMatchObject(PAST_THE_OPTIONS);
    expect(result.stderr).toMatch(/^Warning: .+warning\.yaml: components\.scanner\.config\.vulnerabilities\.securityChecks: .+secret/m);
  });

  test('a scanner of another make is left to the command line', async () => {
    const config = await file('custom.yaml', withScanner({ image: { repo: 'ghcr.io/acme/scanner' }, config: 'own: format' }));
    const refused = await clean('--config', config);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(/components\.scanner\.image\.repo: "ghcr\.io\/acme\/scanner".+\n.*--scanner trivy or --scanner none/);
    for (const choice of [
      ['--scanner', 'trivy'],
      ['--scanner', 'none'],
      ['--image', 'a:1'],
    ]) {
      expect(await clean('--config', config, ...choice)).toMatchObject(PAST_THE_OPTIONS);
    }
  });

  test('the collector switched off switches automatic cleaning off, and no manual one', async () => {
    for (const collector of [{ enabled: false }, null]) {
      const config = await file('off.yaml', made({}, { collector, scanner: { enabled: true } }));
      for (const args of [[], ['--dry-run'], ['--scanner', 'none']]) {
        const refused = await clean('--config', config, ...args);
        expect(refused).toMatchObject({ code: 2, stdout: '' });
        expect(refused.stderr).toMatch(/off\.yaml: components\.collector\.enabled: not true.+automatic cleaning off.+\n.*--image/);
      }
      expect(await clean('--config', config, '--image', 'a:1')).toMatchObject(PAST_THE_OPTIONS);
    }
  });
});

describe('bad configurations are bad usage, told by file, path and what is allowed', () => {
  const cases: readonly (readonly [name: string, content: string | Uint8Array | object, message: RegExp])[] = [
    ['an empty file', '', /bad\.yaml: empty/],
    ['nothing but comments', '# nothing\n', /bad\.yaml: empty/],
    ['more than a mebibyte', `# ${'x'.repeat(1024 * 1024)}\n`, /bad\.yaml.+1\.0 MiB/],
    ['another encoding', Buffer.from('\uFEFFapiVersion: a\n', 'utf16le'), /bad\.yaml.+UTF-8/],
    ['no YAML', 'apiVersion: [\n', /bad\.yaml: not YAML.+line 2/],
    ['two documents', `${stringify(V1ALPHA3)}---\n${stringify(V1ALPHA3)}`, /more than one YAML document.+line \d+/],
    ['a key twice', `${stringify(V1ALPHA3)}manager: {}\n`, /the key "manager" is there twice/],
    ['an alias', 'a: &a [1]\nb: *a\n', /alias \*a is not allowed.+line 2/],
    ['a bomb of aliases', `a: &a [x]\n${'b: [*a, *a, *a, *a, *a, *a]\n'.repeat(1_000)}`, /alias|tokens|twice/],
    ['a bomb of brackets', '['.repeat(1_000_000), /tokens/],
    ['a depth of some thousand', '['.repeat(9_000) + ']'.repeat(9_000), /nested more than 100 deep/],
    ['a list', '- a\n', /a list is not a mapping with apiVersion/],
    ['a text', 'text\n', /"text" is not a mapping with apiVersion/],
    [
      'another kind of object',
      'apiVersion: v1\nkind: Secret\n',
      /apiVersion: "v1" is not one of eraser\.sh\/v1alpha1.+\n.+kind: "Secret" is not EraserConfig/,
    ],
    ['an unknown version', { ...V1ALPHA3, apiVersion: 'eraser.sh/v2' }, /apiVersion: "eraser\.sh\/v2" is not one of eraser\.sh\/v1alpha1/],
    ['no version', { kind: 'EraserConfig' }, /apiVersion: is missing/],
    [
      'a ConfigMap of something else',
      'kind: ConfigMap\ndata: {key: value}\n',
      /data: .+no text under the key controller_manager_config\.yaml/,
    ],
    ['a ConfigMap whose text is no YAML', configMapOf({}).replace('{}', '{'), /bad\.yaml \(controller_manager_config\.yaml\): not YAML/],
    ['a ConfigMap with a bad value', configMapOf(made({ logLevel: 'x' })), /\(controller_manager_config\.yaml\): manager\.logLevel: "x"/],
    ['an unknown key', made({ schedulling: {} }), /manager\.schedulling: unknown; did you mean scheduling\?/],
    [
      'an unknown key with a name of JavaScript',
      'apiVersion: eraser.sh/v1alpha3\nkind: EraserConfig\n__proto__: {}\n',
      /__proto__: unknown/,
    ],
    [
      'a duration',
      made({ scheduling: { repeatInterval: '1 day' } }),
      /manager\.scheduling\.repeatInterval: "1 day" is not a duration.+30s/,
    ],
    ['a quantity', made({}, { remover: { limit: { mem: '30MB' } } }), /components\.remover\.limit\.mem: "30MB" is not a quantity.+500Mi/],
    ['a flag', made({}, { collector: { enabled: 'yes' } }), /components\.collector\.enabled: "yes" is not true or false/],
    ['a runtime', made({ runtime: { name: 'docker' } }), /manager\.runtime\.name: "docker" is not one of containerd, crio, dockershim/],
    ['an address', made({ runtime: { name: 'crio', address: 'tcp://1.2.3.4:5' } }), /manager\.runtime\.address: "tcp:.+unix:\/\/\/run/],
    [
      'a severity',
      withScanner({ config: 'vulnerabilities: {severities: [SEVERE]}' }),
      /components\.scanner\.config\.vulnerabilities\.severities\[0\]: "SEVERE".+CRITICAL/,
    ],
    [
      'a scanner setting at the wrong place',
      withScanner({ config: 'severities: [HIGH]' }),
      /config\.severities: unknown; did you mean vulnerabilities\.severities\?/,
    ],
    ['a scanner config that is no YAML', withScanner({ config: 'a: [' }), /components\.scanner\.config: not YAML.+line 1/],
    ['a control character', made({ logLevel: '\u001b[31m' }), /manager\.logLevel: "\\u001b\[31m"/],
  ];
  test.each(cases)('%s', async (_name, content, message) => {
    const result = await clean('--config', await file('bad.yaml', content));
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(message);
    expect(result.stderr).toMatch(/^error: --config .*bad\.yaml/);
    expect(result.stderr).not.toContain('    at ');
    expect(result.stderr.length).toBeLessThan(1_000);
  });

  test('all faults at once, those of the scanner too', async () => {
    const config = await file('many.yaml', made({ logLevel: 'x', colour: 1 }, { scanner: { enabled: 1, config: 'cachDir: a' } }));
    const { code, stderr } = await clean('--config', config);
    expect(code).toBe(2);
    for (const path of ['manager.logLevel', 'manager.colour', 'components.scanner.enabled', 'components.scanner.config.cachDir']) {
      expect(stderr).toContain(`many.yaml: ${path}: `);
    }
  });

  test.each([
    ['a file that is absent', '/nonexistent.yaml', /\/nonexistent\.yaml/],
    ['a folder', '/tmp', /\/tmp.+folder/],
    ['a device', '/dev/zero', /\/dev\/zero.+device/],
    ['an empty name', '', /--config <file> has an empty value/],
    ['an option for a name', '--dry-run', /--config <file> has no value/],
  ])('%s', async (_name, path, message) => {
    const result = await clean('--config', path);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(message);
  });
});

describe('options that exclude each other', () => {
  const scan = ['--trivy', '--trivy-cache-dir', '--db-repository', '--scan-memory', '--timeout-per-image', '--timeout-total'] as const;
  const values = { '--scan-memory': '1Gi', '--timeout-per-image': '1m', '--timeout-total': '1h' } as const;
  const policy: readonly (readonly string[])[] = [
    ['--severity', 'HIGH'],
    ['--pkg-types', 'os'],
    ['--ignore-unfixed'],
    ['--ignore-status', 'fixed'],
    ['--ignorefile', '/nonexistent'],
    ['--keep-end-of-life'],
    ['--keep-unscannable'],
  ];
  const scanOptions = [
    ...policy,
    ...scan.map((name) => [name, name in values ? values[name as keyof typeof values] : 'a']),
    ['--skip-db-update'],
  ];
  const cases: readonly (readonly [one: readonly string[], other: readonly string[]])[] = [
    ...scanOptions.flatMap((option) => [[option, ['--scanner', 'none']] as const, [option, ['--image', 'a:1']] as const]),
    [
      ['--scanner', 'trivy'],
      ['--image', 'a:1'],
    ],
    [['--skip-db-update'], ['--db-repository', 'a']],
    [
      ['--timeout-per-image', '2h'],
      ['--timeout-total', '1h'],
    ],
  ];
  test.each(cases)('%j and %j', async (one, other) => {
    for (const args of [
      [...one, ...other],
      [...other, ...one],
    ]) {
      const { code, stdout, stderr } = await clean(...args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain(one[0]);
      expect(stderr).toContain(other[0]);
      expect(stderr).toContain('exclude each other');
    }
  });

  test.each([
    ['20%', '30%'],
    ['40Gi', '40.5Gi'],
  ])('a --disk-high of %s and a --disk-low of %s, which must be the lower one', async (high, low) => {
    expect(await clean('--disk-high', high, '--disk-low', low)).toMatchObject({
      ...{ code: 2, stdout: '' },
      stderr: expect.stringContaining(`--disk-low ${low} is above --disk-high ${high}, and must not be`) as string,
    });
    expect(await clean('--disk-high', high, '--disk-low', high)).toMatchObject(PAST_THE_OPTIONS);
  });

  test.each([
    [
      ['--severity', 'HIGH'],
      ['--severity', 'LOW'],
    ],
    [
      ['--pkg-types', 'os'],
      ['--pkg-types', 'library'],
    ],
    [
      ['--ignore-status', 'fixed'],
      ['--ignore-status', 'will_not_fix'],
    ],
    [
      ['--ignorefile', 'a'],
      ['--ignorefile', 'b'],
    ],
    [
      ['--scanner', 'trivy'],
      ['--scanner', 'none'],
    ],
    [
      ['--config', 'a'],
      ['--config', 'b'],
    ],
    [
      ['--output', 'json'],
      ['-o', 'yaml'],
    ],
    [
      ['--trivy', 'a'],
      ['--trivy', 'b'],
    ],
    [
      ['--concurrency', '1'],
      ['--concurrency', '2'],
    ],
  ])('an option with two values: %j and %j', async (one, other) => {
    const { code, stdout, stderr } = await clean(...one, ...other);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/given twice: .+ and .+/);
  });

  test('an option with the same value twice', async () => {
    expect(await clean('--severity', 'HIGH', '--severity', 'HIGH', '-o', 'json', '--output', 'json')).toMatchObject(PAST_THE_OPTIONS);
  });

  test('an option and the configuration do not: the option wins', async () => {
    const config = await file('policy.yaml', withScanner({ config: 'vulnerabilities: {severities: [HIGH]}\ndeleteEOLImages: false' }));
    for (const args of [['--scanner', 'none'], ['--image', 'a:1'], ['--severity', 'LOW'], ['--skip-db-update']]) {
      expect(await clean('--config', config, ...args)).toMatchObject(PAST_THE_OPTIONS);
    }
  });

  test('a policy, where the configuration switches the scanner off: more would go than is meant', async () => {
    const config = await file('no-scanner.yaml', made({}));
    const { code, stderr } = await clean('--config', config, '--severity', 'HIGH');
    expect(code).toBe(2);
    expect(stderr).toMatch(/--severity.+scanner.+--config.+exclude each other/);
    expect(await clean('--config', config, '--severity', 'HIGH', '--scanner', 'trivy')).toMatchObject(PAST_THE_OPTIONS);
    expect(await clean('--config', config)).toMatchObject(PAST_THE_OPTIONS);
  });
});

describe.skipIf(lacksRealPart('containerd-v2') || lacksRealPart('trivy'))('on a real containerd with Trivy', () => {
  let containerd: PrivateContainerd;
  let scanning: string[];
  /** A configuration for this containerd, whose scanner's database is at `cacheDir` of the file. */
  const configured = (scanner: object): Promise<string> =>
    file('eraser.yaml', {
      ...V1ALPHA3,
      manager: { ...V1ALPHA3.manager, runtime: { name: 'containerd', address: containerd.endpoint } },
      components: { ...V1ALPHA3.components, scanner },
    });
  const trivyConfig = (vulnerabilities: object, rest: object = {}): Promise<string> =>
    configured({ ...V1ALPHA3.components.scanner, config: stringify({ cacheDir: folder, vulnerabilities, ...rest }) });
  const cleanNode = (...args: string[]): Promise<CliResult> => runCli(['clean', '-o', 'json', ...args]);
  const removedBy = async (...args: string[]): Promise<string[]> =>
    Object.entries(reasonsByTag(parseClean(await cleanNode(...args))))
      .filter(([, reason]) => reason.startsWith('remove'))
      .map(([tag]) => tag.replace('docker.io/library/', ''))
      .sort();
  const tags = async (): Promise<string[]> => (await listImages(containerd)).flatMap(({ repoTags }) => repoTags).sort();

  beforeAll(async () => {
    const trivy = await ensureTrivy();
    if (trivy.kind === 'missing') throw new Error(trivy.reason);
    containerd = await startContainerd({ version: 'v2' });
    await writeTrivyDatabase(folder, demoDatabase());
    scanning = ['--trivy', trivy.path, '--skip-db-update'];
    await importImages(containerd, (await demoImages()).all);
  });
  afterAll(() => containerd.stop());

  test('the file says what goes; the command line wins over it', async () => {
    const before = await tags();
    const config = await trivyConfig({ severities: ['HIGH'] }, { deleteEOLImages: false });
    expect(await removedBy('--config', config, ...scanning, '--dry-run')).toEqual(['reports:3']);
    expect(await removedBy('--config', config, ...scanning, '--dry-run', '--severity', 'LOW')).toEqual(['blog:5']);
    expect(await removedBy('--config', config, ...scanning, '--dry-run', '--severity', 'CRITICAL,HIGH', '--pkg-types', 'library')).toEqual(
      [],
    );
    expect(await removedBy('--config', config, '--dry-run', '--scanner', 'none')).toHaveLength(before.length);
    expect(
      await removedBy('--config', await trivyConfig({ types: ['library'] }, { deleteEOLImages: false }), ...scanning, '--dry-run'),
    ).toEqual(['blog:5']);
    expect(await removedBy('--config', await trivyConfig({ severities: ['UNKNOWN'] }), ...scanning, '--dry-run')).toEqual(['legacy:1']);
    expect(await tags()).toEqual(before);
  });

  test('--yes removes what the file says, and with --dry-run nothing', async () => {
    const before = await tags();
    const config = await trivyConfig({ severities: ['HIGH'] }, { deleteEOLImages: false });
    expect((await cleanNode('--config', config, ...scanning, '--dry-run', '--yes')).code).toBe(0);
    expect(await tags()).toEqual(before);
    expect((await cleanNode('--config', config, ...scanning, '--yes')).code).toBe(0);
    expect(await tags()).toEqual(before.filter((tag) => tag !== 'docker.io/library/reports:3'));
  });

  test('explain, scan and list take it too', async () => {
    const config = await trivyConfig({ severities: ['MEDIUM'] });
    const explained = await runCli(['explain', 'web:1.0', '--config', config, ...scanning]);
    expect(explained.stdout).toMatch(/REMOVE: vulnerable: CVE-2026-10002 \(MEDIUM\)/);
    expect((await runCli(['scan', 'web:1.0', '--config', config, ...scanning])).stdout).toMatch(/web:1\.0\n.+1 MEDIUM/);
    expect((await runCli(['list', '--config', config])).stdout).toContain('web:1.0');
  });

  test('without the scanner every unused image goes', async () => {
    const config = await configured({ enabled: false });
    const before = await tags();
    expect(await removedBy('--config', config, '--dry-run')).toHaveLength(before.length);
    const result = await cleanNode('--config', config, '--yes', '--exclude', 'chat');
    expect(result.code).toBe(0);
    expect(await tags()).toEqual(['docker.io/library/chat:2']);
  });
});
