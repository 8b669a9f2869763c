import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../../lab/containerd.ts';
import { buildImage, importImages, listImageIds } from '../../../lab/images.ts';
import { lacksRealPart } from '../../../lab/real-parts.ts';
import { parseClean, reasonsByTag, runCli } from '../run-cli.ts';
import { expectOneMessage } from './one-message.ts';
import { runMeasured } from './run-measured.ts';

/** Files that options name and that cannot be read in full, or as what they should be: nothing is removed, and nothing is read in part. */

/** Node itself takes some 60 MB. */
const PEAK_BYTES_MAX = 350 * 1024 * 1024;
const MOST_MS = 10_000;

describe.skipIf(lacksRealPart('containerd-debian'))('a bad file removes nothing', { concurrent: true }, () => {
  let containerd: PrivateContainerd;
  let folder: string;
  const image = buildImage({ refs: ['docker.io/library/unused:1'], layers: [{ files: { 'app/content': 'x' } }] });
  beforeAll(async () => {
    containerd = await startContainerd({ version: 'debian' });
    await importImages(containerd, [image]);
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-files-'));
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    await mkdir(join(folder, 'folder'));
  });
  afterAll(async () => {
    await containerd.stop();
    await rm(folder, { recursive: true });
  });
  const file = async (name: string, content: string | Buffer): Promise<string> => {
    const path = join(await mkdtemp(join(folder, 'one-')), name);
    await writeFile(path, content);
    return path;
  };
  /** Quickly, with little memory, and with one message. */
  const refused = async (args: readonly string[], message: RegExp): Promise<void> => {
    const started = performance.now();
    const { peakBytes, ...result } = await runMeasured(['clean', '--yes', ...args, '--runtime-endpoint', containerd.endpoint]);
    expectOneMessage(result, { code: 2, message });
    expect(performance.now() - started).toBeLessThan(MOST_MS);
    expect(peakBytes).toBeLessThan(PEAK_BYTES_MAX);
    expect(await listImageIds(containerd)).toEqual([image.id]);
  };

  describe.each([
    ['exclusion JSON', '--exclude-file', ['--scanner', 'none']],
    ['ignorefile', '--ignorefile', []],
  ])('%s', (_what, option, others) => {
    test.each([
      ['that is absent', '/nonexistent', /cannot be read: ENOENT: no such file/],
      ['that is a folder', 'folder', / is a folder\.\nName a regular file/],
      ['that is a FIFO, to which nobody writes', 'fifo', / is a pipe\.\nName a regular file/],
      ['that is /dev/zero', '/dev/zero', / is a device\.\nName a regular file/],
    ])('%s', (_case, path, message) => refused([...others, option, path.startsWith('/') ? path : join(folder, path)], message));

    test('that is too large', async () => {
      const path = await file('large', `{"excluded": [${'"nginx", '.repeat(300_000)}"nginx"]}`);
      await refused([...others, option, path], /large is too large: at most 1\.0 MiB are allowed/);
    });

    test('that is not UTF-8', async () => {
      const path = await file('latin1', Buffer.from('{"excluded": ["caf\u00e9"]}', 'latin1'));
      await refused([...others, option, path], /latin1 is not UTF-8 text/);
    });
  });

  describe('exclusion JSON', () => {
    const cases: [what: string, content: string | Buffer, message: RegExp][] = [
      ['that is broken', '{"excluded": ["nginx"', /is not JSON: .+\nExpected is \{"excluded": /],
      ['that is empty', '', /is not JSON: .+\nExpected is/],
      ['that is YAML', 'excluded: [nginx]\n', /is not JSON: .+\nExpected is/],
      ['in UTF-16', Buffer.from('\ufeff{"excluded": []}', 'utf16le'), /is not (UTF-8|JSON)/],
      ['of another shape: a list', '["nginx"]', /expected object, received array\nExpected is/],
      ['of another shape: null', 'null', /expected object, received null\nExpected is/],
      ['of another shape: a text for the list', '{"excluded": "nginx"}', /excluded: .+expected array, received string\nExpected is/],
      [
        'of another shape: a number as an entry',
        '{"excluded": ["nginx", 1]}',
        /excluded\[1\]: .+expected string, received number\nExpected is/,
      ],
      ['of another shape: an empty entry', '{"excluded": [""]}', /excluded\[0\]: an entry is empty\nExpected is/],
      ['of another shape: another key', '{"exclude": ["nginx"]}', /"exclude"\nExpected is/],
      ['of another shape: a further key', '{"excluded": [], "included": ["nginx"]}', /Unrecognized key: "included"\nExpected is/],
      ['nested deeply', `{"excluded": ${'['.repeat(200_000)}${']'.repeat(200_000)}}`, /excluded\[0\]: .+expected string, received array/],
      ['with the same key twice', '{"excluded": ["nginx"], "excluded": ["redis"]}', /the key "excluded" is there twice\nExpected is/],
      [
        'with the same key twice, once escaped',
        '{"excluded": ["unused"], "\\u0065xcluded": ["redis"]}',
        /the key "excluded" is there twice\nExpected/,
      ],
      ['with a malformed pattern', '{"excluded": ["nginx", "a b"]}', /exclusion "a b": the repository "library\/a b" is not valid/],
      ['with a pattern that looks like a registry', '{"excluded": ["ghcr.io"]}', /exclusion "ghcr\.io": .+write "ghcr\.io\/\*"/],
    ];
    test.each(cases)('%s', async (_what, content, message) => {
      const path = await file('exclusions.json', content);
      await refused(['--scanner', 'none', '--exclude-file', path], message);
    });

    test('one bad of two: neither counts', async () => {
      const [good, bad] = [await file('good.json', '{"excluded": ["nginx"]}'), await file('bad.json', '{"excluded": ["a b"]}')];
      await refused(['--scanner', 'none', '--exclude-file', good, '--exclude-file', bad], /bad\.json: exclusion "a b"/);
    });

    test('with a byte order mark it is read, and holds', async () => {
      const path = await file('bom.json', '\ufeff{"excluded": ["unused"]}');
      const result = await runCli([
        'clean',
        '--yes',
        '--scanner',
        'none',
        '-o',
        'json',
        '--exclude-file',
        path,
        '--runtime-endpoint',
        containerd.endpoint,
      ]);
      expect(reasonsByTag(parseClean(result))).toEqual({ 'docker.io/library/unused:1': 'keep excluded' });
      expect(await listImageIds(containerd)).toEqual([image.id]);
    });

    test('with thirty thousand faults: the first ten of them', async () => {
      const path = await file(
        'many.json',
        JSON.stringify({ excluded: Array.from({ length: 30_000 }, (_value, at) => `Bad${String(at)}/x`) }),
      );
      const result = await runCli([
        'clean',
        '--yes',
        '--scanner',
        'none',
        '--exclude-file',
        path,
        '--runtime-endpoint',
        containerd.endpoint,
      ]);
      expect(result).toMatchObject({ code: 2, stdout: '' });
      expect(result.stderr.trimEnd().split('\n')).toHaveLength(11);
      expect(result.stderr).toContain('and 29990 more');
    });
  });

  describe('ignorefile', () => {
    const laughs = ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map(
      (name, at) =>
        `${name}: &${name} [${Array<string>(9)
          .fill(`*${'abcdefgh'[at] ?? ''}`)
          .join()}]`,
    );
    const cases: [what: string, content: string, message: RegExp][] = [
      ['that is no YAML', 'vulnerabilities: [\n', /: not YAML: .+ at line 2, column 1\nExpected is a list "vulnerabilities"/],
      ['that is empty', '', /expected object, received null\nExpected is/],
      [
        'with a date that is none',
        'vulnerabilities: [{id: CVE-1, expired_at: soon}]',
        /0\.expired_at: a date such as 2027-01-31\nExpected is/,
      ],
      ['with a date that no calendar has', 'vulnerabilities: [{id: CVE-1, expired_at: 2026-02-30}]', /0\.expired_at: a date such as/],
      ['with an entry that is narrowed', 'vulnerabilities: [{id: CVE-1, paths: [a]}]', /0: Unrecognized key: "paths"\nExpected is/],
      ['without an id', 'vulnerabilities: [{statement: x}]', /0\.id: .+received undefined\nExpected is/],
      [
        'with a key twice',
        'vulnerabilities: []\nvulnerabilities: [{id: CVE-1}]\n',
        /the key "vulnerabilities" is there twice.+ line 2, column 1/,
      ],
      ['with two documents', 'vulnerabilities: []\n---\nvulnerabilities: []\n', /more than one YAML document: the second begins at line 2/],
      ['with a tag', 'vulnerabilities: [{id: !!js/function x}]', /Unresolved tag.+ at line 1, column 24/],
      ['with an alias', 'vulnerabilities: [{id: &a CVE-1}, {id: *a}]', /the alias \*a is not allowed.+ at line 1, column 40/],
      ['a bomb of aliases', `a: &a [x, x]\n${laughs.join('\n')}\nvulnerabilities: *i\n`, /the alias \*a is not allowed.+ at line 2/],
      ['a bomb of an alias in itself', '&a [*a]\n', /the alias \*a is not allowed/],
      ['a bomb of nested lists', '['.repeat(500_000), /nested more than 100 deep at line 1|more YAML than/],
      ['a bomb of nested lists, by dashes', '- '.repeat(50_000), /nested more than 100 deep at line 1/],
      ['a bomb of nested maps', '{a: '.repeat(20_000), /nested more than 100 deep at line 1/],
      ['a bomb of anchors', '&a '.repeat(300_000), /more YAML than|at most one anchor/],
      ['a bomb of entries', `vulnerabilities: [${'{},'.repeat(300_000)}]`, /more YAML than a configuration can be/],
    ];
    test.each(cases)('%s', async (_what, content, message) => {
      await refused(['--ignorefile', await file('ignore.yaml', content)], message);
    });
  });
});
