import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { success, type CallHandler } from './call-answer.ts';
import { ScanProxy } from './scan-proxy.ts';

let proxy: ScanProxy;
let asked: string[];
const handler: CallHandler = {
  answer: (path: string, body: Uint8Array) => {
    asked.push(`${path} ${Buffer.from(body).toString()}`);
    return Promise.resolve(success(Buffer.from('verdict')));
  },
};

beforeEach(async () => {
  asked = [];
  proxy = await ScanProxy.start(100);
});
afterEach(() => {
  proxy.close();
});

const post = (url: string, { token = proxy.token, body = 'x' } = {}): Promise<Response> =>
  fetch(url, { method: 'POST', body, headers: { 'trivy-token': token } });

describe('ScanProxy', () => {
  it('gives each scan its own address, and answers with or without a doubled slash', async () => {
    const first = proxy.open(handler);
    const second = proxy.open({ answer: () => Promise.reject(new Error('another scan')) });
    expect(second.url).not.toBe(first.url);
    for (const path of ['twirp/a', '/twirp/a']) expect(await (await post(`${first.url}${path}`)).text()).toBe('verdict');
    expect(asked).toEqual(['twirp/a x', 'twirp/a x']);
  });

  it.each(['', 'another', 'x'.repeat(43)])('does not hear who lacks its token: %j', async (token) => {
    const response = await post(`${proxy.open(handler).url}twirp/a`, { token });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: 'unauthenticated' });
    expect(asked).toEqual([]);
  });

  it('knows no scan that is over', async () => {
    const place = proxy.open(handler);
    place.close();
    expect((await post(`${place.url}twirp/a`)).status).toBe(404);
  });

  it('refuses what is too large', async () => {
    expect((await post(`${proxy.open(handler).url}twirp/a`, { body: 'x'.repeat(101) })).status).toBe(413);
    expect(asked).toEqual([]);
  });

  it('listens on this machine alone', () => {
    expect(new URL(proxy.open(handler).url).hostname).toBe('127.0.0.1');
  });
});
