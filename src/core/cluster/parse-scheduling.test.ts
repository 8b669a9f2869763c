import { describe, expect, test } from 'vitest';
import { eraserConfig } from '../../../test/fakes/cluster.ts';
import { parseScheduling } from './parse-scheduling.ts';

const ON = { collector: { enabled: true } };
const parse = (scheduling: object, components: object = ON): ReturnType<typeof parseScheduling> =>
  parseScheduling(eraserConfig({ scheduling }, components));

describe('parseScheduling', () => {
  test.each<[string, object, object]>([
    ['the interval, by default', {}, { schedule: { kind: 'interval', intervalMs: 86_400_000, beginImmediately: true }, window: null }],
    ['no interval below a second', { repeatInterval: '1ms' }, { schedule: { kind: 'interval', intervalMs: 1_000 } }],
    [
      'a cron expression rather than an interval, in its time zone',
      { repeatInterval: '2h', cron: '0  3 * * 0', timeZone: 'Europe/Berlin' },
      { schedule: { kind: 'cron', expression: '0 3 * * 0', timeZone: 'Europe/Berlin' } },
    ],
    [
      'a maintenance window',
      { maintenanceWindow: { opens: '0 1 * * 6', length: '4h' } },
      { window: { opens: { kind: 'cron', expression: '0 1 * * 6', timeZone: 'UTC' }, lengthMs: 4 * 3_600_000 } },
    ],
  ])('reads %s', (_case, scheduling, expected) => {
    expect(parse(scheduling)).toMatchObject({ ok: true, value: expected });
  });

  test('without the collector there are no automatic runs, by cron neither', () => {
    expect(parse({ cron: '0 3 * * 0' }, {})).toMatchObject({ ok: true, value: { schedule: null } });
  });

  test.each([
    ['cron', { cron: '99 3 * * 0' }, /"99 3 \* \* 0"/],
    ['cron', { cron: '@daily' }, /five fields/],
    ['cron', { cron: '0 3 31 2 *' }, /never/],
    ['cron', { cron: '0 3 * * 0', timeZone: 'Mars/Base' }, /Mars\/Base/],
    ['maintenanceWindow.opens', { maintenanceWindow: { opens: 'nights', length: '4h' } }, /five fields/],
  ])('refuses, naming manager.scheduling.%s: %j', (key, scheduling, message) => {
    const parsed = parse(scheduling, {});
    expect(parsed).toMatchObject({
      ok: false,
      errors: [{ path: `manager.scheduling.${key}`, message: expect.stringMatching(message) as string }],
    });
  });
});
