import { expect, test } from 'vitest';
import { chainIds } from './image-layers.ts';

test('chainIds', () => {
  expect(chainIds([])).toEqual([]);
  // printf '%s %s' sha256:aa sha256:bb | sha256sum, and so on
  expect(chainIds(['sha256:aa', 'sha256:bb', 'sha256:bb'])).toEqual([
    'sha256:aa',
    'sha256:b68ad689d6d1ec110ea1c13617437ad6f3766d4b3b309f6a603a222e07a0164f',
    'sha256:b7ea992e284e15fd497688b4e1957fae612dfc5b5aea0b19dd2a06d115b14b20',
  ]);
});
