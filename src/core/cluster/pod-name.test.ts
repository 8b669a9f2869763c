import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { podName } from './pod-name.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const UID = '5a9c1c0e-8d57-4b6e-8f7a-0d3b7d8f1c22';
const nameOf = (node: string, jobUid = UID): string => podName({ jobUid, node }, sha256);

describe('podName', () => {
  test.each([
    ['aks-nodepool1-12345678-vmss000000', /^eraser-aks-nodepool1-12345678-vmss000000-[0-9a-f]{10}$/],
    ['ip-10-0-0-1.eu-central-1.compute.internal', /^eraser-ip-10-0-0-1-eu-central-1-compute-internal-[0-9a-f]{10}$/],
    ['a'.repeat(253), /^eraser-a{45}-[0-9a-f]{10}$/],
    [`${'a'.repeat(44)}-b`, /^eraser-a{44}-[0-9a-f]{10}$/],
    [`${'a'.repeat(43)}.-b`, /^eraser-a{43}-[0-9a-f]{10}$/],
    ['a--b', /^eraser-a--b-[0-9a-f]{10}$/],
  ])('of %s', (node, pattern) => {
    expect(nameOf(node)).toMatch(pattern);
  });

  test('is always the same', () => {
    expect(nameOf('node-1')).toBe('eraser-node-1-5adc0a53d7');
  });

  test.each([
    ['a.b', 'a-b'],
    [`${'a'.repeat(60)}1`, `${'a'.repeat(60)}2`],
  ])('is another one for %s and %s', (a, b) => {
    expect(nameOf(a)).not.toBe(nameOf(b));
  });
});

const node = fc.oneof(fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,80}[a-z0-9])?$/), fc.string({ maxLength: 100 }));

test('is a DNS label, and distinct for distinct jobs and nodes', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(fc.uuid(), node), { selector: (pair) => pair.join('\n'), maxLength: 20 }), (pairs) => {
      const names = pairs.map(([jobUid, name]) => nameOf(name, jobUid));
      for (const name of names) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
      expect(new Set(names).size).toBe(names.length);
    }),
  );
});
