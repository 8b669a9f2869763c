import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { flagValue, parseKubeletSettings } from './kubelet-settings.ts';
import { readKubelet } from './read-kubelet.ts';

const DEFAULTS = { highPercent: 85, lowPercent: 80, minimumAgeMs: 120_000, maximumAgeMs: 0 };
const KEYS = ['imageGCHighThresholdPercent', 'imageGCLowThresholdPercent', 'imageMinimumGCAge', 'imageMaximumGCAge'];

describe('parseKubeletSettings', () => {
  test.each([
    ['nothing', [], [], { ...DEFAULTS, unset: KEYS }],
    ['an empty file', [''], [], { ...DEFAULTS, unset: KEYS }],
    [
      'YAML',
      ['kind: KubeletConfiguration\nimageGCHighThresholdPercent: 70\nimageMaximumGCAge: 168h\n'],
      [],
      { ...DEFAULTS, highPercent: 70, maximumAgeMs: 604_800_000, unset: KEYS.slice(1, 3) },
    ],
    [
      'JSON, a later file wins',
      ['{"imageGCLowThresholdPercent": 50}', '{"imageGCLowThresholdPercent": 60}'],
      [],
      { ...DEFAULTS, lowPercent: 60, unset: KEYS.filter((key) => key !== KEYS[1]) },
    ],
    ['null is not set', ['imageMinimumGCAge: null'], [], { ...DEFAULTS, unset: KEYS }],
    [
      'a flag wins',
      ['imageGCHighThresholdPercent: 70'],
      ['kubelet', '--image-gc-high-threshold=90', '--minimum-image-ttl-duration', '5m'],
      { ...DEFAULTS, highPercent: 90, minimumAgeMs: 300_000, unset: [KEYS[1], KEYS[3]] },
    ],
  ])('%s', (_what, files, commandLine, expected) => {
    expect(parseKubeletSettings(files, commandLine)).toEqual(expected);
  });

  test.each(['imageGCHighThresholdPercent: high', 'imageMinimumGCAge: soon', '- a list', '{'])(
    'what cannot be read is thrown: %s',
    (text) => {
      expect(() => parseKubeletSettings([text], [])).toThrow();
    },
  );

  test('a flag is read in each of its forms, and not out of another', () => {
    const line = ['kubelet', '--config-dir=/d', '--config', '/a', '-config=/b=c'];
    expect(flagValue(line, 'config')).toBe('/b=c');
    expect(flagValue(line.slice(0, 2), 'config')).toBeNull();
    expect(flagValue(line.slice(0, 3), 'config')).toBeNull();
  });
});

describe('readKubelet', () => {
  let root: string;
  const { signal } = new AbortController();
  const write = async (path: string, text: string): Promise<string> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
    return join(root, path);
  };
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'image-cleaner-test-'));
    await mkdir(join(root, 'proc/self'), { recursive: true });
    await write('proc/7/cmdline', '/usr/bin/containerd\0--config\0/etc/containerd.toml\0');
  });
  afterEach(() => rm(root, { recursive: true }));
  const read = (configs: readonly string[]): ReturnType<typeof readKubelet> => readKubelet(signal, { proc: join(root, 'proc'), configs });

  test('by the command line of the one that runs, as it sees its files', async () => {
    await write('proc/812/cmdline', '/usr/bin/kubelet\0--config=/k/config.yaml\0--config-dir\0/k/drop\0');
    await write('elsewhere/k/config.yaml', 'imageGCHighThresholdPercent: 70\nimageGCLowThresholdPercent: 60\n');
    await write('elsewhere/k/drop/10-more.conf', '{"imageGCLowThresholdPercent": 50}');
    await write('elsewhere/k/drop/readme.txt', 'no configuration');
    await symlink(join(root, 'elsewhere'), join(root, 'proc/812/root'));
    expect(await read([])).toMatchObject({
      ok: true,
      value: { source: 'kubelet (process 812), /k/config.yaml, /k/drop', settings: { highPercent: 70, lowPercent: 50 } },
    });
  });

  test('not that of a node that is a container here', async () => {
    const config = await write('config.yaml', 'imageMaximumGCAge: 24h');
    for (const [process, namespace] of Object.entries({ self: 'pid:[1]', 811: 'pid:[2]', 812: 'pid:[1]' })) {
      if (process !== 'self') await write(`proc/${process}/cmdline`, 'kubelet\0');
      await mkdir(join(root, `proc/${process}/ns`));
      await symlink(namespace, join(root, `proc/${process}/ns/pid`));
    }
    expect(await read([config])).toMatchObject({ ok: true, value: { source: 'kubelet (process 812)' } });
    await rm(join(root, 'proc/812'), { recursive: true });
    expect(await read([config])).toMatchObject({ ok: true, value: { source: config } });
  });

  test('a configuration that it names and that cannot be read is a fault, no default', async () => {
    await write('proc/812/cmdline', 'kubelet\0--config\0/k/config.yaml\0');
    expect(await read([])).toMatchObject({ ok: false, message: expect.stringContaining('config.yaml') as string });
  });

  test('else by the first of the usual files that is there', async () => {
    const config = await write('config.yaml', 'imageMaximumGCAge: 24h');
    const found = await read([join(root, 'absent.yaml'), config]);
    expect(found).toMatchObject({ ok: true, value: { source: config, settings: { maximumAgeMs: 86_400_000 } } });
    expect(await read([join(root, 'absent.yaml')])).toEqual({ ok: true, value: null });
  });
});
