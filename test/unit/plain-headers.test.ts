import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Headers as PlainHeaders } from '../../scripts/plain-headers.ts';

/** The stand-in of the bundle against the web's own, in everything that it has. */
describe('the plain headers of the bundle', () => {
  const name = fc.constantFrom('content-type', 'Content-Type', 'grpc-status', 'Grpc-Message', 'te');
  const value = fc.constantFrom('0', 'application/grpc+proto', 'not found', 'a, b');
  const step = fc.record({ action: fc.constantFrom('append', 'set', 'delete', 'copy'), name, value });

  test('do as the web headers do', () => {
    fc.assert(
      fc.property(fc.dictionary(name, value), fc.array(step), (init, steps) => {
        let web = new Headers(init);
        let plain = new PlainHeaders(init);
        for (const { action, name: at, value: text } of steps) {
          if (action === 'append') [web, plain].forEach((headers) => headers.append(at, text));
          else if (action === 'set') [web, plain].forEach((headers) => headers.set(at, text));
          else if (action === 'delete') [web, plain].forEach((headers) => headers.delete(at));
          else [web, plain] = [new Headers(web), new PlainHeaders(plain)];
          expect(plain.get(at)).toBe(web.get(at));
          expect(plain.has(at)).toBe(web.has(at));
        }
        const visited: [string, string][] = [];
        plain.forEach((text, at) => visited.push([at, text]));
        for (const entries of [visited, [...plain], [...plain.entries()]]) expect(entries.sort()).toEqual([...web]);
        expect([...plain.keys()].sort()).toEqual([...web.keys()]);
        expect([...plain.values()].sort()).toEqual([...web.values()].sort());
      }),
    );
  });

  test('can be made of pairs', () => {
    const pairs: [string, string][] = [
      ['a', '1'],
      ['A', '2'],
    ];
    expect([...new PlainHeaders(pairs)]).toEqual([...new Headers(pairs)]);
  });
});
