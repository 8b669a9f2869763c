import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { V1ALPHA3 } from '../../../test/fakes/eraser-configs.ts';
import { parseDuration } from '../../platform/duration.ts';
import { parseQuantity } from '../../platform/quantity.ts';
import { parseEraserConfigMap } from './config-map.ts';
import type { TextParsers } from './config-values.ts';
import { parseEraserConfig } from './parse-eraser-config.ts';

const parsers: TextParsers = {
  duration: parseDuration,
  quantity: parseQuantity,
  yaml: (text) => (text === '{' ? { ok: false, message: 'not YAML' } : { ok: true, value: parse(text) as unknown }),
};
const holding = (text: unknown): object => ({
  metadata: { name: 'eraser-manager-config' },
  data: { 'controller_manager_config.yaml': text },
});

describe('parseEraserConfigMap', () => {
  test('reads what the text says', () => {
    const parsed = parseEraserConfigMap(holding(stringify(V1ALPHA3)), parsers);
    expect(parsed).toMatchObject({ ok: true });
    expect(parsed).toEqual(parseEraserConfig(V1ALPHA3, parsers));
  });

  const noText = [{ path: 'data', message: 'the ConfigMap has no text under the key controller_manager_config.yaml' }];
  test.each([
    ['without data', { metadata: { name: 'x' } }, noText],
    ['with other keys', { data: { config: '' } }, noText],
    ['with another type', holding({}), noText],
    ['that is empty', holding('# nothing\n'), [{ path: '', message: 'empty' }]],
    ['with a text that is no YAML', holding('{'), [{ path: '', message: 'not YAML' }]],
    [
      'with a bad value',
      holding(stringify({ ...V1ALPHA3, manager: { logLevel: 'loud' } })),
      [{ path: 'manager.logLevel', message: expect.stringContaining('"loud" is not one of') as unknown }],
    ],
  ])('a configmap %s is an error', (_what, map, errors) => {
    expect(parseEraserConfigMap(map, parsers)).toEqual({ ok: false, errors });
  });
});
