import { describe, expect, test } from 'vitest';
import { defaultConfiguration } from '../installation/default-configuration.ts';
import { diffConfigurations, planConfiguration } from './plan-configuration.ts';
import { withIntervalHours } from './edit-configuration.ts';

const VERSION = '1.2.3';
const WEEKLY = withIntervalHours(defaultConfiguration(VERSION), 168);
const STORED = '# ours\napiVersion: eraser.sh/v1alpha3\nkind: EraserConfig\nmanager:\n  scheduling:\n    repeatInterval: 12h\n';
const imagesAt = (tag: string) => ({
  image: `registry.example/image-cleaner:${tag}`,
  scannerImage: `registry.example/image-cleaner-scanner:${tag}`,
});
const AS_BEFORE = { planned: imagesAt(VERSION), installed: imagesAt(VERSION), version: VERSION };
const NOTHING = { text: null, intervalHours: null };

describe('what an enable makes of a configuration', () => {
  test.each([
    ['the default, a week', null, NOTHING, 'create', WEEKLY],
    ['the default at another interval', null, { text: null, intervalHours: 48 }, 'create', withIntervalHours(WEEKLY, 48)],
    ['the given one', null, { text: STORED, intervalHours: null }, 'create', STORED],
    ['the stored one, not the default', STORED, NOTHING, 'keep', STORED],
    ['the stored one at another interval', STORED, { text: null, intervalHours: 48 }, 'change', STORED.replace('12h', '48h')],
    ['the given one in the place of the stored', STORED, { text: WEEKLY, intervalHours: null }, 'change', WEEKLY],
    ['the given one at another interval', STORED, { text: WEEKLY, intervalHours: 48 }, 'change', withIntervalHours(WEEKLY, 48)],
    ['the same interval again', WEEKLY, { text: null, intervalHours: 168 }, 'keep', WEEKLY],
  ] as const)('%s', (...[, stored, given, action, text]) => {
    expect(planConfiguration(stored, given, AS_BEFORE)).toMatchObject({ action, text });
  });

  test('a stored one that cannot be used is kept, with a warning, but not edited', () => {
    const broken = STORED.replace('repeatInterval', 'repeatIntervall');
    expect(planConfiguration(broken, NOTHING, AS_BEFORE)).toMatchObject({
      action: 'keep',
      text: broken,
      warnings: [expect.stringContaining('did you mean repeatInterval?')],
    });
    expect(() => planConfiguration(broken, { text: null, intervalHours: 48 }, AS_BEFORE)).toThrow(/did you mean repeatInterval\?/);
  });

  test('tags that tell the version before tell the new one; all else stays, to the letter', () => {
    const own = `# ours\n${WEEKLY.replace('tag: 1.2.3\n', 'tag: 1.2.3 # the collector\n')}`;
    const custom = own.replace(/(scanner:\n +enabled: true\n +image:\n)/, '$1      repo: registry.example/scanner\n');
    const versions = { planned: imagesAt('1.3.0'), installed: imagesAt(VERSION), version: '1.3.0' };
    expect(planConfiguration(own, NOTHING, versions)).toMatchObject({ action: 'change', text: own.replaceAll('1.2.3', '1.3.0') });
    const { text } = planConfiguration(custom, NOTHING, versions);
    expect(diffConfigurations(custom, text).map(({ path }) => path)).toEqual([
      'components.collector.image.tag',
      'components.remover.image.tag',
    ]);
    const spelledOut = custom.replace('registry.example/scanner', 'registry.example/image-cleaner-scanner');
    expect(planConfiguration(spelledOut, NOTHING, versions).text).toBe(spelledOut.replaceAll('1.2.3', '1.3.0'));
    const elsewhere = own.replaceAll('tag: 1.2.3', 'tag: 1.0.0');
    expect(planConfiguration(elsewhere, NOTHING, versions)).toMatchObject({ action: 'keep', text: elsewhere });
  });

  test('a new one tells the version of the image, else that of the program', () => {
    const newer = { planned: imagesAt('1.4.0'), installed: null, version: VERSION };
    expect(planConfiguration(null, NOTHING, newer).text).toContain('tag: 1.4.0');
    expect(planConfiguration(null, NOTHING, { ...newer, planned: imagesAt('latest') }).text).toContain(`tag: ${VERSION}`);
  });

  test('a given one that cannot be used is refused', () => {
    expect(() => planConfiguration(STORED, { text: 'kind: Pod', intervalHours: null }, AS_BEFORE)).toThrow(/--config cannot be used/);
  });
});

test("a difference within the scanner's text is told by its key", () => {
  expect(diffConfigurations(WEEKLY, WEEKLY.replace('perImage: 1h', 'perImage: 2h'))).toEqual([
    { path: 'components.scanner.config.timeout.perImage', from: '1h', to: '2h' },
  ]);
});
