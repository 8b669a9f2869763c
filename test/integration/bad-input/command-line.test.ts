import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../../lab/containerd.ts';
import { buildImage, importImages, listImageIds } from '../../../lab/images.ts';
import { lacksRealPart } from '../../../lab/real-parts.ts';
import { runCli } from '../run-cli.ts';
import { expectOneMessage } from './one-message.ts';

/** Command lines that cannot be meant: each ends before the runtime is asked anything, with what is allowed instead. */

const DIGEST = `sha256:${'ab01'.repeat(16)}`;

describe.skipIf(lacksRealPart('containerd-debian'))('a bad command line removes nothing', { concurrent: true }, () => {
  let containerd: PrivateContainerd;
  const image = buildImage({ refs: ['docker.io/library/unused:1'], layers: [{ files: { 'app/content': 'x' } }] });
  beforeAll(async () => {
    containerd = await startContainerd({ version: 'debian' });
    await importImages(containerd, [image]);
  });
  afterAll(() => containerd.stop());
  const refused = async (args: readonly string[], message: RegExp): Promise<void> => {
    expectOneMessage(await runCli([...args, `--runtime-endpoint=${containerd.endpoint}`]), { code: 2, message });
    expect(await listImageIds(containerd)).toEqual([image.id]);
  };
  const clean = (...args: string[]): string[] => ['clean', '--yes', '--scanner', 'none', ...args];

  describe('image reference', () => {
    test.each([
      ['with a blank', 'not a name', /--image "not a name": the repository "library\/not a name" is not valid: allowed are lower-case/],
      ['in upper case', 'Nginx:1', /--image "Nginx:1": .+upper-case letters: only the registry and the tag may/],
      ['without its tag', 'nginx:', /--image "nginx:": the tag "" is not valid: allowed are up to 128/],
      ['with a tag that is too long', `nginx:${'t'.repeat(129)}`, /the tag "t{80}…" is not valid: allowed are up to 128/],
      ['with a short digest', 'nginx@sha256:abc', /the digest "sha256:abc" is not valid: .+64/],
      ['that is a short id', 'sha256:abc', /it is no digest: .+64/],
      ['with a wildcard', 'nginx:*', /no wildcards, except "\*" by itself/],
      ['that is a URL', 'https://ghcr.io/app:1', /the registry "https:" is not valid: allowed is a host name/],
      ['of 4 KB', `docker.io/${'a'.repeat(4096)}:1`, /is 4096 characters long: at most 255|is 41\d\d characters long: at most 255/],
      ['with control characters, which are shown as such', 'nginx\u001b[2J:1', /"nginx\\x1b\[2J:1"/],
    ])('%s', (_what, entry, message) => refused(clean('--image', entry), message));
  });

  describe('exclusion pattern', () => {
    test.each([
      ['in upper case', 'UPPER/case', /--exclude: exclusion "UPPER\/case": .+upper-case/],
      ['without its tag', 'nginx:', /"nginx:": the tag "" is not valid: allowed are/],
      ['with a malformed range', 'nginx:<<1', /"nginx:<<1": the range of tags "<<1" is not valid: ranges are written as in "<1\.25"/],
      ['with a range that holds nothing', 'nginx:>2 <1', /">2 <1" is not valid: there is no version in it/],
      ['with two stars within a component', 'ghcr.io/a**/b', /"\*\*" is not a component by itself: write "\*"/],
      [
        'with a wildcard that may be a registry or a namespace',
        'acme-*/app',
        /may be a registry or a namespace of Docker Hub: write "docker\.io\/acme-/,
      ],
      ['with a tag glob and a digest', `nginx:1.*@${DIGEST}`, /the tag "1\.\*" can only be a plain one/],
      ['that is the beginning of an image id', '1dfc32189877', /"1dfc32189877": .+all 64 digits, or "1dfc32189877:\*"/],
      ['that is empty but for blanks', '  ', /it is empty; a name, a pattern/],
      ['that is too long', `${'a/'.repeat(600)}*`, /it is 1201 characters long: at most 1024/],
    ])('%s', (_what, entry, message) => refused(clean('--exclude', entry), message));

    test.each([
      ['ghcr.io', 'ghcr.io/*'],
      ['ghcr.io*', 'ghcr.io/*'],
      ['ghcr.io:*', 'ghcr.io/*'],
      ['*.azurecr.io', '*.azurecr.io/*'],
      ['registry.example.com:5000', 'registry.example.com:5000/*'],
      ['10.0.0.1:5000', '10.0.0.1:5000/*'],
    ])('%s, which would protect nothing: write %s', async (entry, instead) => {
      await refused(clean('--exclude', entry), new RegExp(`"${escaped(entry)}": it looks like a registry: write "${escaped(instead)}"`));
    });

    test.each(['unused:1', 'my.app:20240101', 'my.app:2', 'my.app:65536'])(
      '%s is a tag of a repository, and no registry',
      async (entry) => {
        const { code, stderr } = await runCli([
          'clean',
          '--dry-run',
          '--scanner=none',
          '--exclude',
          entry,
          '--runtime-endpoint',
          containerd.endpoint,
        ]);
        expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('error') as string });
      },
    );

    test('each of several is told, the first ten of many', async () => {
      const { code, stderr } = await runCli(
        clean(...Array.from({ length: 12 }, (_value, at) => ['--exclude', `Bad${String(at)}/x`]).flat()),
      );
      expect(code).toBe(2);
      expect(stderr.match(/exclusion "Bad\d+\/x"/g)).toHaveLength(10);
      expect(stderr).toContain('and 2 more');
    });
  });

  describe('duration, quantity, severity and other values', () => {
    test.each([
      ['duration: words', ['--timeout-per-image', '5 minutes'], /'5 minutes' is invalid\. Allowed are numbers with units, such as 30s/],
      ['duration: no unit', ['--timeout-total', '30'], /'30' is invalid\. Allowed are numbers with units/],
      ['duration: nought', ['--timeout-per-image', '0'], /'0' is invalid\. It must be more than zero/],
      ['duration: less than nought', ['--timeout-per-image=-1s'], /'-1s' is invalid\. A duration cannot be negative/],
      ['duration: longer than any', ['--timeout-total', '99999999h'], /cannot be longer than 292 years/],
      ['quantity: words', ['--scan-memory', '2 gigs'], /'2 gigs' is invalid\. Allowed are numbers with a unit, such as 500Mi/],
      ['quantity: less than nought', ['--scan-memory=-1'], /A quantity cannot be negative/],
      ['quantity: more than any', ['--scan-memory', '1e400'], /It is too large/],
      ['concurrency: nought', ['--concurrency', '0'], /'0' is invalid\. Allowed are whole numbers from 1 to 9999/],
      ['concurrency: a fraction', ['--concurrency', '1.5'], /whole numbers from 1 to 9999/],
      ['output format', ['-o', 'xml'], /'xml' is invalid\. Allowed choices are table, json, yaml/],
    ])('%s', (_what, args, message) => refused(clean(...args), message));

    test.each([
      ['severity: none of them', ['--severity', 'SEVERE'], /"SEVERE" is none of CRITICAL, HIGH, MEDIUM, LOW, UNKNOWN/],
      ['severity: nothing between commas', ['--severity', 'HIGH,,LOW'], /"" is none of CRITICAL, HIGH/],
      ['status', ['--ignore-status', 'fixd'], /"fixd" is none of .+fixed/],
      ['scanner', ['--scanner', 'grype'], /'grype' is invalid\. Allowed choices are trivy, none/],
    ])('%s', (_what, args, message) => refused(['clean', '--yes', ...args], message));
  });

  describe('contradicting options', () => {
    test.each([
      ['a policy and a manual list', ['--image', '*', '--severity', 'HIGH'], /--severity and --image exclude each other/],
      [
        'a policy without a scanner',
        ['--scanner', 'none', '--keep-unscannable'],
        /--keep-unscannable and --scanner none exclude each other/,
      ],
      [
        'an ignore file without a scanner',
        ['--scanner', 'none', '--ignorefile', '/nonexistent'],
        /--ignorefile and --scanner none exclude/,
      ],
      ['one option with two values', ['-o', 'json', '-o', 'yaml'], /--output <format> is given twice: json and yaml/],
      ['an option that is taken for a value', ['--exclude', '--dry-run'], /--exclude <pattern> has no value, but --dry-run after it/],
      ['an empty value, as of an unset variable', ['--image', ''], /--image <entry> has an empty value/],
    ])('%s', (_what, args, message) => refused(['clean', '--yes', ...args], message));

    test('of --dry-run and --yes, the one that removes nothing holds', async () => {
      const { code, stdout } = await runCli(clean('--dry-run', '--runtime-endpoint', containerd.endpoint));
      expect(code).toBe(0);
      expect(stdout).toMatch(/remove +docker\.io\/library\/unused:1/);
      expect(await listImageIds(containerd)).toEqual([image.id]);
    });
  });

  describe('unknown, with the nearest that is known', () => {
    test.each([
      ['option', ['clean', '--yes', '--dryrun'], /unknown option '--dryrun'\n\(Did you mean --dry-run\?\)/],
      ['option of another command', ['list', '--yes'], /unknown option '--yes'\n/],
      ['short option', ['clean', '--yes', '-x'], /unknown option '-x'\n/],
      ['option with control characters, which are shown as such', ['clean', '--yes', '--\u001b[2J'], /unknown option '--\\x1b\[2J'/],
      ['value of an option without one', ['clean', '--yes=no'], /unknown option '--yes=no'/],
      ['argument', ['clean', '--yes', 'nginx'], /too many arguments for 'clean'\. Expected 0 arguments but got 1: nginx/],
    ])('%s', (_what, args, message) => refused(args, message));

    test.each([
      ['command', ['claen'], /unknown command 'claen'\n\(Did you mean clean\?\)/],
      ['command, though an option of clean follows', ['cleam', '--yes'], /unknown command 'cleam'\n\(Did you mean clean\?\)/],
      ['argument that is missing', ['explain'], /missing required argument 'image'/],
    ])('%s', async (_what, args, message) => {
      expectOneMessage(await runCli(args), { code: 2, message });
      expect(await listImageIds(containerd)).toEqual([image.id]);
    });

    test('no command at all: the help, as bad usage', async () => {
      const { code, stdout, stderr } = await runCli([]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('clean [options]');
    });
  });

  test('an image that nothing is named by', async () => {
    for (const command of [['explain', '--scanner=none'], ['scan']]) {
      const result = await runCli([...command, 'absent:1', '--runtime-endpoint', containerd.endpoint]);
      expect(result).toMatchObject({ code: 1, stdout: '' });
      expect(result.stderr).toMatch(/error: no image on this node is named "absent:1"\n`image-cleaner list` shows/);
    }
  });
});

describe('a bad command line needs no runtime', () => {
  test('it is told before the runtime is looked for', async () => {
    const result = await runCli(['clean', '--exclude', 'Foo/Bar', '--yes', '--runtime-endpoint', 'unix:///nonexistent.sock']);
    expectOneMessage(result, { code: 2, message: /Foo\/Bar/ });
  });
});

function escaped(text: string): string {
  return text.replaceAll(/[.*]/g, String.raw`\$&`);
}
