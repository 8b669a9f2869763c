import { describe, expect, test } from 'vitest';
import { startFakeCluster } from '../../test/fakes/fake-cluster.ts';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { createTokenReview } from './create-token-review.ts';
import { TokenReviewer } from './token-reviewer.ts';

const { signal } = new AbortController();
const AUDIENCES = ['coordinator'];
const USER = { username: 'system:serviceaccount:a:b', uid: 'u', groups: ['g'], extra: { 'authentication.kubernetes.io/pod-name': ['p'] } };
const GOOD = { authenticated: true, audiences: AUDIENCES, user: USER };

describe('createTokenReview', () => {
  test.each([
    ['a good token', GOOD, { outcome: 'authenticated', ...USER, audiences: AUDIENCES }],
    ['a bad token', { authenticated: false, error: 'expired' }, { outcome: 'rejected', reason: 'expired' }],
    ['no reason', {}, { outcome: 'rejected', reason: 'the token is not valid' }],
    ['another audience', { ...GOOD, audiences: ['api'] }, { outcome: 'rejected', reason: 'the token is not meant for coordinator' }],
    ['no audience', { authenticated: true, user: USER }, { outcome: 'rejected', reason: 'the token is not meant for coordinator' }],
  ])('%s', async (_, status, expected) => {
    const { server, client } = await startFakeCluster();
    server.reviews.set('token', status);
    expect(await createTokenReview(client, { token: 'token', audiences: AUDIENCES }, { signal })).toEqual(expected);
  });
});

describe('TokenReviewer', () => {
  test('remembers an answer for ten seconds, and shares one that is under way', async () => {
    const { server, client } = await startFakeCluster();
    server.reviews.set('token', GOOD);
    const timing = new FakeTiming();
    const reviewer = new TokenReviewer({ client, audiences: AUDIENCES, timing });
    const answers = await Promise.all([reviewer.review('token', signal), reviewer.review('token', signal)]);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['authenticated', 'authenticated']);
    timing.jump(9_000);
    await reviewer.review('token', signal);
    expect(server.requests).toHaveLength(1);
    server.reviews.delete('token');
    timing.jump(1_001);
    expect((await reviewer.review('token', signal)).outcome).toBe('rejected');
    expect(server.requests).toHaveLength(2);
  });

  test('tells tokens apart, and remembers no failure', async () => {
    const { server, client } = await startFakeCluster();
    server.reviews.set('token', GOOD);
    const reviewer = new TokenReviewer({ client, audiences: AUDIENCES, timing: new FakeTiming() });
    expect((await reviewer.review('other', signal)).outcome).toBe('rejected');
    server.failNext({ kind: 'answer', statusCode: 403 });
    await expect(reviewer.review('token', signal)).rejects.toMatchObject({ code: 'forbidden' });
    expect((await reviewer.review('token', signal)).outcome).toBe('authenticated');
  });

  test('who waits no longer does not take the answer from others', async () => {
    const { server, client } = await startFakeCluster();
    server.reviews.set('token', GOOD);
    server.failNext({ kind: 'slow', ms: 50 });
    const reviewer = new TokenReviewer({ client, audiences: AUDIENCES, timing: new FakeTiming() });
    const stop = new AbortController();
    const first = expect(reviewer.review('token', stop.signal)).rejects.toThrow('enough');
    const second = reviewer.review('token', signal);
    stop.abort(new Error('enough'));
    await first;
    expect((await second).outcome).toBe('authenticated');
  });

  test('does not grow without end', async () => {
    const asked: string[] = [];
    const client = {
      server: '',
      review: (_: unknown, { spec }: { spec?: { token: string } }) => {
        asked.push(spec?.token ?? '');
        return Promise.resolve({ status: GOOD });
      },
    };
    const reviewer = new TokenReviewer({ client, audiences: AUDIENCES, timing: new FakeTiming() });
    for (let at = 0; at < 2_500; at++) await reviewer.review(`token-${at}`, signal);
    asked.length = 0;
    await reviewer.review('token-2499', signal);
    await reviewer.review('token-0', signal);
    expect(asked).toEqual(['token-0']);
  });
});
