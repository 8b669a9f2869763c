import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bundleOf, markPublished, parseAuthorities, planAuthorities, type Authorities, type Authority } from './authorities.ts';
import { makeAuthority, makeServerIdentity } from './make-authority.ts';

const TIMES = { rotateAfterMs: 1_000, publishMs: 100, dropAfterMs: 200 };

function authority(name: string, issuedAt: number): Authority {
  return { certificate: `${name}\n`, key: `key of ${name}`, issuedAt, expiresAt: issuedAt + 2_000 };
}

function plan(known: Authorities | null, now: number, name = 'unexpected'): Authorities {
  return planAuthorities(known, now, { ...TIMES, make: () => authority(name, now) });
}

describe('planAuthorities', () => {
  test('publishes the new one, waits, switches, waits, drops the old one', () => {
    const first = plan(null, 0, 'a');
    expect(first).toEqual({ signing: authority('a', 0), next: null, retired: [] });
    expect(plan(first, 999)).toBe(first);

    const made = plan(first, 1_000, 'b');
    expect(made.signing.certificate).toBe('a\n');
    expect(bundleOf(made)).toBe('a\nb\n');

    // The wait begins when workers can read it, however long that takes.
    expect(plan(made, 1_900)).toBe(made);
    const published = markPublished(made, 1_500);
    expect(markPublished(published, 1_550)).toBe(published);
    expect(plan(published, 1_599)).toBe(published);

    const switched = plan(published, 1_600);
    expect(switched.signing.certificate).toBe('b\n');
    expect(bundleOf(switched)).toBe('b\na\n');
    expect(JSON.stringify(switched)).not.toContain('key of a');
    expect(plan(switched, 1_799)).toBe(switched);

    expect(bundleOf(plan(switched, 1_800))).toBe('b\n');
  });

  test('one that has expired waits for nothing', () => {
    const first = plan(null, 0, 'a');
    expect(bundleOf(plan(first, 2_000, 'b'))).toBe('b\n');
    const made = plan(first, 1_000, 'b');
    expect(bundleOf(plan(made, 2_000))).toBe('b\n');
  });

  test('is read back as it was written, and nothing else is taken for it', () => {
    const kept = markPublished(plan(plan(null, 0, 'a'), 1_000, 'b'), 1_010);
    expect(parseAuthorities(JSON.parse(JSON.stringify(kept)))).toEqual({ ok: true, value: kept });
    expect(parseAuthorities({ ...kept, signing: null }).ok).toBe(false);
  });
});

describe('certificates', () => {
  const now = Date.UTC(2026, 10, 1);

  test("a server's is renewed before it ends", () => {
    const signing = makeAuthority(now);
    const identity = makeServerIdentity(signing, ['localhost'], now);
    const leaf = new X509Certificate(identity.certificate);
    expect(leaf.checkIssued(new X509Certificate(signing.certificate))).toBe(true);
    expect(identity.renewAt).toBeGreaterThan(now);
    expect(identity.renewAt).toBeLessThan(Date.parse(leaf.validTo) - 24 * 3_600_000);
  });

  test('no two authorities have one name', () => {
    expect(new X509Certificate(makeAuthority(now).certificate).subject).not.toBe(
      new X509Certificate(makeAuthority(now).certificate).subject,
    );
  });
});
