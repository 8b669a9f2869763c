import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { issueAuthority, issueServerCertificate } from './issue-certificate.ts';

const DAY = 24 * 3_600_000;
const NOW = Date.UTC(2026, 10, 1, 12, 30, 45);
const VALIDITY = { from: NOW, until: NOW + 365 * DAY };
const NAMES = ['eraser-coordinator.eraser-system.svc', 'localhost'];

function fileOf(pem: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'image-cleaner-pki-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'it.pem'), pem);
  return join(folder, 'it.pem');
}

const openssl = (...args: readonly string[]): string => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
const textOf = (pem: string): string => openssl('x509', '-in', fileOf(pem), '-noout', '-text');

/** As a server's certificate for the name, at the time of the test. */
function verify(authorities: readonly string[], certificate: string, name: string, at = NOW + DAY): string {
  const trusted = ['-no-CApath', '-no-CAstore', '-CAfile', fileOf(authorities.join(''))];
  const wanted = ['-x509_strict', '-purpose', 'sslserver', '-verify_hostname', name, '-attime', String(at / 1000)];
  return openssl('verify', ...trusted, ...wanted, fileOf(certificate));
}

describe('what openssl says of', () => {
  test('an authority', () => {
    const { certificate, key } = issueAuthority('image-cleaner-1', VALIDITY);
    const text = textOf(certificate);
    expect(text).toContain('Version: 3');
    expect(text).toContain('Subject: CN = image-cleaner-1');
    expect(text).toContain('Issuer: CN = image-cleaner-1');
    expect(text).toContain('Not Before: Nov  1 12:30:45 2026 GMT');
    expect(text).toContain('Not After : Nov  1 12:30:45 2027 GMT');
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
    expect(openssl('pkey', '-in', fileOf(key), '-pubout')).toBe(openssl('x509', '-in', fileOf(certificate), '-pubkey', '-noout'));
  });

  test('a server certificate', () => {
    const authority = issueAuthority('image-cleaner-1', VALIDITY);
    const { certificate } = issueServerCertificate(authority, NAMES, VALIDITY);
    const text = textOf(certificate);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/);
    expect(text).toMatch(/Extended Key Usage: \s+TLS Web Server Authentication\n/);
    expect(text).toContain('DNS:eraser-coordinator.eraser-system.svc, DNS:localhost');
    for (const name of NAMES) expect(verify([authority.certificate], certificate, name)).toContain('OK');
    expect(() => verify([authority.certificate], certificate, 'elsewhere')).toThrow('hostname mismatch');
  });

  test('a certificate with the bundle of a rotation, by old and new authority alike', () => {
    const [old, fresh] = [issueAuthority('image-cleaner-1', VALIDITY), issueAuthority('image-cleaner-2', VALIDITY)];
    const bundle = [old.certificate, fresh.certificate];
    for (const signer of [old, fresh]) {
      expect(verify(bundle, issueServerCertificate(signer, NAMES, VALIDITY).certificate, 'localhost')).toContain('OK');
    }
    const { certificate } = issueServerCertificate(old, NAMES, VALIDITY);
    expect(() => verify([fresh.certificate], certificate, 'localhost')).toThrow('unable to get local issuer');
  });

  test('one that has expired', () => {
    const authority = issueAuthority('image-cleaner-1', VALIDITY);
    const { certificate } = issueServerCertificate(authority, NAMES, { from: NOW, until: NOW + DAY / 2 });
    expect(() => verify([authority.certificate], certificate, 'localhost')).toThrow('expired');
  });

  test('times after 2049, and serial numbers: each its own', () => {
    const far = issueAuthority('image-cleaner-1', { from: NOW, until: Date.UTC(2051, 0, 2) });
    expect(textOf(far.certificate)).toContain('Not After : Jan  2 00:00:00 2051 GMT');
    const serials = Array.from({ length: 50 }, () => new X509Certificate(issueAuthority('x', VALIDITY).certificate).serialNumber);
    expect(new Set(serials).size).toBe(50);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
  });
});

test('a server certificate does not outlive its authority', () => {
  const authority = issueAuthority('image-cleaner-1', VALIDITY);
  const { certificate } = issueServerCertificate(authority, NAMES, { from: NOW, until: NOW + 9_999 * DAY });
  expect(Date.parse(new X509Certificate(certificate).validTo)).toBe(VALIDITY.until);
});
