import { describe, expect, test } from 'vitest';
import { defaultConfiguration } from '../installation/default-configuration.ts';
import { diffConfigurations, planConfiguration } from './plan-configuration.ts';
import { withIntervalHours } from './edit-configuration.ts';

const VERSION = '1.2.3';
const WEEKLY = withIntervalHours(defaultConfiguration(VERSION), 168);
const STORED = '# ours\napiVersion: eraser.sh/v1alpha3\nkind: EraserConfig\nmanager:\n  scheduling:\n    repeatInterval: 12h\n';
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
    expect(planConfiguration(stored, given, VERSION)).toMatchObject({ action, text });
  });

  test('a stored one that cannot be used is kept, with a warning, but not edited', () => {
    const broken = STORED.replace('repeatInterval', 'repeatIntervall');
    expect(planConfiguration(broken, NOTHING, VERSION)).toMatchObject({
      action: 'keep',
      text: broken,
      warnings: [expect.stringContaining('did you mean repeatInterval?')],
    });
    expect(() => planConfiguration(broken, { text: null, intervalHours: 48 }, VERSION)).toThrow(/did you mean repeatInterval\?/);
  });

  test('a given one that cannot be used is refused', () => {
    expect(() => planConfiguration(STORED, { text: 'kind: Pod', intervalHours: null }, VERSION)).toThrow(/--config cannot be used/);
  });
});

test("a difference within the scanner's text is told by its key", () => {
  expect(diffConfigurations(WEEKLY, WEEKLY.replace('perImage: 1h', 'perImage: 2h'))).toEqual([
    { path: 'components.scanner.config.timeout.perImage', from: '1h', to: '2h' },
  ]);
});
