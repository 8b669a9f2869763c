import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { defaultConfiguration } from '../installation/default-configuration.ts';
import { assignKeys, parseConfigurationKey, readKey } from './configuration-keys.ts';

const TEXT = defaultConfiguration('1.2.3');

test.each([
  ['manager.logLevel', ['manager', 'logLevel']],
  ['manager.additionalPodLabels."example.com/team"', ['manager', 'additionalPodLabels', 'example.com/team']],
])('the key %s', (text, path) => {
  expect(parseConfigurationKey(text)).toEqual(path);
});

test.each(['', '.', '.manager', 'manager.', 'manager..logLevel', 'a"b'])('%j is no key', (text) => {
  expect(() => parseConfigurationKey(text)).toThrow(/is no key/);
});

describe('reading', () => {
  test.each([
    ['manager.scheduling.repeatInterval', '24h'],
    ['components.scanner.config.timeout.total', '23h'],
    ['manager.scheduling.cron', undefined],
    ['components.scanner.config.dbRepo', undefined],
  ])('%s', (key, value) => {
    expect(readKey(TEXT, parseConfigurationKey(key))).toBe(value);
  });

  test.each([
    ['manager.schedulin.cron', /manager\.schedulin: unknown; did you mean scheduling\?/],
    ['manager.scheduling.cro', /did you mean cron\?/],
    ['components.scanner.config.dbRep', /did you mean dbRepo\?/],
    ['manager.logLevel.deep', /no mapping/],
  ])('%s is refused', (key, message) => {
    expect(() => readKey(TEXT, parseConfigurationKey(key))).toThrow(message);
  });
});

describe('assignments', () => {
  test.each([
    ['manager.scheduling.repeatInterval=48h', { manager: { scheduling: { repeatInterval: '48h' } } }],
    ['manager.imageJob.successRatio=0.5', { manager: { imageJob: { successRatio: 0.5 } } }],
    ['components.remover.image.tag=1.0', { components: { remover: { image: { tag: '1.0' } } } }],
    ['manager.nodeFilter.selectors=[a=b, c]', { manager: { nodeFilter: { selectors: ['a=b', 'c'] } } }],
    ['manager.scheduling.cron=0 3 * * *', { manager: { scheduling: { cron: '0 3 * * *' } } }],
    ['manager.additionalPodLabels."example.com/team"=shop', { manager: { additionalPodLabels: { 'example.com/team': 'shop' } } }],
  ])('%s', (assignment, expected) => {
    expect(parse(assignKeys(TEXT, [assignment]))).toMatchObject(expected);
  });

  test('without a value take the key out', () => {
    expect(parse(assignKeys(TEXT, ['manager.scheduling.repeatInterval=']))).toMatchObject({
      manager: { scheduling: { beginImmediately: true } },
    });
    expect(assignKeys(TEXT, ['manager.scheduling.repeatInterval='])).not.toContain('repeatInterval');
  });

  test.each([
    [['manager.scheduling.repeatInterval=7'], /manager\.scheduling\.repeatInterval: 7 is not a duration/],
    [['manager.scheduling.cron=every night'], /manager\.scheduling\.cron/],
    [['manager.logLevel=info', 'manager.logLevl=x'], /did you mean logLevel\?/],
    [['manager.logLevl='], /did you mean logLevel\?/],
    [['kind=Pod'], /kind/],
    [['manager.logLevel'], /is not KEY=VALUE/],
    [['manager.nodeFilter.selectors=[a'], /manager\.nodeFilter\.selectors/],
  ])('%j are refused', (assignments, message) => {
    expect(() => assignKeys(TEXT, assignments)).toThrow(message);
  });

  test('of a stored text that cannot be used are refused, with its faults', () => {
    expect(() => assignKeys('apiVersion: eraser.sh/v9\nkind: EraserConfig\n', ['manager.logLevel=info'])).toThrow(
      /stored.*\n.*eraser\.sh\/v9/,
    );
  });
});
