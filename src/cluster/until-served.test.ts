import { expect, test } from 'vitest';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { ClusterSite } from './cluster-site.ts';
import { untilServed } from './until-served.ts';

const NAME = 'imagelists.eraser.sh';

/** Of an API server that has the definition with these states, one after the other. */
function siteWith(states: readonly unknown[]): ClusterSite {
  let looks = 0;
  const get = (): Promise<KubeObject> =>
    Promise.resolve({ metadata: { name: NAME }, status: states[Math.min(looks++, states.length - 1)] });
  return {
    client: { get } as unknown as ClusterSite['client'],
    namespace: 'eraser-system',
    call: { signal: new AbortController().signal },
  };
}

const established = { conditions: [{ type: 'Established', status: 'True' }] };

test.each([
  ['no status', [undefined, established]],
  ['a status of null', [null, established]],
  ['conditions of null, as for a moment after it was made', [{ conditions: null }, established]],
  ['conditions of which none is True yet', [{ conditions: [{ type: 'Established', status: 'False' }] }, established]],
])('a definition with %s is looked at again until it is served', async (_case, states) => {
  await expect(untilServed(siteWith(states), [NAME], SYSTEM_TIMING)).resolves.toBeUndefined();
});

test('one whose names are refused is told, with why', async () => {
  const message = 'plural names conflict';
  const refused = siteWith([{ conditions: [{ type: 'NamesAccepted', status: 'False', message }] }]);
  await expect(untilServed(refused, [NAME], SYSTEM_TIMING)).rejects.toThrow(`does not serve it: ${message}`);
});
