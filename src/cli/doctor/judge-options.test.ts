import { describe, expect, test } from 'vitest';
import { image } from '../../../test/fakes/images.ts';
import type { FilesystemUsage } from '../../api/inventory.ts';
import { DEFAULT_SCAN_POLICY } from '../../api/scan-policy.ts';
import { compileExclusions, type Exclusions } from '../../core/exclusions/exclusions.ts';
import { compileImageList } from '../../core/image-list.ts';
import type { Schedule } from '../../core/schedule.ts';
import type { AuditVerification } from '../../store/audit-chain.ts';
import { diskLimit } from '../option-values.ts';
import type { Attempt } from './attempt.ts';
import type { Finding } from './check.ts';
import { judgeAuditLog } from './judge-audit-log.ts';
import {
  judgeAges,
  judgeConfiguration,
  judgeDiskLimits,
  judgeExclusions,
  judgeIgnorefile,
  judgeImageList,
  judgeSchedule,
} from './judge-options.ts';

const GiB = 1024 ** 3;
const HOUR = 3_600_000;
const NOW = Date.parse('2026-11-21T12:00:00Z');
const done = <T>(value: T): Attempt<T> => ({ ok: true, value });
const failed = { ok: false, code: 'bad-usage', message: 'it is wrong', hint: 'Right it.' } as const;
const images = [image(1), image(2)];

type Case = readonly [finding: Finding, status: Finding['status'], found: RegExp];
const expectFinding = ([{ status, found, advice }, expected, pattern]: Case): void => {
  expect({ status, found }).toEqual({ status: expected, found: expect.stringMatching(pattern) as string });
  // What is not well says what to do.
  if (status === 'warning' || status === 'problem') expect(advice).toMatch(/\.$/);
};

test.each<Case>([
  [judgeConfiguration('e.yaml', done([])), 'ok', /e\.yaml can be used/],
  [judgeConfiguration('e.yaml', done(['a: no effect', 'b: none'])), 'warning', /a: no effect; b: none/],
  [judgeConfiguration('e.yaml', failed), 'problem', /it is wrong/],
])('configuration: %j is %s', (...check) => expectFinding(check));

const exclusions = (...entries: string[]): Attempt<Exclusions> => {
  const compiled = compileExclusions([{ name: 'list', entries }]);
  if (!compiled.ok) throw new Error(entries.join());
  return done(compiled.exclusions);
};
test.each<Case>([
  [judgeExclusions(exclusions('image-1:1'), ['image-1:1'], images), 'ok', /keep 1 of 2 images/],
  // A file is for many machines.
  [judgeExclusions(exclusions('nothing:1'), [], images), 'ok', /keep 0 of 2/],
  [judgeExclusions(exclusions('nothing:1', 'image-1'), ['nothing:1', 'image-1'], images), 'warning', /none matches --exclude nothing:1$/],
  [judgeExclusions(exclusions('nothing:1'), ['nothing:1'], null), 'ok', /container runtime/],
  [judgeExclusions(failed, [], images), 'problem', /it is wrong/],
])('exclusions: %j is %s', (...check) => expectFinding(check));

const list = (...entries: string[]): Finding => {
  const compiled = compileImageList(entries);
  if (!compiled.ok) throw new Error(entries.join());
  return judgeImageList(done(compiled.list), images);
};
test.each<Case>([
  [list('image-1:1'), 'ok', /names 1 image/],
  [list('image-1:1', 'nothing:1'), 'warning', /names 1 image .* not there: nothing:1/],
  [judgeImageList(failed, images), 'problem', /it is wrong/],
  [judgeImageList(done(null), null), 'ok', /container runtime/],
])('image-list: %j is %s', (...check) => expectFinding(check));

const ignoring = (...expiries: (string | null)[]): Finding => {
  const ignoredVulnerabilities = expiries.map((expiresAt, at) => ({ id: `CVE-${String(at)}`, statement: '', expiresAt }));
  return judgeIgnorefile(done({ ...DEFAULT_SCAN_POLICY, ignoredVulnerabilities }), NOW);
};
test.each<Case>([
  [ignoring(null, '2027-01-31'), 'ok', /leaves out 2 vulnerabilities/],
  [ignoring(null, '2026-01-31'), 'warning', /no longer CVE-1/],
  [judgeIgnorefile(failed, NOW), 'problem', /it is wrong/],
])('ignorefile: %j is %s', (...check) => expectFinding(check));

const scheduled = (schedule: Schedule | null, lastRunStartedAt: number | null = null): Finding =>
  judgeSchedule(done(schedule), { lastRunStartedAt, now: NOW });
test.each<Case>([
  [scheduled({ kind: 'interval', intervalMs: HOUR, beginImmediately: true }), 'ok', /due at once/],
  [scheduled({ kind: 'interval', intervalMs: HOUR, beginImmediately: true }, NOW - HOUR / 2), 'ok', /due at 2026-11-21T12:30:00Z/],
  [scheduled({ kind: 'cron', expression: '0 3 * * *', timeZone: 'UTC' }), 'ok', /due at 2026-11-22T03:00:00Z/],
  [judgeSchedule(failed, { lastRunStartedAt: null, now: NOW }), 'problem', /it is wrong/],
])('schedule: %j is %s', (...check) => expectFinding(check));

describe('disk-limits', () => {
  const filesystem: FilesystemUsage = { mountpoint: '/var/lib', capacityBytes: 100 * GiB, availableBytes: 50 * GiB, usedBytes: 45 * GiB };
  const limits = (high: string, low = high): Finding =>
    judgeDiskLimits({ diskHigh: diskLimit(high), diskLow: diskLimit(low) }, done(filesystem));
  test.each<Case>([
    [limits('80%', '70%'), 'ok', /Above 80\.0 GiB in use on \/var\/lib images go, down to 70\.0 GiB; now 50\.0 GiB are in use$/],
    [limits('40Gi', '30%'), 'ok', /down to 30\.0 GiB; now 50\.0 GiB are in use: the next run would free 20\.0 GiB/],
    [limits('200Gi'), 'warning', /--disk-high 200Gi is not less than all of \/var\/lib \(100\.0 GiB\): nothing ever goes/],
    [limits('40Gi', '60%'), 'warning', /--disk-low 60% is 60\.0 GiB here, above the high limit/],
    [judgeDiskLimits({ diskHigh: diskLimit('80%') }, done(null)), 'problem', /refused/],
    [judgeDiskLimits({ diskHigh: diskLimit('80%') }, failed), 'skipped', /runtime/],
    [judgeDiskLimits({ diskHigh: diskLimit('80%') }, null), 'skipped', /runtime/],
  ])('%j is %s', (...check) => expectFinding(check));
});

const known = (...firstSeenAt: number[]): Finding =>
  judgeAges(new Map(firstSeenAt.map((at, number) => [image(number).id, { firstSeenAt: at, lastInUseAt: null }])), { images, now: NOW });
test.each<Case>([
  [known(NOW - 30 * HOUR, NOW - HOUR), 'ok', /knows 2 of 2 images, the first of them for 1d6h$/],
  [known(), 'ok', /knows 0 of 2 images: all ages begin with the next run/],
  [judgeAges(null, { images, now: NOW }), 'skipped', /history/],
])('ages: %j is %s', (...check) => expectFinding(check));

describe('audit-log', () => {
  const whole: AuditVerification = { ok: true, lines: 7, follows: null, lastHash: 'a', isTorn: false };
  const judged = (verification: AuditVerification | 'timed-out' | null, availableBytes = GiB): Finding =>
    judgeAuditLog('/a.jsonl', done({ verification, availableBytes }));
  test.each<Case>([
    [judged(whole), 'ok', /\/a\.jsonl can be written to: 7 lines, each following/],
    [judged({ ...whole, isTorn: true }), 'ok', /closes it off/],
    [judged(null), 'ok', /None yet/],
    [judged({ ok: false, line: 3, why: 'it does not follow' }), 'problem', /line 3: it does not follow/],
    [judged(whole, 1000), 'warning', /1000 B left/],
    [judged('timed-out'), 'skipped', /too large/],
    [judgeAuditLog('/a.jsonl', failed), 'problem', /cannot be used: it is wrong/],
  ])('%j is %s', (...check) => expectFinding(check));
});
