import type { Trouble } from './ride-out.ts';

const status = (code: number, reason: string, message: string): string =>
  JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, metadata: {}, details: {} });
const answer = (statusCode: number, body: string, headers: Readonly<Record<string, string>> = {}) =>
  ({ kind: 'answer', statusCode, body, headers }) as const;
const isOfLease = (path: string): boolean => path.includes('/leases');
const BUSY = 'Too many requests, please try again later.';

/** Each for a minute. The API server keeps leases apart from all other requests: they are mostly spared, at first. */
export const TROUBLES = {
  busy: [
    { name: '429', seconds: 25, begin: ({ http }) => http.fail(answer(429, BUSY), isOfLease) },
    { name: '429 with Retry-After', seconds: 15, begin: ({ http }) => http.fail(answer(429, BUSY, { 'retry-after': '2' }), isOfLease) },
    { name: '429 for all', seconds: 20, begin: ({ http }) => http.fail(answer(429, BUSY, { 'retry-after': '1' })) },
  ],
  broken: [
    {
      name: '500',
      seconds: 25,
      begin: ({ http }) => http.fail(answer(500, status(500, 'InternalError', 'etcdserver: no leader')), isOfLease),
    },
    {
      name: '410',
      seconds: 15,
      begin: ({ http }) => http.fail(answer(410, status(410, 'Expired', 'too old resource version')), isOfLease),
    },
    { name: '500 for all', seconds: 20, begin: ({ http }) => http.fail(answer(500, 'internal error')) },
  ],
  silent: [
    { name: 'silence', seconds: 35, begin: ({ http }) => http.fail({ kind: 'silence' }, isOfLease) },
    { name: 'silence for all', seconds: 25, begin: ({ http }) => http.fail({ kind: 'silence' }) },
  ],
  'out of reach': [{ name: 'no packets', seconds: 60, begin: ({ tcp }) => tcp.freeze() }],
} as const satisfies Record<string, readonly Trouble[]>;
