import { describe, expect, test } from 'vitest';
import { CONFIG_MAPS, describeIntent, type Intent, LEASES, NODES, pathOf } from './resource.ts';

const CASES: readonly (readonly [Intent, string, string])[] = [
  [{ verb: 'list', resource: CONFIG_MAPS }, '/api/v1/configmaps', 'list configmaps'],
  [{ verb: 'list', resource: CONFIG_MAPS, namespace: 'shop' }, '/api/v1/namespaces/shop/configmaps', 'list configmaps in namespace shop'],
  [{ verb: 'get', resource: NODES, name: 'n1' }, '/api/v1/nodes/n1', 'get nodes n1'],
  [
    { verb: 'update', resource: LEASES, namespace: 'a', name: 'b' },
    '/apis/coordination.k8s.io/v1/namespaces/a/leases/b',
    'update leases a/b',
  ],
  [{ verb: 'patch', resource: NODES, name: 'n1', subresource: 'status' }, '/api/v1/nodes/n1/status', 'patch nodes/status n1'],
  [{ verb: 'get', resource: NODES, name: '../../secrets?x=1' }, '/api/v1/nodes/..%2F..%2Fsecrets%3Fx%3D1', 'get nodes ../../secrets?x=1'],
];

describe('a request', () => {
  test.each(CASES)('%j', (intent, path, words) => {
    expect(pathOf(intent)).toBe(path);
    expect(describeIntent(intent)).toBe(words);
  });

  test('for a namespaced object needs its namespace', () => {
    expect(() => pathOf({ verb: 'get', resource: CONFIG_MAPS, name: 'x' })).toThrow('no namespace');
    expect(() => pathOf({ verb: 'create', resource: CONFIG_MAPS })).toThrow('no namespace');
  });
});
