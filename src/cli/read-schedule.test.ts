import { describe, expect, test } from 'vitest';
import { eraserConfig as eraserConfigOf } from '../../test/fakes/cluster.ts';
import { V1ALPHA3 } from '../../test/fakes/eraser-configs.ts';
import { parseEraserConfig } from '../api/eraser-config/parse-eraser-config.ts';
import { parseDuration } from '../platform/duration.ts';
import { parseQuantity } from '../platform/quantity.ts';
import { parseYaml } from '../platform/parse-yaml.ts';
import { readSchedule } from './read-schedule.ts';

const YES = { yes: true, dryRun: false };

describe('readSchedule', () => {
  test.each([
    ['24h', {}, { kind: 'interval', intervalMs: 86_400_000, beginImmediately: true }],
    ['1w', { beginImmediately: false }, { kind: 'interval', intervalMs: 604_800_000, beginImmediately: false }],
    ['0 3 * * 0', {}, { kind: 'cron', expression: '0 3 * * 0', timeZone: null }],
    ['0 3 * * 0', { timeZone: 'Europe/Berlin' }, { kind: 'cron', expression: '0 3 * * 0', timeZone: 'Europe/Berlin' }],
    ['0 3 * * 0', { beginImmediately: false }, { kind: 'cron', expression: '0 3 * * 0', timeZone: null }],
  ])('--schedule %j %j', (schedule, others, expected) => {
    expect(readSchedule({ ...YES, schedule, ...others })).toEqual(expected);
  });

  test('--schedule alone is as the configuration says, and nothing without one', () => {
    const parsed = parseEraserConfig(V1ALPHA3, { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
    const { config: eraserConfig } = parsed;
    const { repeatInterval: intervalMs, beginImmediately } = eraserConfig.manager.scheduling;
    expect(readSchedule({ ...YES, schedule: true, eraserConfig })).toEqual({ kind: 'interval', intervalMs, beginImmediately });
    expect(readSchedule({ ...YES, schedule: true, eraserConfig, beginImmediately: !beginImmediately })).toMatchObject({
      beginImmediately: !beginImmediately,
    });
    expect(() => readSchedule({ ...YES, schedule: true })).toThrow('needs an interval');
  });

  test('--schedule alone takes a cron expression of the configuration, whose time zone the command line may replace', () => {
    const scheduling = { repeatInterval: '24h', cron: '0 3 * * 0', timeZone: 'Asia/Tokyo' };
    const eraserConfig = eraserConfigOf({ scheduling }, { collector: { enabled: true } });
    const cron = { kind: 'cron', expression: '0 3 * * 0' };
    expect(readSchedule({ ...YES, schedule: true, eraserConfig })).toEqual({ ...cron, timeZone: 'Asia/Tokyo' });
    expect(readSchedule({ ...YES, schedule: true, eraserConfig, timeZone: 'UTC' })).toEqual({ ...cron, timeZone: 'UTC' });
  });

  test('without --schedule there is none', () => {
    expect(readSchedule(YES)).toBeNull();
  });

  test.each([
    ['--yes', { ...YES, schedule: '24h', yes: false }],
    ['--dry-run', { ...YES, schedule: '24h', dryRun: true }],
    ['--schedule', { ...YES, timeZone: 'UTC' }],
    ['--begin-immediately needs --schedule', { ...YES, beginImmediately: true }],
    ['--no-begin-immediately needs --schedule', { ...YES, beginImmediately: false }],
    ['interval', { ...YES, schedule: '24h', timeZone: 'UTC' }],
    ['cron expression says when', { ...YES, schedule: '0 3 * * *', beginImmediately: true }],
    ['one second', { ...YES, schedule: '10ms' }],
    ['one second', { ...YES, schedule: '0' }],
    ['five fields', { ...YES, schedule: '24 hours' }],
    ['five fields', { ...YES, schedule: '' }],
    ['Mars/Base', { ...YES, schedule: '0 3 * * *', timeZone: 'Mars/Base' }],
  ])('refuses, naming %s: %j', (named, options) => {
    expect(() => readSchedule(options)).toThrow(named);
  });
});
