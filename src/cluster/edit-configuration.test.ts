import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { defaultConfiguration } from '../installation/default-configuration.ts';
import { editConfiguration, readInConfiguration, withIntervalHours } from './edit-configuration.ts';

const TEXT = `# ours
manager:
  # by night
  scheduling:
    repeatInterval: 24h # daily
    cron: "0 3 * * *"
  imageJob:
components:
  scanner:
    config: |
      # for our scanner
      vulnerabilities:
        severities: [CRITICAL, HIGH]
`;

describe('an edit', () => {
  test('changes the value and nothing else', () => {
    const edited = editConfiguration(TEXT, [{ path: ['manager', 'scheduling', 'repeatInterval'], value: '48h' }]);
    expect(edited.split('\n').filter((line, at) => line !== TEXT.split('\n')[at])).toEqual(['    repeatInterval: 48h # daily']);
  });

  test('goes into a section without a value, and one that is not there', () => {
    const edits = [
      { path: ['manager', 'imageJob', 'successRatio'], value: 0.5 },
      { path: ['manager', 'nodeFilter', 'selectors'], value: ['a'] },
    ];
    expect(parse(editConfiguration(TEXT, edits))).toMatchObject({
      manager: { imageJob: { successRatio: 0.5 }, nodeFilter: { selectors: ['a'] } },
    });
  });

  test("goes into the scanner's text, which keeps its comments", () => {
    const path = ['components', 'scanner', 'config', 'vulnerabilities', 'severities'];
    const edited = editConfiguration(TEXT, [{ path, value: ['LOW'] }]);
    expect(readInConfiguration(edited, path)).toEqual(['LOW']);
    expect(edited).toContain('config: |\n      # for our scanner\n');
  });

  test('takes a key out', () => {
    expect(parse(editConfiguration(TEXT, [{ path: ['manager', 'scheduling', 'cron'], value: undefined }]))).toMatchObject({
      manager: { scheduling: { repeatInterval: '24h' } },
    });
  });

  test('to an interval takes the cron expression out', () => {
    expect(withIntervalHours(TEXT, 48)).toBe(TEXT.replace('24h', '48h').replace('    cron: "0 3 * * *"\n', ''));
  });

  test('of the default configuration leaves its text as it is, but for the interval', () => {
    const text = defaultConfiguration('1.2.3');
    expect(withIntervalHours(text, 168)).toBe(text.replace('repeatInterval: 24h', 'repeatInterval: 168h'));
  });
});
