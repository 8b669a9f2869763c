import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { fieldRows } from '../../scripts/reference/field-rows.ts';
import { parseEraserConfig } from '../../src/api/eraser-config/parse-eraser-config.ts';
import { parseYaml } from '../../src/platform/parse-yaml.ts';
import { parseDuration } from '../../src/platform/duration.ts';
import { parseQuantity } from '../../src/platform/quantity.ts';

const PARSERS = { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml };
const HEADER = { apiVersion: 'eraser.sh/v1alpha3', kind: 'EraserConfig' };
const PAGE = readFileSync(new URL('../../docs/reference/eraserconfig.md', import.meta.url), 'utf8');

/** What one would write who copied every default of a table into a file. */
function defaultsOf(heading: string): { readonly count: number; readonly values: Record<string, unknown> } {
  const table = PAGE.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const values: Record<string, unknown> = {};
  const rows = [...table.matchAll(/^\| `([\w.]+)` \| .+? \| `(.+?)` \| /gm)];
  for (const [, path = '', text = ''] of rows) {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    const parent = keys.reduce((above, key) => (above[key] ??= {}) as Record<string, unknown>, values);
    parent[last] = parse(text);
  }
  return { count: rows.length, values };
}

describe('the reference page of EraserConfig', () => {
  const fields = defaultsOf('Fields of eraser.sh/v1alpha3');
  const scanner = defaultsOf('Fields of components.scanner.config');

  test('its defaults are those that hold', () => {
    expect(fields.count).toBeGreaterThan(30);
    expect(parseEraserConfig({ ...HEADER, ...fields.values }, PARSERS)).toEqual(parseEraserConfig(HEADER, PARSERS));
  });

  test("the scanner's defaults are those that hold", () => {
    expect(scanner.count).toBe(11);
    const config = { ...HEADER, components: { scanner: { config: stringify(scanner.values) } } };
    expect(parseEraserConfig(config, PARSERS)).toEqual(parseEraserConfig(HEADER, PARSERS));
  });
});

test('a field without a description has no place on a page', () => {
  const schema = { properties: { a: { type: 'object', description: 'A.', properties: { b: { type: 'string' } } } } };
  expect(() => fieldRows(schema)).toThrow('a.b has no description');
});
